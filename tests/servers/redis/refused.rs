//! Servers on which the store cannot work: found by `connect`, and by name.

use std::time::Duration;

use session_runtime::__private::patch::SignIn;
use session_runtime::store::{RedisStore, SessionStore, StoreErrorKind, contract::EndReason};
use session_tests::servers::redis::{self, Cluster, Server};
use session_tests::servers::{Fake, free_port};
use session_tests::traced::Traced;

use super::reach::works;
use super::records::{created, customer, found, one_more, record};
use super::rights::source;

async fn refused(url: &str, kind: StoreErrorKind, says: &str) {
    let options = RedisStore::options().deadline(Duration::from_millis(500));
    let error = options.connect(url).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{url}: {error:?}");
    assert!(source(&error).contains(says), "{url}: {error:?}");
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
}

#[tokio::test]
async fn commands_that_are_switched_off_are_named() {
    for command in ["EVAL", "EVALSHA", "SET", "ZADD"] {
        let Some(server) = Server::start(&["--rename-command", command, ""]) else { return };
        let says = format!("knows no `{}`", command.to_ascii_lowercase());
        refused(&server.url(), StoreErrorKind::Config, &says).await;
    }
    let renamed = ["--rename-command", "EVALSHA", "HUNTER2"];
    let Some(server) = Server::start(&renamed) else { return };
    refused(&server.url(), StoreErrorKind::Config, "knows no `evalsha`").await;
    // What it only looks at, or sends out of politeness, it can do without.
    let spared = ["--rename-command", "INFO", "", "--rename-command", "CLIENT", ""];
    let Some(server) = Server::start(&spared) else { return };
    works(&RedisStore::connect(&server.url()).await.unwrap()).await;
}

#[tokio::test]
async fn an_error_holds_nothing_that_was_sent() {
    let kept = ["--appendonly", "yes", "--appendfsync", "always"];
    let Some(mut server) = Server::start(&kept) else { return };
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let stored = created(&store, None).await;
    server.restart_with(&["--rename-command", "EVALSHA", ""]);
    // Finds out that its connection has ended.
    found(&store, &stored).await;
    let errors = [
        store
            .create(record(&store, Some(&customer())).into(), SignIn::default())
            .await
            .unwrap_err(),
        store.apply(stored.id, 1, &one_more(), None).await.unwrap_err(),
        store.delete(stored.id, EndReason::SignedOut).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), StoreErrorKind::Config, "{error:?}");
        let said = format!("{error} {error:?} {}", source(&error));
        assert!(said.contains("knows no `evalsha`"), "{said}");
        for part in ["with args", &*stored.id.to_string(), "session:"] {
            assert!(!said.contains(part), "{said}");
        }
    }
}

#[tokio::test]
async fn passwords_and_databases_are_looked_at() {
    let Some(server) = Server::start(&[]) else { return };
    let at = |rest: &str| {
        format!("redis://{}", rest.replace("HOST", &format!("127.0.0.1:{}", server.port)))
    };
    refused(&at("HOST/99"), StoreErrorKind::Config, "no database of this number").await;
    refused(&at("HOST/-1"), StoreErrorKind::Config, "no database of this number").await;
    refused(&at(":hunter2@HOST"), StoreErrorKind::Config, "password").await;
    server.ask(&["CONFIG", "SET", "requirepass", "right"]);
    refused(&at("HOST"), StoreErrorKind::Config, "asks for a password").await;
    refused(&at(":hunter2@HOST"), StoreErrorKind::Config, "password").await;
    refused(&at("user:hunter2@HOST"), StoreErrorKind::Config, "password").await;
    refused(&at(":hunter2@HOST?protocol=resp3"), StoreErrorKind::Config, "password").await;
    works(&RedisStore::connect(&at(":right@HOST/3")).await.unwrap()).await;
}

#[tokio::test]
async fn a_password_is_in_no_error_of_a_server_that_knows_none() {
    let Some(server) = Server::start(&["--rename-command", "HELLO", ""]) else { return };
    let url = format!("redis://user:hunter2@127.0.0.1:{}?protocol=resp3", server.port);
    refused(&url, StoreErrorKind::Config, "does not know a command").await;
    let Some(server) = Server::start(&["--rename-command", "AUTH", ""]) else { return };
    let url = format!("redis://user:hunter2@127.0.0.1:{}", server.port);
    refused(&url, StoreErrorKind::Config, "password").await;
}

#[tokio::test]
async fn a_replica_is_no_place_for_a_store() {
    let Some(server) = Server::start(&[]) else { return };
    let Some(replica) = server.start_replica() else { return };
    refused(&replica.url(), StoreErrorKind::Config, "is a replica").await;
    // One that answers nothing while it has lost its primary.
    replica.ask(&["CONFIG", "SET", "replica-serve-stale-data", "no"]);
    server.signal("KILL");
    let settled = || replica.ask(&["GET", "a"]).contains("MASTERDOWN");
    while !settled() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    refused(&replica.url(), StoreErrorKind::Unavailable, "lost its primary").await;
}

#[tokio::test]
async fn a_cluster_and_one_server_are_not_taken_for_each_other() {
    let (Some(server), Some(cluster)) = (redis::single(), redis::cluster()) else { return };
    let as_cluster = server.url().replace("redis:", "redis+cluster:");
    refused(&as_cluster, StoreErrorKind::Config, "`redis://` for `redis+cluster://`").await;
    let one = cluster.nodes[0].url();
    refused(&one, StoreErrorKind::Config, "`redis+cluster://` for `redis://`").await;
    refused(&format!("{one}/1"), StoreErrorKind::Config, "`redis+cluster://` for `redis://`").await;
}

#[tokio::test]
async fn a_cluster_that_is_not_set_up_serves_nothing_yet() {
    let Some(node) =
        Server::start(&["--cluster-enabled", "yes", "--cluster-port", &free_port().to_string()])
    else {
        return;
    };
    let url = node.url().replace("redis:", "redis+cluster:");
    let options = RedisStore::options().deadline(Duration::from_millis(500));
    let error = options.connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
}

#[tokio::test]
async fn a_node_of_a_cluster_that_tells_no_settings_is_still_found_out() {
    let Some(cluster) = redis::cluster() else { return };
    let all = [vec!["~session:*", "~{session:*}b"], redis::rights("sessions")].concat();
    for node in &cluster.nodes {
        // Another user than that of the suite.
        let new = ["ACL", "SETUSER", "other", "reset", "on", ">password"];
        assert_eq!(node.ask(&[&new[..], &all].concat()).trim(), "OK");
    }
    for node in cluster.primaries() {
        let url = cluster.nodes[node].url().replace("://", "://other:password@");
        refused(&url, StoreErrorKind::Config, "redis+cluster://").await;
    }
}

#[tokio::test]
async fn a_cluster_refuses_by_the_words_of_its_nodes() {
    let Some(cluster) = Cluster::start() else { return };
    for node in &cluster.nodes {
        node.ask(&["CONFIG", "SET", "requirepass", "right"]);
        node.ask(&["CONFIG", "SET", "masterauth", "right"]);
    }
    refused(&cluster.url(), StoreErrorKind::Config, "asks for a password").await;
    let wrong = cluster.url().replace("://", "://:hunter2@");
    refused(&wrong, StoreErrorKind::Config, "password").await;
    let right = cluster.url().replace("://", "://:right@");
    works(&RedisStore::connect(&right).await.unwrap()).await;
}

#[tokio::test]
async fn a_cluster_that_has_lost_a_primary_serves_the_others() {
    let Some(cluster) = Cluster::start() else { return };
    // No replica takes over meanwhile.
    for node in &cluster.nodes {
        node.ask(&["CONFIG", "SET", "cluster-replica-no-failover", "yes"]);
        node.ask(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]);
    }
    cluster.nodes[cluster.primaries()[0]].signal("KILL");
    let traced = Traced::start();
    RedisStore::connect(&cluster.url()).await.unwrap();
    let text = traced.text();
    let warned = text.lines().filter(|it| it.starts_with("WARN") && it.contains("do not answer"));
    assert_eq!(warned.count(), 1, "{text}");
}

#[tokio::test]
async fn what_answers_and_is_not_ready_or_not_redis_is_told_apart() {
    for (words, kind, says) in [
        (
            "-LOADING Redis is loading the dataset in memory\r\n",
            StoreErrorKind::Unavailable,
            "loading",
        ),
        ("-ERR max number of clients reached\r\n", StoreErrorKind::Unavailable, "maxclients"),
        ("-BUSY Redis is busy running a script.\r\n", StoreErrorKind::Unavailable, "script"),
        (
            "-DENIED Redis is running in protected mode because protected mode is enabled\r\n",
            StoreErrorKind::Config,
            "protected mode",
        ),
        ("-NOPROTO unsupported protocol version\r\n", StoreErrorKind::Config, "protocol"),
        (
            "-ERR unknown command 'INFO', with args beginning with: 'hunter2'\r\n",
            StoreErrorKind::Config,
            "knows no",
        ),
        ("HTTP/1.1 400 Bad Request\r\n", StoreErrorKind::Config, "does not speak as Redis"),
        ("\x15\x03\x03\0\x02\x02\x46", StoreErrorKind::Config, "rediss://"),
    ] {
        let fake = Fake::that_says(words);
        refused(&format!("redis://127.0.0.1:{}", fake.port), kind, says).await;
    }
    let nobody = format!("redis+cluster://127.0.0.1:{},127.0.0.1:{}", free_port(), free_port());
    refused(&nobody, StoreErrorKind::Unavailable, "refused").await;
}

//! A user with just the rights that the documentation lists, and with one less.

use std::time::Duration;

use session_runtime::store::{
    CachedStore, RedisStore, SessionStore, StoreError, StoreErrorKind, contract::Touch,
};
use session_tests::servers::redis::{self, Cluster, Server, Watched, rights};
use session_tests::traced::Traced;

use super::reach::works;
use super::records::created;

const KEYS: [&str; 2] = ["~session:*", "~{session:*}b"];

async fn refused(url: &str) -> (StoreErrorKind, String) {
    let error = RedisStore::connect(url).await.unwrap_err();
    (error.kind(), source(&error))
}

pub(super) fn source(error: &StoreError) -> String {
    std::error::Error::source(error).unwrap().to_string()
}

#[tokio::test]
async fn a_user_with_the_listed_rights_is_refused_nothing() {
    let Some(server) = Server::start(&[]) else { return };
    let all = [KEYS.to_vec(), rights("sessions"), rights("a warning where the server evicts keys")];
    works(&RedisStore::connect(&server.url_for(&all.concat())).await.unwrap()).await;
    assert_eq!(server.ask(&["ACL", "LOG"]).trim(), "", "what was tried and refused");
}

#[tokio::test]
async fn a_right_that_is_missing_is_named_by_connect() {
    let Some(server) = Server::start(&[]) else { return };
    let all = rights("sessions");
    for missing in &all {
        let some = all.iter().filter(|it| *it != missing).copied();
        let url = server.url_for(&KEYS.into_iter().chain(some).collect::<Vec<_>>());
        let (kind, text) = refused(&url).await;
        assert_eq!(kind, StoreErrorKind::Config, "{missing}: {text}");
        assert!(text.contains(&format!("… {missing}`")), "{missing}: {text}");
        assert!(!text.contains("password") && !text.contains("web"), "{text}");
    }
    assert_eq!(server.ask(&["--scan"]).trim(), "", "the check leaves nothing behind");
    let without_bases = server.url_for(&[&KEYS[..1], &all].concat());
    let (kind, text) = refused(&without_bases).await;
    assert_eq!(kind, StoreErrorKind::Config, "{text}");
    assert!(text.contains(KEYS[1]), "{text}");
    let elsewhere = server.url_for(&[&["~shop:*", "~{shop:*}b"][..], &all].concat());
    let (kind, text) = refused(&elsewhere).await;
    assert_eq!(kind, StoreErrorKind::Config, "{text}");
    assert!(text.contains(KEYS[0]), "{text}");
    let options = RedisStore::options().prefix("shop:");
    works(&options.connect(&elsewhere).await.unwrap()).await;
}

#[tokio::test]
async fn a_server_whose_settings_may_not_be_asked_is_reported_and_serves() {
    let Some(server) = Server::start(&[]) else { return };
    let url = server.url_for(&[KEYS.to_vec(), rights("sessions")].concat());
    let traced = Traced::start();
    works(&RedisStore::connect(&url).await.unwrap()).await;
    let text = traced.text();
    let warned = text.lines().filter(|line| line.starts_with("WARN") && line.contains("INFO"));
    assert_eq!(warned.count(), 1, "{text}");
    let error = RedisStore::options().require_noeviction(true).connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Config);
    assert!(source(&error).contains("`INFO`"), "{error:?}");
}

#[tokio::test]
async fn replicas_are_waited_for_by_those_who_may() {
    let Some(server) = Server::start(&[]) else { return };
    let Some(_replica) = server.start_replica() else { return };
    let options = RedisStore::options().wait_replicas(1);
    let some = [KEYS.to_vec(), rights("sessions")].concat();
    let error = options.clone().connect(&server.url_for(&some)).await.unwrap_err();
    assert!(source(&error).contains("+wait"), "{error:?}");
    let url = server.url_for(&[some, rights("wait_replicas")].concat());
    works(&options.connect(&url).await.unwrap()).await;
}

#[tokio::test]
async fn a_cache_is_told_what_changes_if_the_user_may_hear_it() {
    let Some(server) = Server::start(&[]) else { return };
    let eviction = rights("a warning where the server evicts keys");
    let some = [KEYS.to_vec(), rights("sessions"), rights("a coherent cache"), eviction].concat();
    let store = RedisStore::connect(&server.url_for(&some)).await.unwrap();
    let cache = CachedStore::coherent(store.clone());
    let record = created(&store, None).await;
    for round in 0.. {
        let _ = cache.load(record.id, &[record.meta.secret], Touch::Never.into()).await.unwrap();
        if cache.stats().usable {
            break;
        }
        assert!(round < 500, "the feed does not come alive");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(server.ask(&["ACL", "LOG"]).trim(), "", "what was tried and refused");
}

#[tokio::test]
async fn behind_sentinel_the_user_needs_one_right_more() {
    let Some(watched) = Watched::start() else { return };
    let some = [KEYS.to_vec(), rights("sessions")].concat();
    watched.primary.url_for(&some);
    let url = watched.url().replace("://", "://web:password@");
    let (kind, text) = refused(&url).await;
    assert_eq!(kind, StoreErrorKind::Config, "{text}");
    watched.primary.url_for(&[some, rights("behind Sentinel")].concat());
    works(&RedisStore::connect(&url).await.unwrap()).await;
}

#[tokio::test]
async fn of_a_cluster_every_primary_is_looked_at() {
    let Some(cluster) = Cluster::start() else { return };
    let all = [KEYS.to_vec(), rights("sessions"), rights("in a cluster")].concat();
    let url = cluster.url_for(&all);
    works(&RedisStore::connect(&url).await.unwrap()).await;
    for node in cluster.primaries() {
        let less: Vec<_> = all.iter().filter(|it| **it != "+zadd").copied().collect();
        cluster.nodes[node].url_for(&less);
        let (kind, text) = refused(&url).await;
        assert_eq!(kind, StoreErrorKind::Config, "{text}");
        assert!(text.contains("+zadd"), "{text}");
        cluster.nodes[node].url_for(&all);
    }
    for node in &cluster.nodes {
        node.ask(&["ACL", "SETUSER", "web", "-cluster|slots"]);
    }
    let (kind, text) = refused(&url).await;
    assert_eq!(kind, StoreErrorKind::Config, "{text}");
    assert!(text.contains("+cluster|slots"), "{text}");
    cluster.url_for(&all);
    let prefix = redis::fresh_prefix();
    let options = RedisStore::options().prefix(&prefix);
    let error = options.connect(&url).await.unwrap_err();
    assert!(source(&error).contains(KEYS[0]), "{error:?}");
}

//! Servers that restart, stop answering, forget scripts or are full.

use std::time::Duration;

use ::redis::cluster::ClusterClient;
use session_runtime::__private::patch::{FieldOp, Op, Outcome, Patch, SignIn};
use session_runtime::__private::record::Principal;
use session_runtime::clock::Clock;
use session_runtime::store::{
    RedisStore, SessionStore, StoreErrorKind,
    contract::{Created, EndReason, Lookup, Revoke, Touch},
};
use session_tests::servers::redis::{Cluster, Server};
use session_tests::servers::{Proxy, redis};
use tokio::time::Instant;

use super::records::{count_of, created, customer, found, one_more, record};

#[tokio::test]
async fn a_server_that_forgot_the_scripts_is_told_them_again() {
    let Some(server) = Server::start(&[]) else { return };
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let record = created(&store, None).await;
    for n in 1..=3 {
        server.ask(&["SCRIPT", "FLUSH"]);
        let outcome = store.apply(record.id, 1, &one_more(), None).await.unwrap();
        assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
        assert_eq!(count_of(&store, &record).await, n);
    }
}

#[tokio::test]
async fn every_key_ends_by_itself() {
    let Some(server) = Server::start(&[]) else { return };
    for sharding in [false, true] {
        let options = RedisStore::options().sharding_proxy(sharding);
        let store = options.connect(&server.url()).await.unwrap();
        let theirs = created(&store, Some(&customer())).await;
        let nobodys = created(&store, None).await;
        let deleted = created(&store, Some(&customer())).await;
        store.delete(deleted.id, EndReason::SignedOut).await.unwrap();
        for record in [&theirs, &nobodys] {
            store.apply(record.id, 1, &one_more(), None).await.unwrap();
            store.load(record.id, &[record.meta.secret], Touch::IfDue.into()).await.unwrap();
        }
        let mut sign_in = one_more();
        sign_in.meta.principal = Some(Some(Principal::new("customer", "7")));
        store.apply(nobodys.id, 1, &sign_in, None).await.unwrap();
        assert_eq!(
            store
                .revoke(&customer(), Revoke::All, EndReason::OtherDevice, None)
                .await
                .unwrap()
                .ended,
            1
        );
        let keys = server.ask(&["--scan"]);
        assert!(keys.lines().count() >= 5, "sessions, tombstones and indexes: {keys}");
        for key in keys.lines() {
            let left: i64 = server.ask(&["PTTL", key]).trim().parse().unwrap();
            assert!(left > 0, "{key} ends in {left} ms");
        }
    }
}

#[tokio::test]
async fn a_full_server_still_logs_people_out() {
    let Some(server) = Server::start(&["--maxmemory-policy", "noeviction"]) else { return };
    let clock = Clock::frozen(Clock::system().now());
    let options = RedisStore::options().clock(clock.clone());
    let store = options.connect(&server.url()).await.unwrap();
    let theirs = created(&store, Some(&customer())).await;
    let other = created(&store, Some(&customer())).await;
    let stranger = created(&store, None).await;
    server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    let refused = store.create(record(&store, None).into(), SignIn::default()).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Full, "{refused:?}");
    let refused = store.apply(theirs.id, 1, &one_more(), None).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Full, "{refused:?}");
    clock.advance(Duration::from_secs(1_000));
    let seen = store.load(stranger.id, &[stranger.meta.secret], Touch::IfDue.into()).await.unwrap();
    let Lookup::Found(touched) = seen else { panic!("{seen:?}") };
    assert_eq!(touched.meta.last_seen, clock.now(), "a touch that was due");
    assert!(store.delete(theirs.id, EndReason::SignedOut).await.unwrap(), "a logout");
    let seen = store.load(theirs.id, &[theirs.meta.secret], Touch::IfDue.into()).await.unwrap();
    assert!(matches!(seen, Lookup::Ended(_)), "after a logout: {seen:?}");
    assert_eq!(
        store.revoke(&customer(), Revoke::All, EndReason::OtherDevice, None).await.unwrap().ended,
        1,
        "a revocation"
    );
    let seen = store.load(other.id, &[other.meta.secret], Touch::Never.into()).await.unwrap();
    assert!(matches!(seen, Lookup::Ended(_)), "after a revocation: {seen:?}");
    let nobody = Principal::new("customer", "nobody");
    assert_eq!(
        store.revoke(&nobody, Revoke::All, EndReason::OtherDevice, None).await.unwrap().ended,
        0,
        "of somebody without sessions"
    );
    server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    created(&store, Some(&customer())).await;
    store.apply(stranger.id, 1, &one_more(), None).await.unwrap();
    assert_eq!(count_of(&store, &stranger).await, 1, "once there is room again");
}

/// What opens a full server to a touch once removed the field without a name.
#[tokio::test]
async fn a_field_without_a_name_outlives_a_touch_a_renewal_and_a_revocation() {
    let Some(server) = redis::single() else { return };
    let clock = Clock::frozen(Clock::system().now());
    let options = RedisStore::options().prefix(redis::fresh_prefix()).clock(clock.clone());
    let store = options.connect(&server.url()).await.unwrap();
    let record = created(&store, Some(&customer())).await;
    created(&store, Some(&customer())).await;
    let set = Patch::of(vec![FieldOp::new("", Op::set("7"))]);
    assert!(matches!(store.apply(record.id, 1, &set, None).await.unwrap(), Outcome::Applied(_)));
    clock.advance(Duration::from_secs(1_000));
    let seen = store.load(record.id, &[record.meta.secret], Touch::IfDue.into()).await.unwrap();
    let Lookup::Found(touched) = seen else { panic!("{seen:?}") };
    assert_eq!(touched.meta.last_seen, clock.now(), "the touch was due");
    assert_eq!(
        store
            .revoke(&customer(), Revoke::Others(record.id), EndReason::OtherDevice, None)
            .await
            .unwrap()
            .ended,
        1
    );
    let stored = found(&store, &record).await;
    assert_eq!(stored.fields.get(""), Some(&b"7"[..]), "stored, after the touch");
}

#[tokio::test]
async fn the_store_comes_back_with_its_server() {
    let settings = ["--appendonly", "yes", "--appendfsync", "always"];
    let Some(mut server) = Server::start(&settings) else { return };
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let record = created(&store, None).await;
    server.restart();
    found(&store, &record).await;
    let directory = server.stop();
    let begun = Instant::now();
    let seen = store.load(record.id, &[record.meta.secret], Touch::Never.into()).await;
    assert_eq!(seen.unwrap_err().kind(), StoreErrorKind::Unavailable);
    let outcome = store.apply(record.id, 1, &one_more(), None).await;
    assert_eq!(outcome.unwrap_err().kind(), StoreErrorKind::Unavailable, "nothing was sent");
    assert!(begun.elapsed() < Duration::from_secs(10), "the deadline is two seconds a call");
    server.start_again(directory);
    assert_eq!(count_of(&store, &record).await, 0);
    store.apply(record.id, 1, &one_more(), None).await.unwrap();
    assert_eq!(count_of(&store, &record).await, 1);
}

#[tokio::test]
async fn what_a_silent_server_did_is_uncertain_and_done_once() {
    let Some(server) = Server::start(&[]) else { return };
    let options = RedisStore::options().deadline(Duration::from_millis(300));
    let store = options.connect(&server.url()).await.unwrap();
    let record = created(&store, None).await;
    let (read, patch) = (found(&store, &record).await, one_more());
    server.signal("STOP");
    let outcome = store.apply(record.id, 1, &patch, Some(&read)).await.unwrap();
    assert!(matches!(outcome, Outcome::Uncertain), "{outcome:?}");
    let seen = store.load(record.id, &[record.meta.secret], Touch::Never.into()).await;
    assert_eq!(seen.unwrap_err().kind(), StoreErrorKind::Timeout);
    server.signal("CONT");
    let patient = RedisStore::connect(&server.url()).await.unwrap();
    let outcome = patient.apply(record.id, 1, &patch, None).await.unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    assert_eq!(count_of(&patient, &record).await, 1);
    found(&store, &record).await;
}

#[tokio::test]
async fn a_reply_that_breaks_off_is_asked_for_again_and_nothing_is_done_twice() {
    let Some(server) = redis::single() else { return };
    let proxy = Proxy::to(server.port);
    let options = RedisStore::options().prefix(redis::fresh_prefix());
    let store = options.connect(&format!("redis://127.0.0.1:{}", proxy.port)).await.unwrap();
    // The server knows the scripts: their replies are what is cut.
    let other = created(&store, None).await;
    store.apply(other.id, 1, &one_more(), None).await.unwrap();
    let record = record(&store, Some(&customer()));
    proxy.cut_next_reply();
    let answer = store.create(record.clone().into(), SignIn::default()).await.unwrap();
    assert_eq!(answer, Created::ALONE, "its own record is not somebody else's");
    for n in 1..=5 {
        let read = found(&store, &record).await;
        proxy.cut_next_reply();
        let outcome = store.apply(record.id, 1, &one_more(), Some(&read)).await.unwrap();
        let Outcome::Applied(applied) = outcome else { panic!("{outcome:?}") };
        assert!(applied.repeated, "the first was done, and its reply lost");
        assert_eq!(count_of(&store, &record).await, n);
    }
    assert_eq!(store.list(&customer(), None, 1_000).await.unwrap().records.len(), 1);
}

/// A client library for clusters sends again what had no answer, unless it is told not to.
#[tokio::test]
async fn nothing_is_sent_twice_behind_the_store_in_a_cluster() {
    let Some(server) = Server::start_cluster_of_one() else { return };
    let proxy = Proxy::to(server.port);
    server.ask(&["CONFIG", "SET", "cluster-announce-port", &proxy.port.to_string()]);
    let address = format!("127.0.0.1:{}", proxy.port);
    let by_url = RedisStore::connect(&format!("redis+cluster://{address}")).await.unwrap();
    let client = ClusterClient::new([format!("redis://{address}")]).unwrap();
    let by_client = RedisStore::options().with_client(client).await.unwrap();
    for store in [by_url, by_client] {
        // The server knows the scripts.
        let other = created(&store, None).await;
        store.apply(other.id, 1, &one_more(), None).await.unwrap();
        let mut large = record(&store, None);
        let text = FieldOp::new("text", Op::set(vec![b'x'; 4_000]));
        large.fields = large.fields.apply(&[text]).unwrap().0;
        proxy.cut_next_reply();
        let answer = store.create(large.clone().into(), SignIn::default()).await.unwrap();
        assert_eq!(answer, Created::ALONE, "its own record is not somebody else's");
        // Now and then it is the library's look at the cluster that is cut.
        for n in 1.. {
            assert!(n < 100, "no reply to a change was lost");
            let read = found(&store, &large).await;
            proxy.commands();
            proxy.cut_next_reply();
            let outcome = store.apply(large.id, 1, &one_more(), Some(&read)).await.unwrap();
            let Outcome::Applied(applied) = outcome else { panic!("{outcome:?}") };
            assert_eq!(count_of(&store, &large).await, n, "each of them once");
            if applied.repeated {
                break;
            }
        }
        let appends = proxy.commands().into_iter().filter(|(words, _)| {
            // A script, its name, one key, its key, the operations.
            words.first().is_some_and(|word| word == "EVALSHA")
                && words.get(4).is_some_and(|what| what.len() > 8)
        });
        assert!(appends.count() <= 1, "others may have pushed it out of the log meanwhile");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_created_and_destroyed_before_the_answer_came_is_not_created_again() {
    let Some(server) = redis::single() else { return };
    for sharding in [false, true] {
        let proxy = Proxy::to(server.port);
        let options = RedisStore::options().prefix(redis::fresh_prefix()).sharding_proxy(sharding);
        let direct = options.clone().connect(&server.url()).await.unwrap();
        let store = options.connect(&format!("redis://127.0.0.1:{}", proxy.port)).await.unwrap();
        // The server knows the scripts.
        created(&direct, None).await;
        let record = record(&store, None);
        proxy.cut_next_reply_and_refuse("SET");
        let creating = tokio::spawn({
            let (store, record) = (store.clone(), record.clone());
            async move { store.create(record.into(), SignIn::default()).await.unwrap() }
        });
        while proxy.refusals() == 0 {
            tokio::task::yield_now().await;
        }
        assert!(direct.delete(record.id, EndReason::SignedOut).await.unwrap(), "it was stored");
        proxy.refuse(None);
        // The layer would make another one after `Exists`.
        assert_eq!(creating.await.unwrap(), Created::ALONE);
        let seen =
            direct.load(record.id, &[record.meta.secret], Touch::Never.into()).await.unwrap();
        assert!(matches!(seen, Lookup::Ended(_)), "{seen:?}");
        let again = direct.create(record.into(), SignIn::default()).await.unwrap();
        assert_eq!(again, Created::Exists, "from somebody else");
    }
}

#[tokio::test]
async fn an_address_where_nothing_answers_is_an_error_at_once_and_shows_no_password() {
    let port = session_tests::servers::free_port();
    let begun = Instant::now();
    let url = format!("redis://user:hunter2@127.0.0.1:{port}");
    let error = RedisStore::connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    for url in ["redis://", "redis+cluster://a,,b", "redis+sentinel://a", "redis+cluster://a/3"] {
        let error = RedisStore::connect(url).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Config, "{url}: {error:?}");
    }
    let Some(server) = redis::single() else { return };
    let store = RedisStore::connect(&server.url()).await.unwrap();
    assert!(!format!("{store:?}").contains("127.0.0.1"), "{store:?}");
}

#[tokio::test]
async fn one_node_of_a_cluster_is_not_taken_for_a_server() {
    let Some(cluster) = redis::cluster() else { return };
    let error = RedisStore::connect(&cluster.nodes[0].url()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Config);
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("redis+cluster://"), "{source}");
}

#[tokio::test]
async fn a_logout_waits_for_as_many_replicas_as_it_is_told() {
    let Some(cluster) = redis::cluster() else { return };
    for (replicas, is_enough) in [(1, true), (2, false)] {
        let options = RedisStore::options().prefix(redis::fresh_prefix()).wait_replicas(replicas);
        let options = options.deadline(Duration::from_millis(500));
        let store = options.connect(&cluster.url()).await.unwrap();
        let record = created(&store, None).await;
        match store.delete(record.id, EndReason::SignedOut).await {
            Ok(was_live) => assert!(is_enough && was_live, "each primary has one replica"),
            Err(error) => {
                assert!(!is_enough, "{error:?}");
                assert_eq!(error.kind(), StoreErrorKind::Timeout);
            }
        }
        let seen = store.load(record.id, &[record.meta.secret], Touch::Never.into()).await.unwrap();
        assert!(matches!(seen, Lookup::Ended(_)), "done in any case: {seen:?}");
        for _ in 0..3 {
            created(&store, Some(&customer())).await;
        }
        match store.revoke(&customer(), Revoke::All, EndReason::OtherDevice, None).await {
            Ok(ended) => assert!(is_enough && ended.ended == 3, "{ended:?} of three"),
            Err(error) => {
                assert!(!is_enough, "{error:?}");
                assert_eq!(error.kind(), StoreErrorKind::Timeout);
            }
        }
    }
}

#[tokio::test]
async fn a_logout_whose_reply_breaks_off_is_asked_for_again_and_waited_for() {
    let Some(server) = Server::start(&[]) else { return };
    let Some(_replica) = server.start_replica() else { return };
    let proxy = Proxy::to(server.port);
    let options = RedisStore::options().wait_replicas(1);
    let store = options.connect(&format!("redis://127.0.0.1:{}", proxy.port)).await.unwrap();
    for _ in 0..2 {
        let record = created(&store, Some(&customer())).await;
        proxy.cut_next_reply();
        assert!(store.delete(record.id, EndReason::SignedOut).await.unwrap(), "it was live");
        assert!(
            !store.delete(record.id, EndReason::SignedOut).await.unwrap(),
            "it was not any more"
        );
    }
    created(&store, Some(&customer())).await;
    proxy.cut_next_reply();
    assert_eq!(
        store.revoke(&customer(), Revoke::All, EndReason::OtherDevice, None).await.unwrap().ended,
        1
    );
}

#[tokio::test]
async fn a_server_that_evicts_is_refused_where_that_was_asked_for() {
    let settings = ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"];
    let Some(server) = Server::start(&settings) else { return };
    RedisStore::connect(&server.url()).await.unwrap();
    let strict = RedisStore::options().require_noeviction(true);
    let error = strict.connect(&server.url()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Config);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_loses_a_primary_is_used_again_without_a_restart() {
    let Some(mut cluster) = Cluster::start() else { return };
    let store = RedisStore::connect(&cluster.url()).await.unwrap();
    let mut records = Vec::new();
    for _ in 0..30 {
        records.push(created(&store, None).await);
    }
    let lost = cluster.primaries()[0];
    cluster.nodes[lost].stop();
    let begun = Instant::now();
    let mut failed = 0;
    loop {
        let mut all = true;
        for record in &records {
            let asked = Instant::now();
            let seen = store.load(record.id, &[record.meta.secret], Touch::Never.into()).await;
            let took = asked.elapsed();
            assert!(took < Duration::from_secs(4), "a call took {took:?}");
            if seen.is_err() {
                failed += 1;
                all = false;
            }
        }
        if all {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "the cluster did not come back");
    }
    println!("{failed} calls failed in {:?}", begun.elapsed());
    for record in &records {
        store.apply(record.id, 1, &one_more(), None).await.unwrap();
        assert_eq!(count_of(&store, record).await, 1);
    }
}

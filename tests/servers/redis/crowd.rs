//! One principal with many sessions.

use std::collections::BTreeSet;
use std::time::Duration;

use session_runtime::__private::patch::{AtLimit, Denied};
use session_runtime::store::{
    RedisStore, SessionStore,
    contract::{Created, EndReason, Revoke},
};
use session_tests::crowd::{at_most, crowd, listed, revoked, signs_in, times};
use session_tests::servers::redis::Server;

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_is_listed_capped_and_revoked_in_steps() {
    let Some(server) = Server::start(&[]) else { return };
    for sharding in [false, true] {
        let options = RedisStore::options().sharding_proxy(sharding);
        let store = options.deadline(Duration::from_secs(60)).connect(&server.url()).await.unwrap();
        let all = crowd(&store, 1_700).await;
        let ids: BTreeSet<_> = all.iter().map(|record| record.id.to_string()).collect();
        assert_eq!(listed(&store, 300).await, ids);
        // Ended and expired ones are not counted, however many there are.
        for record in &all[..100] {
            store.delete(record.id, EndReason::SignedOut).await.unwrap();
        }
        let denied = Created::Denied(Denied::AtLimit);
        assert_eq!(signs_in(&store, at_most(900, AtLimit::Reject)).await, denied);
        let before = listed(&store, 500).await;
        let signed_in = signs_in(&store, at_most(700, AtLimit::EvictOldest)).await;
        let Created::Created { evicted } = signed_in else { panic!("{signed_in:?}") };
        let left = listed(&store, 500).await;
        let evicted: BTreeSet<_> = evicted.iter().map(|it| it.to_string()).collect();
        assert_eq!(evicted, before.difference(&left).cloned().collect(), "told, each of them");
        let youngest: BTreeSet<_> = all[1_001..].iter().map(|it| it.id.to_string()).collect();
        assert_eq!(left.len(), 700, "a cap that was turned on");
        assert!(youngest.is_subset(&left), "the oldest have made room");
        assert_eq!(signs_in(&store, at_most(700, AtLimit::Reject)).await, denied);
        assert_eq!(signs_in(&store, at_most(701, AtLimit::Reject)).await, Created::ALONE);
        let kept = all[1_500].id;
        let (ended, steps) = revoked(&store, Revoke::Others(kept)).await;
        assert_eq!(ended, 700, "in {steps} steps");
        assert_eq!(listed(&store, 500).await, BTreeSet::from([kept.to_string()]));
        assert_eq!(revoked(&store, Revoke::All).await.0, 1);
    }
}

/// With what the server calls slow (5 ms).
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement of a minute"]
async fn a_hundred_thousand_sessions_of_one_principal() {
    let Some(server) = Server::start(&["--slowlog-log-slower-than", "5000"]) else { return };
    let options = RedisStore::options().deadline(Duration::from_secs(60));
    let store = options.connect(&server.url()).await.unwrap();
    times(&store, || format!("; slow: {}", server.ask(&["SLOWLOG", "LEN"]).trim())).await;
    println!("{}", server.ask(&["SLOWLOG", "GET", "5"]));
}

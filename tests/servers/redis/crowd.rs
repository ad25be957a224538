//! One principal with many sessions.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use session_runtime::patch::{AtLimit, Cap, Denied, SignIn};
use session_runtime::record::Record;
use session_runtime::store::{Created, EndedBy, RedisStore, Revoke, SessionStore};
use session_tests::servers::redis::Server;
use tokio::time::Instant;

use super::records::{customer, record};

fn at_most(max: u32, at_limit: AtLimit) -> SignIn {
    let cap = Cap { max: NonZeroU32::new(max).unwrap(), at_limit };
    SignIn { cap: Some(cap), not_revoked_since: None }
}

/// Their sessions, each authenticated a millisecond after the one before.
async fn crowd(store: &RedisStore, count: usize) -> Vec<Record> {
    let start = store.clock().now();
    let mut all = Vec::with_capacity(count);
    for n in 0..count {
        let mut record = record(store, Some(&customer()));
        record.meta.authenticated = Some(start.after(Duration::from_millis(n as u64)));
        all.push(record);
    }
    for some in all.chunks(256) {
        let mut tasks = tokio::task::JoinSet::new();
        for record in some {
            let (store, record) = (store.clone(), record.clone());
            tasks.spawn(async move { store.create(record, SignIn::default()).await.unwrap() });
        }
        assert!(tasks.join_all().await.into_iter().all(|it| it == Created::Created));
    }
    all
}

async fn signs_in(store: &RedisStore, cap: SignIn) -> Created {
    let mut record = record(store, Some(&customer()));
    record.meta.authenticated = Some(store.clock().now().after(Duration::from_secs(600)));
    store.create(record, cap).await.unwrap()
}

async fn listed(store: &RedisStore, limit: usize) -> BTreeSet<String> {
    let (mut ids, mut cursor) = (BTreeSet::new(), None);
    loop {
        let page = store.list(&customer(), cursor.as_ref(), limit).await.unwrap();
        assert!(page.records.len() <= limit);
        ids.extend(page.records.iter().map(|record| record.id.to_string()));
        cursor = page.next;
        if cursor.is_none() {
            return ids;
        }
    }
}

async fn revoked(store: &RedisStore, which: Revoke) -> (u64, usize) {
    let (mut ended, mut steps, mut cursor) = (0, 0, None);
    loop {
        let step = store.revoke(&customer(), which, cursor.as_ref()).await.unwrap();
        (ended, steps) = (ended + step.ended, steps + 1);
        cursor = step.next;
        if cursor.is_none() {
            return (ended, steps);
        }
    }
}

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
            store.delete(record.id, EndedBy::Browser).await.unwrap();
        }
        let denied = Created::Denied(Denied::AtLimit);
        assert_eq!(signs_in(&store, at_most(900, AtLimit::Reject)).await, denied);
        assert_eq!(signs_in(&store, at_most(700, AtLimit::EvictOldest)).await, Created::Created);
        let left = listed(&store, 500).await;
        let youngest: BTreeSet<_> = all[1_001..].iter().map(|it| it.id.to_string()).collect();
        assert_eq!(left.len(), 700, "a cap that was turned on");
        assert!(youngest.is_subset(&left), "the oldest have made room");
        assert_eq!(signs_in(&store, at_most(700, AtLimit::Reject)).await, denied);
        assert_eq!(signs_in(&store, at_most(701, AtLimit::Reject)).await, Created::Created);
        let kept = all[1_500].id;
        let (ended, steps) = revoked(&store, Revoke::Others(kept)).await;
        assert_eq!(ended, 700, "in {steps} steps");
        assert_eq!(listed(&store, 500).await, BTreeSet::from([kept.to_string()]));
        assert_eq!(revoked(&store, Revoke::All).await.0, 1);
    }
}

/// Prints how long the calls take, and what the server calls slow (5 ms).
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement of a minute"]
async fn a_hundred_thousand_sessions_of_one_principal() {
    let Some(server) = Server::start(&["--slowlog-log-slower-than", "5000"]) else { return };
    let store = RedisStore::options()
        .deadline(Duration::from_secs(60))
        .connect(&server.url())
        .await
        .unwrap();
    let slow = |what: &str, begun: Instant| {
        println!("{what}: {:?}; slow: {}", begun.elapsed(), server.ask(&["SLOWLOG", "LEN"]).trim());
    };
    for evicting in [false, true] {
        let begun = Instant::now();
        crowd(&store, 100_000).await;
        slow("all of them", begun);
        let begun = Instant::now();
        signs_in(&store, SignIn::default()).await;
        slow("a sign-in", begun);
        let begun = Instant::now();
        assert_eq!(
            signs_in(&store, at_most(5, AtLimit::Reject)).await,
            Created::Denied(Denied::AtLimit)
        );
        slow("a sign-in that is refused", begun);
        let begun = Instant::now();
        store.list(&customer(), None, 100).await.unwrap();
        slow("a page of 100", begun);
        if evicting {
            let begun = Instant::now();
            assert_eq!(signs_in(&store, at_most(5, AtLimit::EvictOldest)).await, Created::Created);
            slow("a cap of five, turned on", begun);
            let begun = Instant::now();
            signs_in(&store, at_most(5, AtLimit::EvictOldest)).await;
            slow("a sign-in at that cap", begun);
        } else {
            let begun = Instant::now();
            store.revoke(&customer(), Revoke::All, None).await.unwrap();
            slow("the first step of revoking all", begun);
            let begun = Instant::now();
            let (ended, steps) = revoked(&store, Revoke::All).await;
            slow(&format!("revoking {ended} in {steps} steps"), begun);
        }
    }
    println!("{}", server.ask(&["SLOWLOG", "GET", "5"]));
    println!("{}", server.ask(&["INFO", "commandstats"]));
}

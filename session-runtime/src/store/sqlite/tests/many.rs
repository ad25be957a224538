//! Principals with many sessions.

use super::*;
use crate::record::patch::{AtLimit, Cap, Denied};

fn customer() -> Principal {
    Principal::new("shop", "42")
}

fn number(number: usize) -> SessionId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    bytes[8..].copy_from_slice(&(number as u64).to_be_bytes());
    SessionId::from_bytes(bytes)
}

/// A session of the customer who signed in `index` milliseconds after the start.
fn nth(index: usize, idle: Duration) -> Record {
    let lifetime = Lifetime { idle: Some(idle), absolute: None, remember: false };
    let mut meta = Meta::new(SECRET, START, lifetime);
    meta.principal = Some(customer());
    meta.authenticated = Some(START.after(Duration::from_millis(index as u64)));
    Record::new(number(index), meta, Fields::new())
}

async fn fill(store: &SqliteStore, indexes: std::ops::Range<usize>, idle: Duration) {
    let creations = indexes.map(|index| {
        let store = store.clone();
        tokio::spawn(async move { create(&store, nth(index, idle)).await })
    });
    for creation in creations.collect::<Vec<_>>() {
        creation.await.unwrap();
    }
}

fn at_most(max: u32, at_limit: AtLimit) -> SignIn {
    let max = std::num::NonZeroU32::new(max).unwrap();
    SignIn { cap: Some(Cap { max, at_limit }), not_revoked_since: None }
}

async fn lives(store: &SqliteStore, index: usize) -> bool {
    let lookup = store.load(number(index), &[SECRET], Touch::Never.into()).await.unwrap();
    matches!(lookup, Lookup::Found(_))
}

#[tokio::test]
async fn a_cap_that_is_turned_on_later_catches_up_and_keeps_the_newest() {
    let directory = Directory::new();
    let (store, _) = open(&directory).await;
    fill(&store, 0..1_200, HOUR).await;
    let sign_in = at_most(3, AtLimit::Reject);
    let denied = store.create(nth(5_000, HOUR).into(), sign_in).await.unwrap();
    assert_eq!(denied, Created::Denied(Denied::AtLimit));
    assert_eq!(listed(&store, &customer(), 500).await.len(), 1_200, "a denial ends nothing");
    let sign_in = at_most(3, AtLimit::EvictOldest);
    for (index, left) in [(5_000, 701), (5_001, 202), (5_002, 3), (5_003, 3)] {
        assert!(store.create(nth(index, HOUR).into(), sign_in).await.unwrap().is_created());
        assert_eq!(listed(&store, &customer(), 500).await.len(), left);
    }
    let left: Vec<_> = listed(&store, &customer(), 2).await.iter().map(|it| it.id).collect();
    assert_eq!(left, [number(5_001), number(5_002), number(5_003)]);
}

#[tokio::test]
async fn below_the_cap_no_session_is_looked_at() {
    let directory = Directory::new();
    let (store, _) = open(&directory).await;
    fill(&store, 0..4, HOUR).await;
    // The content of the rows does not matter: at the cap they would be removed.
    directory.sql().execute_batch("UPDATE session SET form = x'00'").unwrap();
    let sign_in = at_most(5, AtLimit::EvictOldest);
    assert_eq!(store.create(nth(10, HOUR).into(), sign_in).await.unwrap(), Created::ALONE);
    let rows = || -> i64 {
        let sql = "SELECT count(*) FROM session";
        directory.sql().query_row(sql, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(rows(), 5);
    let created = store.create(nth(11, HOUR).into(), sign_in).await.unwrap();
    assert_eq!(created, Created::Created { evicted: vec![number(0)] });
    assert_eq!(rows(), 5, "one that cannot be read made room");
}

#[tokio::test]
async fn expired_sessions_make_no_live_one_end() {
    let directory = Directory::new();
    let (store, clock) = open(&directory).await;
    fill(&store, 0..2, HOUR).await;
    fill(&store, 2..1_500, HOUR / 60).await;
    clock.advance(HOUR / 60);
    let sign_in = at_most(3, AtLimit::EvictOldest);
    assert_eq!(store.create(nth(5_000, HOUR).into(), sign_in).await.unwrap(), Created::ALONE);
    assert!(lives(&store, 0).await && lives(&store, 1).await && lives(&store, 5_000).await);
    let sign_in = at_most(3, AtLimit::Reject);
    let denied = store.create(nth(5_001, HOUR).into(), sign_in).await.unwrap();
    assert_eq!(denied, Created::Denied(Denied::AtLimit));
}

#[tokio::test]
async fn a_session_that_left_the_index_when_it_expired_is_back_when_it_signs_in() {
    let directory = Directory::new();
    let (store, clock) = open(&directory).await;
    fill(&store, 0..1_100, HOUR / 60).await;
    clock.advance(HOUR / 60);
    let sign_in = at_most(3, AtLimit::EvictOldest);
    assert_eq!(store.create(nth(5_000, HOUR).into(), sign_in).await.unwrap(), Created::ALONE);
    let mut patch = add();
    let lifetime = Lifetime { idle: Some(HOUR), absolute: None, remember: false };
    patch.meta.lifetime = Some(lifetime);
    let outcome = store.apply(number(0), 1, &patch, None).await.unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)), "within the leeway: {outcome:?}");
    let ids: Vec<_> = listed(&store, &customer(), 9).await.iter().map(|it| it.id).collect();
    assert_eq!(ids, [number(0), number(5_000)]);
}

#[tokio::test]
async fn listings_and_revocations_go_in_steps_and_miss_nothing() {
    let directory = Directory::new();
    let (store, _) = open(&directory).await;
    fill(&store, 0..1_203, HOUR).await;
    let mut other = record(1, &[]);
    other.meta.principal = Some(Principal::new("shop", "4"));
    create(&store, other).await;
    let mut seen: Vec<_> = listed(&store, &customer(), 100).await.iter().map(|it| it.id).collect();
    seen.dedup();
    assert_eq!(seen.len(), 1_203);
    let page = store.list(&customer(), None, 100).await.unwrap();
    assert_eq!(page.records.len(), 100);
    let first = store
        .revoke(&customer(), Revoke::Others(number(700)), EndReason::OtherDevice, None)
        .await
        .unwrap();
    assert_eq!(first.ended, 500);
    assert!(first.next.is_some());
    let next = first.next.as_ref();
    let second = store
        .revoke(&customer(), Revoke::Others(number(700)), EndReason::OtherDevice, next)
        .await
        .unwrap();
    assert_eq!(second.ended, 499, "one of them stays");
    assert_eq!(revoked(&store, &customer(), Revoke::Others(number(700))).await, 203);
    assert!(lives(&store, 700).await);
    assert_eq!(revoked(&store, &customer(), Revoke::All).await, 1);
    assert!(found(&store, 1, Touch::Never).await.is_some());
    let foreign = crate::store::Cursor::new("17");
    assert!(store.list(&customer(), Some(&foreign), 1).await.is_err());
    assert!(
        store
            .revoke(&customer(), Revoke::All, EndReason::OtherDevice, Some(&foreign))
            .await
            .is_err()
    );
}

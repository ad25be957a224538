//! What is remembered, of whom, and who makes room.

use session_runtime::Realm;
use session_runtime::store::contract::{EndReason, Revoke};

use super::*;

#[tokio::test]
async fn a_wrong_secret_is_never_answered_from_memory_and_empties_nothing() {
    let spy = SpyStore::default();
    let cache = CachedStore::new(spy.clone());
    let record = stored(&cache, "7").await;
    look(&cache, &record).await;
    let mut guess = record.clone();
    guess.meta.secret = SessionToken::generate().unwrap().secret_hash(&Realm::default());
    spy.take_calls();
    assert_eq!(look(&cache, &guess).await, (None, false));
    assert_eq!(spy.operations(), [Operation::Load]);
    assert_eq!(look(&cache, &record).await, (Some(1), true));
}

#[tokio::test]
async fn who_is_asked_for_stays_and_no_more_are_held_than_there_is_room_for() {
    let spy = SpyStore::default();
    let cache = CachedStore::new(spy.clone()).capacity(3);
    let regular = stored(&cache, "1").await;
    look(&cache, &regular).await;
    for _ in 0..100 {
        assert_eq!(look(&cache, &regular).await, (Some(1), true), "it is asked for");
        let passing = stored(&cache, "2").await;
        assert_eq!(look(&cache, &passing).await, (Some(1), false));
        assert!(cache.stats().entries <= 3);
    }
    let none = CachedStore::new(spy).capacity(0);
    look(&none, &regular).await;
    assert_eq!(look(&none, &regular).await, (Some(1), false));
}

#[tokio::test]
async fn metrics_tell_of_hits_and_of_the_memory_that_is_held_and_given_back() {
    let cache = CachedStore::new(MemoryStore::with_clock(clock())).capacity(64);
    let layer = SessionLayer::new(SpyStore::new(cache.clone()));
    let metrics = || layer.manager().metrics().cache.unwrap();
    assert_eq!((metrics().hits, metrics().misses, metrics().entries), (0, 0, 0));
    let first = stored(&cache, "7").await;
    look(&cache, &first).await;
    let one = metrics().bytes;
    let mut held = vec![first];
    for _ in 1..32 {
        let next = stored(&cache, "7").await;
        look(&cache, &next).await;
        held.push(next);
    }
    // What a record takes, and its place in lists that double.
    let each = (metrics().bytes - one) / 31;
    assert!((300..700).contains(&each), "{each} bytes a session");
    for record in &held {
        assert_eq!(look(&cache, record).await, (Some(1), true));
    }
    assert_eq!((metrics().hits, metrics().misses, metrics().entries), (32, 32, 32));
    let full = metrics().bytes;
    cache
        .revoke(&Principal::new("", "7"), Revoke::All, EndReason::OtherDevice, None)
        .await
        .unwrap();
    assert_eq!(metrics().entries, 0);
    assert!(full - metrics().bytes >= 32 * 250, "{full} bytes, and then {}", metrics().bytes);
    for _ in 0..200 {
        let next = stored(&cache, "8").await;
        look(&cache, &next).await;
    }
    assert_eq!(metrics().entries, 64, "no more than there is room for");
    assert!(metrics().bytes < 3 * full, "{full} bytes with 32, {} with 64", metrics().bytes);
    assert_eq!(SessionLayer::new(MemoryStore::new()).manager().metrics().cache, None);
}

#[tokio::test]
async fn a_revocation_here_is_seen_here() {
    let cache = CachedStore::new(MemoryStore::with_clock(clock()));
    let (mine, other) = (stored(&cache, "7").await, stored(&cache, "7").await);
    let theirs = stored(&cache, "8").await;
    for record in [&mine, &other, &theirs] {
        look(&cache, record).await;
    }
    let seven = Principal::new("", "7");
    assert_eq!(
        cache
            .revoke(&seven, Revoke::Others(mine.id), EndReason::OtherDevice, None)
            .await
            .unwrap()
            .ended,
        1
    );
    assert_eq!(look(&cache, &other).await.0, None);
    assert_eq!(look(&cache, &mine).await.0, Some(1));
    look(&cache, &mine).await;
    assert_eq!(
        cache
            .revoke(&seven, Revoke::One(mine.id), EndReason::OtherDevice, None)
            .await
            .unwrap()
            .ended,
        1
    );
    assert_eq!(look(&cache, &mine).await.0, None);
    assert_eq!(look(&cache, &theirs).await, (Some(1), true));
}

/// It changed hands elsewhere, and here it is remembered as somebody else's.
#[tokio::test]
async fn a_session_that_is_revoked_by_name_is_forgotten_whoever_it_is_remembered_for() {
    let memory = MemoryStore::with_clock(clock());
    let cache = CachedStore::new(memory.clone());
    let record = stored(&cache, "7").await;
    look(&cache, &record).await;
    let eight = Principal::new("", "8");
    let mut patch = Patch::new();
    patch.meta.principal = Some(Some(eight.clone()));
    memory.apply(record.id, 1, &patch, None).await.unwrap();
    assert_eq!(look(&cache, &record).await, (Some(1), true));
    assert_eq!(
        cache
            .revoke(&eight, Revoke::One(record.id), EndReason::OtherDevice, None)
            .await
            .unwrap()
            .ended,
        1
    );
    assert_eq!(look(&cache, &record).await, (None, false));
}

#[tokio::test]
async fn creating_and_destroying_for_ever_leaves_nothing_behind() {
    let cache = CachedStore::new(SpyStore::default());
    for _ in 0..2_000 {
        let record = stored(&cache, "7").await;
        assert_eq!(look(&cache, &record).await, (Some(1), false));
        assert_eq!(cache.stats().entries, 1);
        cache.delete(record.id, EndReason::SignedOut).await.unwrap();
        assert_eq!(cache.stats().entries, 0);
    }
}

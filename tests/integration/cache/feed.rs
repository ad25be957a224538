//! A store below that says what changes.

use session_runtime::store::{ChangeFeed, contract::EndReason};
use session_runtime::testing::{Fault, FaultStore, Gate};
use session_tests::cache::Fed;

use super::*;

type Below = Fed<FaultStore>;

/// A cache whose feed is alive for two seconds.
async fn following() -> (CachedStore<Below>, Below, Record) {
    let below = Fed::new(FaultStore::default());
    let cache = CachedStore::coherent(below.clone());
    let record = stored(&cache, "7").await;
    assert_eq!(look(&cache, &record).await, (Some(1), false));
    beat(&below);
    (cache, below, record)
}

fn beat(below: &Below) {
    let sink = below.sink();
    sink.alive_until(sink.now().unwrap().after(2 * SECOND));
}

#[tokio::test]
async fn an_entry_lives_until_the_feed_says_otherwise() {
    let (cache, below, record) = following().await;
    assert_eq!(look(&cache, &record).await, (Some(1), false), "read before it was alive");
    for _ in 0..60 {
        assert_eq!(look(&cache, &record).await, (Some(1), true));
        below.clock().advance(SECOND);
        beat(&below);
    }
    change(&below, &record).await;
    assert_eq!(look(&cache, &record).await, (Some(1), true), "not told yet");
    below.sink().changed(record.id);
    assert_eq!(look(&cache, &record).await, (Some(2), false));
    assert_eq!(look(&cache, &record).await, (Some(2), true));
    below.delete(record.id, EndReason::SignedOut).await.unwrap();
    below.sink().everything();
    assert_eq!(look(&cache, &record).await, (None, false));
}

#[tokio::test]
async fn an_answer_that_was_overtaken_by_its_own_invalidation_is_not_kept() {
    let (cache, below, record) = following().await;
    let tellings: [fn(&Below, &Record); 3] = [
        |below, record| below.sink().changed(record.id),
        |below, _| below.sink().everything(),
        |below, _| {
            below.sink().lost();
            beat(below);
        },
    ];
    for (round, tell) in tellings.into_iter().enumerate() {
        let rev = round as u64 + 1;
        below.sink().changed(record.id);
        let gate = Gate::new();
        below.0.next(Operation::Load, Fault::AnsweredLate(gate.clone()));
        let (late, of) = (cache.clone(), record.clone());
        let loading = tokio::spawn(async move { look(&late, &of).await });
        gate.reached().await;
        change(&below, &record).await;
        tell(&below, &record);
        gate.open();
        assert_eq!(loading.await.unwrap(), (Some(rev), false));
        assert_eq!(look(&cache, &record).await, (Some(rev + 1), false), "round {round}");
    }
}

#[tokio::test]
async fn a_feed_that_is_silent_is_out_of_use_after_its_bound_and_may_come_back() {
    let (cache, below, record) = following().await;
    look(&cache, &record).await;
    below.clock().advance(2 * SECOND - Duration::from_millis(1));
    assert_eq!(look(&cache, &record).await, (Some(1), true));
    below.clock().advance(Duration::from_millis(1));
    assert!(!cache.stats().usable);
    assert_eq!(look(&cache, &record).await, (Some(1), false));
    assert_eq!(look(&cache, &record).await, (Some(1), false), "nothing is kept");
    // It was slow, and has missed nothing.
    beat(&below);
    assert_eq!(look(&cache, &record).await, (Some(1), true));
}

#[tokio::test]
async fn a_feed_that_is_lost_empties_the_cache_and_works_again_once_it_is_back() {
    let (cache, below, record) = following().await;
    look(&cache, &record).await;
    below.sink().lost();
    assert_eq!((cache.stats().entries, cache.stats().usable), (0, false));
    assert_eq!(look(&cache, &record).await, (Some(1), false));
    assert_eq!(look(&cache, &record).await, (Some(1), false));
    below.sink().everything();
    beat(&below);
    assert_eq!(look(&cache, &record).await, (Some(1), false));
    assert_eq!(look(&cache, &record).await, (Some(1), true));
}

#[tokio::test]
async fn the_feed_ends_with_the_last_clone_of_the_cache() {
    let (cache, below, _) = following().await;
    let clone = cache.clone();
    drop(cache);
    assert!(below.sink().now().is_some());
    drop(clone);
    assert!(below.sink().now().is_none());
    // Nobody listens; nothing happens.
    below.sink().everything();
}

#[tokio::test]
async fn a_bound_of_its_own_holds_beside_the_feed() {
    let below = Fed::new(FaultStore::default());
    let cache = CachedStore::coherent(below.clone()).stale_for(SECOND);
    let record = stored(&cache, "7").await;
    look(&cache, &record).await;
    beat(&below);
    look(&cache, &record).await;
    assert_eq!(look(&cache, &record).await, (Some(1), true));
    below.clock().advance(SECOND);
    assert_eq!(look(&cache, &record).await, (Some(1), false));
}

/// Compiles: a feed is what makes a cache coherent.
#[allow(dead_code)]
fn needs_a_feed<S: ChangeFeed>(store: S) -> CachedStore<S> {
    CachedStore::coherent(store)
}

/// A load that is asked, or answered, once the gate opens.
fn held_back(
    cache: &CachedStore<Below>,
    below: &Below,
    record: &Record,
    fault: fn(Gate) -> Fault,
) -> (Gate, tokio::task::JoinHandle<(Option<u64>, bool)>) {
    let gate = Gate::new();
    below.0.next(Operation::Load, fault(gate.clone()));
    let (late, of) = (cache.clone(), record.clone());
    (gate, tokio::spawn(async move { look(&late, &of).await }))
}

#[tokio::test]
async fn what_was_shown_and_could_not_be_kept_is_not_followed_by_anything_older() {
    // An older answer arrives after it, and nothing was told in between.
    let (cache, below, record) = following().await;
    let (newer, first) = held_back(&cache, &below, &record, Fault::AskedLate);
    newer.reached().await;
    below.sink().changed(record.id);
    let (older, second) = held_back(&cache, &below, &record, Fault::AnsweredLate);
    older.reached().await;
    change(&below, &record).await;
    newer.open();
    assert_eq!(first.await.unwrap(), (Some(2), false));
    older.open();
    assert_eq!(second.await.unwrap(), (Some(1), false));
    assert_eq!(look(&cache, &record).await, (Some(2), false));

    // An older one is held when it arrives.
    let (cache, below, record) = following().await;
    let (newer, first) = held_back(&cache, &below, &record, Fault::AskedLate);
    newer.reached().await;
    below.sink().changed(record.id);
    look(&cache, &record).await;
    assert_eq!(look(&cache, &record).await, (Some(1), true));
    change(&below, &record).await;
    newer.open();
    assert_eq!(first.await.unwrap(), (Some(2), false));
    assert_eq!(look(&cache, &record).await, (Some(2), false));
}

#[tokio::test]
async fn an_older_answer_does_not_take_the_place_of_a_newer_one() {
    let (cache, below, record) = following().await;
    let (older, late) = held_back(&cache, &below, &record, Fault::AnsweredLate);
    older.reached().await;
    change(&below, &record).await;
    assert_eq!(look(&cache, &record).await, (Some(2), false));
    older.open();
    assert_eq!(late.await.unwrap(), (Some(1), false));
    assert_eq!(look(&cache, &record).await, (Some(2), true));
}

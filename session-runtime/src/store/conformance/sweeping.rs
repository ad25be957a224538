//! Sweeps: they remove what is due, and nothing else.

use super::fixture::{Fixture, IDLE, LIFETIME, MS, SLACK, renewal, set};
use super::running::{both, rounds};
use crate::record::patch::{Outcome, Patch};
use crate::record::{COMMIT_LEEWAY, Principal, Record, TOMBSTONE};
use crate::store::{Created, Lookup, SessionStore, Touch};

async fn several<S: SessionStore>(fixture: &Fixture<S>, count: usize) -> Vec<Record> {
    let mut records = Vec::with_capacity(count);
    for _ in 0..count {
        records.push(fixture.insert(fixture.record()).await);
    }
    records
}

/// Sweeping until nothing more is due removes every record whose leeway has ended, and every
/// tombstone whose minute is over: the ids are free again.
///
/// A sweep that stops early, or only ever looks at the first page, fills the disk. It may be late
/// by up to a minute, but never early.
pub async fn a_sweep_removes_what_is_due<S: SessionStore>(fixture: Fixture<S>) {
    let mut records = several(&fixture, 25).await;
    let destroyed = several(&fixture, 5).await;
    for record in &destroyed {
        fixture.delete(record.id).await;
    }
    fixture.clock.advance(IDLE + COMMIT_LEEWAY.max(TOMBSTONE) + SLACK);
    fixture.sweep_all(7).await;
    let swept = fixture.sweep(100).await;
    assert_eq!((swept.removed, swept.more), (0, false), "a sweep after everything was swept");
    records.extend(destroyed);
    for record in records {
        let created = fixture.create(fixture.with_id(record.id)).await;
        assert_eq!(created, Created::ALONE, "the id of a record that was due is still taken");
    }
}

/// A sweep removes at most `limit` records, and as long as any is due it returns that there may be
/// more.
///
/// One large sweep blocks all other requests for as long as it takes.
pub async fn a_sweep_never_removes_more_than_its_limit<S: SessionStore>(fixture: Fixture<S>) {
    several(&fixture, 10).await;
    fixture.clock.advance(IDLE + COMMIT_LEEWAY + SLACK);
    let mut removed = 0;
    for step in 0..1_000 {
        let swept = fixture.sweep(3).await;
        assert!(swept.removed <= 3, "a sweep of at most 3 removed {}", swept.removed);
        removed += swept.removed;
        assert!(removed <= 10, "ten records were due, and {removed} removed");
        if !swept.more {
            let rest = fixture.sweep(100).await.removed;
            assert_eq!(rest, 0, "step {step} said that nothing was due, and {rest} were");
            return;
        }
    }
    panic!("ten records due, a thousand sweeps of 3, and still more");
}

/// A sweep leaves live sessions alone, and expired ones whose leeway has not ended: they still
/// accept the patch of a request in flight.
pub async fn a_sweep_leaves_what_is_not_due<S: SessionStore>(fixture: Fixture<S>) {
    let records = several(&fixture, 3).await;
    fixture.clock.advance(IDLE - MS);
    let late = several(&fixture, 3).await;
    fixture.sweep_all(100).await;
    for record in records.iter().chain(&late) {
        fixture.found(record).await;
    }
    fixture.clock.advance(COMMIT_LEEWAY);
    fixture.sweep_all(100).await;
    for record in &records {
        fixture.applied(record.id, &Patch::of(vec![set("n", "1")])).await;
    }
    fixture.clock.advance(MS);
    fixture.sweep_all(100).await;
    for record in &late {
        fixture.found(record).await;
    }
    fixture.assert_count(3, "live sessions after a sweep").await;
}

/// A session that was touched, or given a new lifetime, after the store had recorded its first
/// expiry time is not swept at that time.
///
/// "Expired when I looked" is not "expired when I removed it".
pub async fn a_sweep_spares_a_session_that_was_extended<S: SessionStore>(fixture: Fixture<S>) {
    let touched = fixture.insert(fixture.record()).await;
    let restarted = fixture.insert(fixture.record()).await;
    fixture.clock.advance(IDLE - MS);
    let seen = fixture.load(touched.id, &touched.meta.secret, Touch::IfDue).await;
    assert!(matches!(seen, Lookup::Found(_)), "a load in the last moment: {seen:?}");
    let mut patch = Patch::new();
    patch.meta.lifetime = Some(LIFETIME);
    fixture.applied(restarted.id, &patch).await;
    for _ in 0..3 {
        fixture.clock.advance(COMMIT_LEEWAY + MS);
        fixture.sweep_all(100).await;
    }
    fixture.found(&touched).await;
    fixture.found(&restarted).await;
    fixture.assert_count(2, "extended sessions after a sweep").await;
}

/// A sweep does not forget, within their minute, that a record was destroyed or a secret replaced.
pub async fn a_sweep_keeps_what_was_ended_lately<S: SessionStore>(fixture: Fixture<S>) {
    let destroyed = fixture.insert(fixture.record()).await;
    let renewed = fixture.insert(fixture.record()).await;
    fixture.delete(destroyed.id).await;
    fixture.applied(renewed.id, &renewal(renewed.id).0).await;
    fixture.clock.advance(TOMBSTONE - MS);
    fixture.sweep_all(100).await;
    for (what, record) in [("destroyed record", &destroyed), ("replaced secret", &renewed)] {
        let seen = fixture.look(record).await;
        assert!(matches!(seen, Lookup::Ended(_)), "a {what}, swept within its minute: {seen:?}");
    }
}

/// A sign-in that is `Applied` at the end of the leeway, while a sweep runs, leaves a live session.
///
/// Selecting what is due and deleting it in two steps removes a session that was revived in
/// between.
pub async fn a_sweep_racing_with_a_sign_in_ends_nothing_live<S: SessionStore>(fixture: Fixture<S>) {
    let customer = Principal::new("customer", "42");
    rounds(1_000, async |round| {
        let mut record = fixture.insert(fixture.record()).await;
        fixture.clock.advance(IDLE + COMMIT_LEEWAY - MS);
        let (mut sign_in, secret) = renewal(record.id);
        sign_in.meta.lifetime = Some(LIFETIME);
        sign_in.meta.principal = Some(Some(customer.clone()));
        let (writer, sweeper, id) = (fixture.clone(), fixture.clone(), record.id);
        let (outcome, ()) = both(
            async move {
                for _ in 0..round % 8 {
                    tokio::task::yield_now().await;
                }
                writer.apply(id, 1, &sign_in).await
            },
            async move {
                sweeper.sweep_all(10).await;
                sweeper.clock.advance(MS);
                sweeper.sweep_all(10).await;
            },
        )
        .await;
        record.meta.secret = secret;
        let signed_in = matches!(outcome, Outcome::Applied(_));
        let live = matches!(fixture.look(&record).await, Lookup::Found(_));
        assert_eq!(live, signed_in, "live or not, against the answer to the sign-in: {outcome:?}");
        let listed = if signed_in { vec![record.id] } else { Vec::new() };
        let what = "listed or not, against the answer to the sign-in";
        fixture.assert_listed(&customer, &listed, what).await;
        fixture.delete(record.id).await;
    })
    .await;
}

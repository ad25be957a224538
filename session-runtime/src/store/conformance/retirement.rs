//! Destroying a session: it always succeeds, and is remembered.

use super::fixture::{Fixture, IDLE, LIFETIME, MS, SLACK, new_secret, renewal, set};
use super::running::{rounds, together};
use crate::record::patch::{Gone, Outcome, Patch};
use crate::record::{Principal, TOMBSTONE};
use crate::store::{Created, Lookup, SessionStore, Touch};

/// `delete` returns true for a live session, and false for one that was already destroyed, has
/// expired or never existed; none of these is an error.
///
/// A second click on "log out" must not be a 500.
pub async fn delete_says_whether_a_live_session_was_there<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.record()).await;
    let expired = fixture.insert(fixture.record()).await;
    assert!(fixture.delete(record.id).await, "the first delete of a live session");
    assert!(!fixture.delete(record.id).await, "the second delete of a session");
    let unknown = fixture.record().id;
    assert!(!fixture.delete(unknown).await, "a delete of an unknown id");
    fixture.clock.advance(IDLE);
    assert!(!fixture.delete(expired.id).await, "a delete of an expired session");
}

/// After a delete no load, reload, patch, listing or count finds the session, and the others do not
/// change.
///
/// If delete is a kind of save, the data remains and the index entry comes back.
pub async fn a_destroyed_session_is_gone_for_everyone<S: SessionStore>(fixture: Fixture<S>) {
    let customer = Principal::new("customer", "42");
    let record = fixture.insert(fixture.of(&customer)).await;
    let other = fixture.insert(fixture.of(&customer)).await;
    fixture.delete(record.id).await;
    for touch in [Touch::Never, Touch::IfDue] {
        let seen = fixture.load(record.id, &record.meta.secret, touch).await;
        assert!(matches!(seen, Lookup::Ended(_)), "a load of a destroyed session: {seen:?}");
    }
    assert_eq!(fixture.reload(record.id, 1).await, None, "a reload of a destroyed session");
    let mut sign_in = renewal(record.id).0;
    sign_in.meta.lifetime = Some(LIFETIME);
    sign_in.meta.principal = Some(Some(customer.clone()));
    for patch in [Patch::of(vec![set("n", "1")]), sign_in] {
        let outcome = fixture.apply(record.id, 1, &patch).await;
        let gone = matches!(outcome, Outcome::Gone(Gone::Absent));
        assert!(gone, "{patch:?} to a destroyed session: {outcome:?}");
    }
    fixture.assert_listed(&customer, &[other.id], "a listing after a delete").await;
    fixture.assert_count(1, "a count after a delete").await;
    assert_eq!(*fixture.found(&other).await, other, "another session of the same principal");
}

/// A delete works whatever the epoch: the logout of a request that loaded the session before a
/// renewal ends the renewed session too.
pub async fn delete_needs_no_epoch<S: SessionStore>(fixture: Fixture<S>) {
    let mut record = fixture.insert(fixture.record()).await;
    let (patch, secret) = renewal(record.id);
    fixture.applied(record.id, &patch).await;
    assert!(fixture.delete(record.id).await, "a delete after a renewal");
    assert_eq!(fixture.reload(record.id, 2).await, None, "a reload after the delete");
    for epoch in [1, 2] {
        let outcome = fixture.apply(record.id, epoch, &Patch::new()).await;
        let gone = matches!(outcome, Outcome::Gone(Gone::Absent));
        assert!(gone, "a patch under epoch {epoch} after the delete: {outcome:?}");
    }
    record.meta.secret = secret;
    let seen = fixture.look(&record).await;
    assert!(matches!(seen, Lookup::Ended(_)), "the renewed secret after the delete: {seen:?}");
}

/// For a minute after a delete, to the millisecond, the session's secret is `Ended` and any other
/// `Absent`; after that everything is `Absent`, and nothing remains after a sweep.
///
/// A late response must not create a new session after a logout.
pub async fn a_destroyed_session_is_remembered_for_a_minute<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.record()).await;
    fixture.clock.advance(MS);
    fixture.delete(record.id).await;
    fixture.clock.advance(TOMBSTONE - MS);
    let seen = fixture.look(&record).await;
    assert!(matches!(seen, Lookup::Ended(_)), "within a minute of the delete: {seen:?}");
    let other = fixture.load(record.id, &new_secret(record.id), Touch::Never).await;
    assert!(matches!(other, Lookup::Absent), "a secret that never was any: {other:?}");
    fixture.clock.advance(MS);
    let seen = fixture.look(&record).await;
    assert!(matches!(seen, Lookup::Absent), "a minute after the delete: {seen:?}");
    fixture.clock.advance(SLACK);
    fixture.sweep_all(100).await;
    let created = fixture.create(fixture.with_id(record.id)).await;
    assert_eq!(created, Created::ALONE, "a tombstone that is never swept");
}

/// A secret that was replaced less than a minute ago remains `Ended` when the record is destroyed
/// as well.
///
/// Signing in and out within a minute is common on shared machines; the late response belongs to
/// the page before the sign-in.
pub async fn a_replaced_secret_stays_retired_when_its_record_is_destroyed<S: SessionStore>(
    fixture: Fixture<S>,
) {
    let record = fixture.insert(fixture.record()).await;
    fixture.applied(record.id, &renewal(record.id).0).await;
    fixture.clock.advance(TOMBSTONE / 2);
    fixture.delete(record.id).await;
    fixture.clock.advance(TOMBSTONE / 2 - MS);
    let seen = fixture.look(&record).await;
    assert!(matches!(seen, Lookup::Ended(_)), "replaced, then destroyed, in a minute: {seen:?}");
    fixture.clock.advance(TOMBSTONE);
    let seen = fixture.look(&record).await;
    assert!(matches!(seen, Lookup::Absent), "after everybody's minute: {seen:?}");
}

/// A delete within the leeway of an expired session ends that leeway: a patch in flight, even a
/// sign-in, is `Gone::Absent`.
pub async fn destroying_an_expired_session_ends_its_leeway<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.record()).await;
    fixture.clock.advance(IDLE);
    fixture.delete(record.id).await;
    let (mut sign_in, secret) = renewal(record.id);
    sign_in.meta.lifetime = Some(LIFETIME);
    let outcome = fixture.apply(record.id, 1, &sign_in).await;
    let gone = matches!(outcome, Outcome::Gone(Gone::Absent));
    assert!(gone, "a sign-in to a session destroyed after its expiry: {outcome:?}");
    let seen = fixture.load(record.id, &secret, Touch::Never).await;
    assert!(!matches!(seen, Lookup::Found(_)), "a destroyed session is back: {seen:?}");
}

/// Of 16 concurrent deletes, exactly one has ended the session.
pub async fn of_many_deletes_one_ends_the_session<S: SessionStore>(fixture: Fixture<S>) {
    rounds(100, async |_| {
        let record = fixture.insert(fixture.record()).await;
        let answers = together(16, |_| {
            let (fixture, id) = (fixture.clone(), record.id);
            async move { fixture.delete(id).await }
        })
        .await;
        let ended = answers.iter().filter(|ended| **ended).count();
        assert_eq!(ended, 1, "this many of 16 deletes said that they ended the session");
    })
    .await;
}

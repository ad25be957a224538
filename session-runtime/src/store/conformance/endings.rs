//! What is remembered of a session that has ended: why, and when.

use std::num::NonZeroU32;
use std::time::Duration;

use super::fixture::{Fixture, MS, new_secret, renewal, set};
use super::needs::Need;
use crate::clock::Timestamp;
use crate::record::patch::{AtLimit, Cap, Patch, SignIn};
use crate::record::{Meta, Principal, Record, Rotate, Rotation, TOMBSTONE};
use crate::store::{Created, EndReason, Ended, Lookup, Revoke, SessionStore, Touch, Visit};
use crate::token::{RotationNonce, SecretHash};

fn customer() -> Principal {
    Principal::new("customer", "42")
}

/// Checks that `secret` of `record` is reported as ended in this way, a while later.
async fn says<S: SessionStore>(
    fixture: &Fixture<S>,
    record: &Record,
    secret: &SecretHash,
    (because, at): (EndReason, Timestamp),
    what: &str,
) {
    let seen = fixture.load_by(record.id, &[*secret]).await;
    let Lookup::Ended(ended) = seen else { panic!("{what}, loaded: {seen:?}") };
    assert_eq!(ended, Ended::new(because, at), "{what}: why it ended, and when");
}

/// As long as it is remembered, a destroyed session tells why and when it ended: as the caller of
/// `delete` or `revoke` said, or that it was evicted by a sign-in beyond the cap. A second delete
/// changes none of that.
///
/// The layer distinguishes a browser that signed out itself from one that was signed out: only the
/// first continues without notice. And users ask why they were signed out.
pub async fn a_destroyed_session_says_why_it_ended_and_when<S: SessionStore>(fixture: Fixture<S>) {
    use EndReason::{Administrator, AnotherUser, Limit, OtherDevice, Replayed, SignedOut};

    for (because, other) in [
        (SignedOut, OtherDevice),
        (OtherDevice, SignedOut),
        (AnotherUser, Administrator),
        (Administrator, Replayed),
        (Replayed, AnotherUser),
    ] {
        let record = fixture.insert(fixture.record()).await;
        fixture.clock.advance(MS * 7);
        let at = fixture.now();
        fixture.end(record.id, because).await;
        fixture.clock.advance(TOMBSTONE / 2);
        says(&fixture, &record, &record.meta.secret, (because, at), "deleted").await;
        fixture.end(record.id, other).await;
        says(&fixture, &record, &record.meta.secret, (because, at), "deleted twice").await;
    }
    if !fixture.promises(Need::principal_index) {
        return;
    }
    let kept = fixture.insert(fixture.of(&customer())).await;
    for because in [OtherDevice, Administrator, Replayed] {
        for which in [None, Some(Revoke::Others(kept.id)), Some(Revoke::All)] {
            let record = fixture.insert(fixture.of(&customer())).await;
            fixture.clock.advance(MS * 7);
            let at = fixture.now();
            let which = which.unwrap_or(Revoke::One(record.id));
            fixture.revoke_because(&customer(), which, because).await;
            fixture.clock.advance(TOMBSTONE / 2);
            let what = format!("{which:?}");
            says(&fixture, &record, &record.meta.secret, (because, at), &what).await;
        }
    }
    let at_limit = AtLimit::EvictOldest;
    let one = SignIn { cap: Some(Cap { max: NonZeroU32::MIN, at_limit }), ..SignIn::default() };
    let first = fixture.insert(fixture.of(&customer())).await;
    fixture.clock.advance(MS * 7);
    let at = fixture.now();
    let second = fixture.of(&customer());
    let created = fixture.sign_in(second.clone(), one).await;
    assert_eq!(created, Created::Created { evicted: vec![first.id] }, "evicting");
    fixture.clock.advance(TOMBSTONE / 2);
    says(&fixture, &first, &first.meta.secret, (Limit, at), "evicted by a new record").await;
    let visitor = fixture.insert(fixture.record()).await;
    let (mut patch, _) = renewal(visitor.id);
    patch.meta.principal = Some(Some(customer()));
    patch.meta.sign_in = one;
    let at = fixture.now();
    fixture.applied(visitor.id, &patch).await;
    fixture.clock.advance(TOMBSTONE / 2);
    says(&fixture, &second, &second.meta.secret, (Limit, at), "evicted by a patch").await;
}

/// A secret that a change of privilege replaced tells that its own browser did so, and when; each
/// of several has its own time. This includes a pending secret and the previous one.
///
/// A request with the old secret that arrived before that time was already on its way; one that
/// arrived later may come from a thief.
pub async fn a_replaced_secret_says_when_it_was_replaced<S: SessionStore>(fixture: Fixture<S>) {
    let mut record = fixture.insert(fixture.record()).await;
    let first = record.meta.secret;
    let rotate = |from: SecretHash| {
        let next = new_secret(record.id);
        let rotation = Rotation { nonce: RotationNonce([7; 16]), next };
        let mut patch = Patch::new();
        patch.meta.rotate = Some(Box::new(Rotate { from, rotation }));
        (patch, next)
    };
    let (patch, second) = rotate(first);
    fixture.applied(record.id, &patch).await;
    let seen = fixture.load_by(record.id, &[second]).await;
    assert!(matches!(seen, Lookup::Found(_)), "the pending secret, presented: {seen:?}");
    let (patch, third) = rotate(second);
    fixture.applied(record.id, &patch).await;
    fixture.clock.advance(MS * 7);
    let at = fixture.now();
    let (patch, fourth) = renewal(record.id);
    fixture.applied(record.id, &patch).await;
    fixture.clock.advance(TOMBSTONE / 3);
    let later = fixture.now();
    let (patch, fifth) = renewal(record.id);
    fixture.applied_under(record.id, 2, &patch).await;
    fixture.clock.advance(TOMBSTONE / 3);
    let browser = EndReason::Replaced;
    for (secret, what) in [(first, "the one before"), (second, "current"), (third, "pending")] {
        says(&fixture, &record, &secret, (browser, at), what).await;
    }
    says(&fixture, &record, &fourth, (browser, later), "the one that replaced them").await;
    record.meta.secret = fifth;
    fixture.found(&record).await;
}

/// A request is late if it arrived before its own browser ended the session or replaced the secret,
/// or within the grace period after that; the time of arrival counts, to the millisecond. If the
/// session was ended elsewhere, no request is late.
///
/// A late request must not undo what its browser has done since. Any other must not keep a browser
/// from starting a new session.
pub async fn who_was_on_the_way_when_a_session_ended_is_late<S: SessionStore>(fixture: Fixture<S>) {
    const GRACE: Duration = Duration::from_secs(5);

    let destroyed = fixture.insert(fixture.record()).await;
    let renewed = fixture.insert(fixture.record()).await;
    let elsewhere = fixture.insert(fixture.record()).await;
    fixture.clock.advance(MS * 7);
    let at = fixture.now();
    fixture.end(destroyed.id, EndReason::SignedOut).await;
    fixture.applied(renewed.id, &renewal(renewed.id).0).await;
    fixture.end(elsewhere.id, EndReason::OtherDevice).await;
    fixture.clock.advance(TOMBSTONE / 2);
    for (arrived, expected) in
        [(at, true), (at.after(GRACE - MS), true), (at.after(GRACE), false), (fixture.now(), false)]
    {
        let waited = fixture.now().since(arrived);
        let visit = Visit { waited, grace: GRACE, ..Touch::IfDue.into() };
        for (record, expected) in
            [(&destroyed, expected), (&renewed, expected), (&elsewhere, false)]
        {
            let seen = fixture.visit(record.id, &[record.meta.secret], visit).await;
            let Lookup::Ended(ended) = seen else { panic!("an ended session, loaded: {seen:?}") };
            let what = format!("late, {:?} after the end, {:?}", arrived.since(at), ended.because);
            assert_eq!(ended.late, expected, "{what}");
        }
    }
}

/// A secret that a sign-in replaced tells the epoch of that sign-in, until privileges change again.
/// After that, and if it was not a sign-in, it tells none.
///
/// A form that was sent twice continues with the session of the first sign-in, and must not gain
/// later authentications or privileges.
pub async fn a_replaced_secret_tells_of_the_sign_in_while_that_holds<S: SessionStore>(
    fixture: Fixture<S>,
) {
    let told = async |record: &Record| {
        let seen = fixture.look(record).await;
        let Lookup::Ended(ended) = seen else { panic!("a replaced secret, loaded: {seen:?}") };
        ended.sign_in
    };
    let plain = fixture.insert(fixture.record()).await;
    fixture.applied(plain.id, &renewal(plain.id).0).await;
    assert_eq!(told(&plain).await, None, "no sign-in");
    let record = fixture.insert(fixture.record()).await;
    let (mut patch, second) = renewal(record.id);
    patch.meta.principal = Some(Some(customer()));
    patch.meta.authenticated = true;
    fixture.applied(record.id, &patch).await;
    assert_eq!(told(&record).await, Some(2), "the epoch of a sign-in");
    fixture.applied_under(record.id, 2, &Patch::of(vec![set("n", "1")])).await;
    assert_eq!(told(&record).await, Some(2), "the same once a field was changed");
    // Within the same millisecond.
    let (patch, third) = renewal(record.id);
    fixture.applied_under(record.id, 2, &patch).await;
    assert_eq!(told(&record).await, None, "what came before a change of privilege");
    fixture.clock.advance(MS);
    fixture.applied_under(record.id, 3, &renewal(record.id).0).await;
    let id = record.id;
    for secret in [second, third] {
        let replaced =
            Record { meta: Meta { secret, ..record.meta.clone() }, ..fixture.with_id(id) };
        assert_eq!(told(&replaced).await, None, "those changes were no sign-ins");
    }
    let destroyed = fixture.insert(fixture.record()).await;
    fixture.delete(destroyed.id).await;
    assert_eq!(told(&destroyed).await, None, "a session that was destroyed");
}

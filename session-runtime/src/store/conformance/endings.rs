//! What is said of a session that has ended: by whom, and when.

use std::num::NonZeroU32;

use super::fixture::{Fixture, MS, new_secret, renewal};
use super::needs::Need;
use crate::clock::Timestamp;
use crate::patch::{AtLimit, Cap, Patch, SignIn};
use crate::record::{Principal, Record, Rotate, Rotation, TOMBSTONE};
use crate::store::{Created, Ended, EndedBy, Lookup, Revoke, SessionStore};
use crate::token::{RotationNonce, SecretHash};

fn customer() -> Principal {
    Principal::new("customer", "42")
}

/// A while later, `secret` of `record` must say that it ended so.
async fn says<S: SessionStore>(
    fixture: &Fixture<S>,
    record: &Record,
    secret: &SecretHash,
    (by, at): (EndedBy, Timestamp),
    what: &str,
) {
    let seen = fixture.load_by(record.id, &[*secret]).await;
    let Lookup::Ended(ended) = seen else { panic!("{what}, loaded: {seen:?}") };
    assert_eq!(ended, Ended::new(by, at), "{what}: who ended it, and when");
}

/// Until it is forgotten, a session that was destroyed says who ended it and when:
/// its own browser or somebody elsewhere, as the caller of `delete` said; elsewhere
/// if it was revoked, or evicted by a sign-in beyond the cap. A second delete changes
/// nothing of that.
///
/// The layer tells a browser that signed out itself from one that was signed out:
/// only the first of them carries on by itself.
pub async fn a_destroyed_session_says_who_ended_it_and_when<S: SessionStore>(fixture: Fixture<S>) {
    use EndedBy::{Browser, Elsewhere};

    for (by, other) in [(Browser, Elsewhere), (Elsewhere, Browser)] {
        let record = fixture.insert(fixture.record()).await;
        fixture.clock.advance(MS * 7);
        let at = fixture.now();
        fixture.end(record.id, by).await;
        fixture.clock.advance(TOMBSTONE / 2);
        says(&fixture, &record, &record.meta.secret, (by, at), "deleted").await;
        fixture.end(record.id, other).await;
        says(&fixture, &record, &record.meta.secret, (by, at), "deleted twice").await;
    }
    if !fixture.promises(Need::principal_index) {
        return;
    }
    let kept = fixture.insert(fixture.of(&customer())).await;
    for which in [None, Some(Revoke::Others(kept.id)), Some(Revoke::All)] {
        let record = fixture.insert(fixture.of(&customer())).await;
        fixture.clock.advance(MS * 7);
        let at = fixture.now();
        let which = which.unwrap_or(Revoke::One(record.id));
        fixture.revoke(&customer(), which).await;
        fixture.clock.advance(TOMBSTONE / 2);
        says(&fixture, &record, &record.meta.secret, (Elsewhere, at), &format!("{which:?}")).await;
    }
    let at_limit = AtLimit::EvictOldest;
    let one = SignIn { cap: Some(Cap { max: NonZeroU32::MIN, at_limit }), ..SignIn::default() };
    let first = fixture.insert(fixture.of(&customer())).await;
    fixture.clock.advance(MS * 7);
    let at = fixture.now();
    let second = fixture.of(&customer());
    assert_eq!(fixture.sign_in(second.clone(), one).await, Created::Created, "evicting");
    fixture.clock.advance(TOMBSTONE / 2);
    says(&fixture, &first, &first.meta.secret, (Elsewhere, at), "evicted by a new record").await;
    let visitor = fixture.insert(fixture.record()).await;
    let (mut patch, _) = renewal(visitor.id);
    patch.meta.principal = Some(Some(customer()));
    patch.meta.sign_in = one;
    let at = fixture.now();
    fixture.applied(visitor.id, &patch).await;
    fixture.clock.advance(TOMBSTONE / 2);
    says(&fixture, &second, &second.meta.secret, (Elsewhere, at), "evicted by a patch").await;
}

/// A secret that a change of privilege replaced says that its own browser did so, and
/// when; each of several its own time. That holds for a pending secret and the one
/// before the present one, too.
///
/// A request with the old secret that arrived before that time was on its way; one
/// that arrived later may come from a thief.
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
    let browser = EndedBy::Browser;
    for (secret, what) in [(first, "the one before"), (second, "current"), (third, "pending")] {
        says(&fixture, &record, &secret, (browser, at), what).await;
    }
    says(&fixture, &record, &fourth, (browser, later), "the one that replaced them").await;
    record.meta.secret = fifth;
    fixture.found(&record).await;
}

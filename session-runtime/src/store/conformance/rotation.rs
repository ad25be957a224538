//! Renewal by age: the next secret is pending until it has been presented.

use super::fixture::{Fixture, IDLE, MS, new_secret, renewal, set, text};
use super::running::together;
use crate::id::SessionId;
use crate::record::patch::{Applied, Expect, Outcome, Patch};
use crate::record::{Principal, ROTATION_GRACE, Record, Rotate, Rotation, TOMBSTONE};
use crate::store::{Lookup, SessionStore, Touch};
use crate::token::{RotationNonce, SecretHash};

/// Returns a patch that asks for a secret to follow `from`, and that rotation.
fn rotating(id: SessionId, from: SecretHash, nonce: u8) -> (Patch, Rotation) {
    let rotation = Rotation { nonce: RotationNonce([nonce; 16]), next: new_secret(id) };
    let mut patch = Patch::new();
    patch.meta.rotate = Some(Box::new(Rotate { from, rotation }));
    (patch, rotation)
}

/// Stores a record with a pending secret.
async fn pending<S: SessionStore>(fixture: &Fixture<S>) -> (Record, SecretHash) {
    let record = fixture.insert(fixture.with(&[("cart", "[1]")])).await;
    let (patch, rotation) = rotating(record.id, record.meta.secret, 7);
    fixture.applied(record.id, &patch).await;
    (record, rotation.next)
}

/// Stores a record whose second secret was presented; returns its id, the first and the second
/// secret.
async fn confirmed<S: SessionStore>(fixture: &Fixture<S>) -> (SessionId, SecretHash, SecretHash) {
    let (record, next) = pending(fixture).await;
    let seen = fixture.load(record.id, &next, Touch::IfDue).await;
    assert!(matches!(seen, Lookup::Found(_)), "the pending secret, presented: {seen:?}");
    (record.id, record.meta.secret, next)
}

async fn look<S: SessionStore>(fixture: &Fixture<S>, id: SessionId, secret: &SecretHash) -> Lookup {
    fixture.load(id, secret, Touch::Never).await
}

/// While a next secret is pending, the current one opens the record, however long that takes: the
/// cookie with the next one may never have arrived.
///
/// If the old secret ended at once, each lost response would be a lost session.
pub async fn a_pending_secret_leaves_the_present_one_good<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.with(&[("cart", "[1]")])).await;
    let (patch, rotation) = rotating(record.id, record.meta.secret, 7);
    let before = look(&fixture, record.id, &rotation.next).await;
    assert!(matches!(before, Lookup::Absent), "a secret that was not sent yet: {before:?}");
    let applied = fixture.applied(record.id, &patch).await;
    assert_eq!(applied.rotation, Some(rotation.nonce), "the nonce of the rotation that is pending");
    for _ in 0..5 {
        let found = fixture.found(&record).await;
        assert_eq!(found.meta.renewal.pending(), Some(&rotation), "what is pending");
        assert_eq!(found.meta.secret, record.meta.secret, "the present secret");
        assert_eq!(text(&found, "cart"), Some("[1]"), "a field after the rotation");
        fixture.clock.advance(IDLE / 6);
    }
    let other = look(&fixture, record.id, &new_secret(record.id)).await;
    assert!(matches!(other, Lookup::Absent), "a secret that never was any: {other:?}");
}

/// A load by the pending secret finds the record and, in the same step, makes that secret the
/// current one from then on.
pub async fn presenting_the_next_secret_confirms_it<S: SessionStore>(fixture: Fixture<S>) {
    let (record, next) = pending(&fixture).await;
    fixture.clock.advance(IDLE / 2);
    let now = fixture.now();
    let seen = fixture.load(record.id, &next, Touch::IfDue).await;
    let Lookup::Found(found) = seen else { panic!("the pending secret, presented: {seen:?}") };
    assert_eq!(found.meta.secret, next, "the present secret");
    assert_eq!(found.meta.secret_since, now, "since when it is that");
    assert_eq!(found.meta.renewal.pending(), None, "what is pending");
    let previous = found.meta.renewal.previous().map(|old| (old.secret, old.at));
    assert_eq!(previous, Some((record.meta.secret, now)), "the secret before");
    assert_eq!(found.meta.last_seen, now, "a confirming load is a visit like any other");
    assert_eq!(found.fields, record.fields, "fields");
    let reloaded = fixture.reload(record.id, 1).await;
    assert_eq!(reloaded, Some(found), "the confirmation is not stored");
}

/// A load that only looks confirms the pending secret too.
///
/// Otherwise a page that only polls keeps both secrets valid forever.
pub async fn a_load_that_only_looks_confirms_too<S: SessionStore>(fixture: Fixture<S>) {
    let (record, next) = pending(&fixture).await;
    fixture.clock.advance(IDLE / 2);
    let seen = look(&fixture, record.id, &next).await;
    let Lookup::Found(found) = seen else { panic!("the pending secret, presented: {seen:?}") };
    assert_eq!(found.meta.last_seen, record.meta.last_seen, "a load that only looks touched");
    let reloaded = fixture.reload(record.id, 1).await;
    let secret = reloaded.map(|record| record.meta.secret);
    assert_eq!(secret, Some(next), "the present secret after a load that only looked");
}

/// A rotation does not raise the epoch, neither when it begins nor when it is confirmed: what was
/// authorised before remains so.
///
/// A socket that is open for hours must not be cut off by a renewal by age.
pub async fn a_rotation_changes_no_authority<S: SessionStore>(fixture: Fixture<S>) {
    let (record, next) = pending(&fixture).await;
    let write = |n: &str| Patch::of(vec![set("n", n)]);
    let applied = fixture.applied(record.id, &write("1")).await;
    assert_eq!((applied.rev, applied.epoch), (3, 1), "a write beside a pending secret");
    look(&fixture, record.id, &next).await;
    let applied = fixture.applied(record.id, &write("2")).await;
    assert_eq!((applied.rev, applied.epoch), (4, 1), "a write after the confirmation");
    let found = fixture.reload(record.id, 1).await;
    let n = found.as_ref().and_then(|found| text(found, "n"));
    assert_eq!(n, Some("2"), "a reload under the epoch from before the rotation");
    let kept = found.map(|found| found.meta.secret);
    assert_eq!(kept, Some(next), "a write took the confirmation back");
}

/// A confirmation does not change the data: a request that read the record before it may still
/// write under the revision it read.
pub async fn a_confirmation_changes_no_revision<S: SessionStore>(fixture: Fixture<S>) {
    let (record, next) = pending(&fixture).await;
    let rev = fixture.found(&record).await.meta.rev;
    look(&fixture, record.id, &next).await;
    let mut patch = Patch::of(vec![set("n", "1")]);
    patch.expect.push(Expect::Rev(rev));
    let applied = fixture.applied(record.id, &patch).await;
    assert_eq!(applied.rev, rev + 1, "the revision of the first write after a confirmation");
}

/// A rotation whose answer was lost and that is sent again returns the pending nonce, and so does a
/// later one, whose own nonce is not used.
pub async fn a_repeated_rotation_answers_the_pending_nonce<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.record()).await;
    let (patch, first) = rotating(record.id, record.meta.secret, 1);
    fixture.applied(record.id, &patch).await;
    let again = fixture.applied(record.id, &patch).await;
    let expected = Applied {
        rev: 2,
        epoch: 1,
        repeated: true,
        rotation: Some(first.nonce),
        ..Applied::default()
    };
    assert_eq!(again, expected, "the answer to a repeated rotation");
    let (later, second) = rotating(record.id, record.meta.secret, 2);
    let applied = fixture.applied(record.id, &later).await;
    assert_eq!(applied.rotation, Some(first.nonce), "the nonce that a second rotation is told");
    let seen = look(&fixture, record.id, &second.next).await;
    assert!(matches!(seen, Lookup::Absent), "a next secret that is not pending: {seen:?}");
    let seen = look(&fixture, record.id, &first.next).await;
    assert!(matches!(seen, Lookup::Found(_)), "the next secret that is pending: {seen:?}");
}

/// Many concurrent rotations all return one nonce, and the secret that belongs to it opens the
/// record; those of the others do not.
///
/// A page with eight requests renews eight times at once; the last cookie to arrive must be as good
/// as the first.
pub async fn concurrent_rotations_agree_on_one_nonce<S: SessionStore>(fixture: Fixture<S>) {
    super::running::rounds(200, async |_| {
        let record = fixture.insert(fixture.record()).await;
        let answers = together(8, |task| {
            let (fixture, id, from) = (fixture.clone(), record.id, record.meta.secret);
            async move {
                let (patch, rotation) = rotating(id, from, task as u8);
                (fixture.applied(id, &patch).await.rotation, rotation)
            }
        })
        .await;
        let agreed = answers[0].0;
        let all_agree = answers.iter().all(|(answer, _)| *answer == agreed);
        assert!(agreed.is_some() && all_agree, "eight rotations, and these nonces: {answers:?}");
        for (_, rotation) in &answers {
            let seen = look(&fixture, record.id, &rotation.next).await;
            let opens = matches!(seen, Lookup::Found(_));
            assert_eq!(opens, Some(rotation.nonce) == agreed, "a next secret sees {seen:?}");
        }
    })
    .await;
}

/// After a confirmation, the previous secret opens the record during the grace period, to the
/// millisecond, for requests that were already on their way.
pub async fn the_secret_before_is_good_for_the_grace<S: SessionStore>(fixture: Fixture<S>) {
    let (id, old, new) = confirmed(&fixture).await;
    fixture.clock.advance(ROTATION_GRACE - MS);
    let seen = look(&fixture, id, &old).await;
    let Lookup::Found(found) = seen else { panic!("the secret before, in its grace: {seen:?}") };
    assert_eq!(found.meta.secret, new, "a load by the secret before takes nothing back");
    fixture.clock.advance(MS);
    let seen = look(&fixture, id, &old).await;
    assert!(matches!(seen, Lookup::Replayed(_)), "the secret before, after its grace: {seen:?}");
    let seen = look(&fixture, id, &new).await;
    assert!(matches!(seen, Lookup::Found(_)), "the present secret: {seen:?}");
}

/// The grace period is compared with the arrival of the request, not with its load: an upload that
/// began in time is answered.
pub async fn a_request_that_arrived_within_the_grace_is_answered<S: SessionStore>(
    fixture: Fixture<S>,
) {
    let (id, old, _) = confirmed(&fixture).await;
    let at = fixture.now();
    fixture.clock.advance(ROTATION_GRACE * 3);
    let seen = fixture.load_of(id, &old, at.after(ROTATION_GRACE - MS)).await;
    assert!(matches!(seen, Lookup::Found(_)), "arrived within the grace: {seen:?}");
    let seen = fixture.load_of(id, &old, at.after(ROTATION_GRACE)).await;
    assert!(matches!(seen, Lookup::Replayed(_)), "arrived at the end of the grace: {seen:?}");
}

/// The previous secret, presented after its grace period, is `Replayed` as long as the record
/// lives: it may have been stolen. It opens nothing and is not activity; a secret that never
/// existed is still `Absent`.
pub async fn a_replayed_secret_is_reported_and_opens_nothing<S: SessionStore>(fixture: Fixture<S>) {
    let (id, old, new) = confirmed(&fixture).await;
    let customer = Principal::new("customer", "42");
    let mut patch = Patch::of(vec![set("n", "1")]);
    patch.meta.principal = Some(Some(customer.clone()));
    fixture.applied(id, &patch).await;
    fixture.clock.advance(IDLE / 2);
    let before = fixture.reload(id, 1).await;
    for touch in [Touch::IfDue, Touch::Never] {
        let seen = fixture.load(id, &old, touch).await;
        let Lookup::Replayed(replayed) = seen else { panic!("long after the grace: {seen:?}") };
        assert_eq!(replayed.principal.as_ref(), Some(&customer), "whose session it is");
    }
    assert_eq!(fixture.reload(id, 1).await, before, "a replayed secret left a trace");
    let seen = look(&fixture, id, &new_secret(id)).await;
    assert!(matches!(seen, Lookup::Absent), "a secret that never was any: {seen:?}");
    let seen = fixture.load(id, &new, Touch::IfDue).await;
    assert!(matches!(seen, Lookup::Found(_)), "the present secret: {seen:?}");
}

/// A request that presented a secret that was replaced meanwhile begins no rotation, and does not
/// learn the nonce of a pending one.
///
/// The next secret would be derived from one that no browser holds any more, and a thief of the old
/// secret would learn how to derive the next.
pub async fn a_replaced_secret_begins_no_rotation<S: SessionStore>(fixture: Fixture<S>) {
    let (id, first, second) = confirmed(&fixture).await;
    let (late, rotation) = rotating(id, first, 9);
    let applied = fixture.applied(id, &late).await;
    assert_eq!(applied.rotation, None, "the nonce that a replaced secret is told");
    let seen = look(&fixture, id, &rotation.next).await;
    assert!(matches!(seen, Lookup::Absent), "what follows from a replaced secret: {seen:?}");
    let (patch, rotation) = rotating(id, second, 8);
    assert_eq!(fixture.applied(id, &patch).await.rotation, Some(rotation.nonce));
    let (late, _) = rotating(id, first, 7);
    let applied = fixture.applied(id, &late).await;
    assert_eq!(applied.rotation, None, "the nonce of what is pending, told to a replaced secret");
}

/// A change of privilege retires the pending and the previous secret together with the current one:
/// all are `Ended` for a minute.
///
/// A pending secret that outlives a sign-in could give an attacker who planted it access to the
/// account.
pub async fn a_change_of_privilege_retires_the_neighbours_of_the_secret<S: SessionStore>(
    fixture: Fixture<S>,
) {
    let (id, first, second) = confirmed(&fixture).await;
    let (patch, rotation) = rotating(id, second, 9);
    fixture.applied(id, &patch).await;
    let (renew, secret) = renewal(id);
    fixture.applied(id, &renew).await;
    let secrets = [("before", first), ("present", second), ("pending", rotation.next)];
    for (what, old) in &secrets {
        let seen = fixture.load(id, old, Touch::IfDue).await;
        assert!(matches!(seen, Lookup::Ended(_)), "the {what} secret, after a sign-in: {seen:?}");
    }
    let seen = look(&fixture, id, &secret).await;
    let Lookup::Found(found) = seen else { panic!("the secret of the sign-in: {seen:?}") };
    let neighbours = (found.meta.renewal.pending(), found.meta.renewal.previous());
    assert_eq!(neighbours, (None, None), "neighbours of the secret of a sign-in");
    assert_eq!(found.meta.secret_since, fixture.now(), "since when it is the present one");
    fixture.clock.advance(TOMBSTONE);
    for (what, old) in &secrets {
        let seen = look(&fixture, id, old).await;
        assert!(matches!(seen, Lookup::Absent), "the {what} secret, a minute later: {seen:?}");
    }
}

/// The pending and the previous secret of a destroyed session are `Ended` for a minute as well.
///
/// A late response to a request with any of them must not start a new session after the logout.
pub async fn a_destroyed_session_retires_the_neighbours_of_its_secret<S: SessionStore>(
    fixture: Fixture<S>,
) {
    let (id, first, second) = confirmed(&fixture).await;
    let (patch, rotation) = rotating(id, second, 9);
    fixture.applied(id, &patch).await;
    fixture.delete(id).await;
    fixture.clock.advance(TOMBSTONE - MS);
    let secrets = [("before", first), ("present", second), ("pending", rotation.next)];
    for (what, old) in &secrets {
        let seen = fixture.load(id, old, Touch::IfDue).await;
        assert!(matches!(seen, Lookup::Ended(_)), "the {what} secret, after a delete: {seen:?}");
    }
    let outcome = fixture.apply(id, 1, &rotating(id, second, 3).0).await;
    assert!(matches!(outcome, Outcome::Gone(_)), "a rotation after a delete: {outcome:?}");
    fixture.clock.advance(MS);
    for (what, old) in &secrets {
        let seen = look(&fixture, id, old).await;
        assert!(matches!(seen, Lookup::Absent), "the {what} secret, a minute later: {seen:?}");
    }
}

/// A secret that joins opens the record beside the current one, as do up to three of them; the one
/// that is presented becomes the current one, and the others have the grace period. Joining changes
/// no authority, and ends with a change of privilege.
///
/// Several responses are on their way to one browser, and it is unknown which cookie it keeps.
pub async fn secrets_that_join_open_beside_the_present_one<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.with(&[("cart", "[1]")])).await;
    let (id, first) = (record.id, record.meta.secret);
    let joins = [(); 3].map(|()| new_secret(id));
    for (at, secret) in joins.iter().enumerate() {
        let mut patch = Patch::of(vec![set("n", &at.to_string())]);
        patch.meta.join = Some(Box::new(*secret));
        let applied = fixture.applied(id, &patch).await;
        assert_eq!(applied.epoch, 1, "the epoch after a secret has joined");
    }
    let found = fixture.found(&record).await;
    let converging: Vec<_> = found.meta.renewal.converging().copied().collect();
    assert_eq!(converging, joins, "the secrets that have joined");
    assert_eq!(text(&found, "n"), Some("2"), "what came with them");
    let seen = look(&fixture, id, &joins[1]).await;
    let Lookup::Found(found) = seen else { panic!("a secret that has joined: {seen:?}") };
    assert_eq!((found.meta.secret, found.meta.epoch), (joins[1], 1), "presented");
    for secret in [first, joins[0], joins[2]] {
        fixture.clock.advance(MS);
        let seen = look(&fixture, id, &secret).await;
        let Lookup::Found(found) = seen else { panic!("one of the others: {seen:?}") };
        assert_eq!(found.meta.secret, joins[1], "nothing is taken back");
    }
    let (patch, _) = renewal(id);
    fixture.applied(id, &patch).await;
    for secret in [first, joins[0], joins[1], joins[2]] {
        let seen = look(&fixture, id, &secret).await;
        assert!(matches!(seen, Lookup::Ended(_)), "after a change of privilege: {seen:?}");
    }
}

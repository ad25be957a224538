//! The guard of a patch: presence, expectations, validation; all or nothing.

use super::fixture::{ABSOLUTE, Fixture, LIFETIME, new_secret, renewal, set, text};
use crate::record::patch::{Add, Conflict, Expect, FieldOp, Gone, Op, Outcome, Patch};
use crate::record::{COMMIT_LEEWAY, Principal};
use crate::store::{Created, Lookup, SessionStore};

/// Returns one patch of every kind.
fn every_kind(fixture_id: crate::id::SessionId) -> Vec<Patch> {
    let ops =
        [Op::set("1"), Op::Add(Add::unsigned(1, 0)), Op::Remove, Op::remove_if("1"), Op::Take];
    let mut all: Vec<_> =
        ops.into_iter().map(|op| Patch::of(vec![FieldOp::new("n", op)])).collect();
    let (mut sign_in, _) = renewal(fixture_id);
    sign_in.meta.lifetime = Some(LIFETIME);
    sign_in.meta.authenticated = true;
    sign_in.meta.principal = Some(Some(Principal::new("customer", "42")));
    all.extend([sign_in, Patch::new()]);
    all
}

/// A patch to a record that was never stored, was destroyed or has long expired is `Gone::Absent`
/// and leaves nothing: no record, no fragment, no index entry.
///
/// `HSET` and `HINCRBY` on an expired key create a fragment without expiry that fails every later
/// load; an upsert revives a session that was logged out.
pub async fn a_patch_is_never_an_upsert<S: SessionStore>(fixture: Fixture<S>) {
    let missing = fixture.record();
    let deleted = fixture.insert(fixture.with(&[("n", "1")])).await;
    fixture.delete(deleted.id).await;
    check_absent(&fixture, "never stored", &missing).await;
    check_absent(&fixture, "destroyed", &deleted).await;
    let created = fixture.create(missing).await;
    assert_eq!(created, Created::ALONE, "a patch to an id that was never stored took the id");

    let expired = fixture.insert(fixture.with(&[("n", "1")])).await;
    fixture.clock.advance(ABSOLUTE + COMMIT_LEEWAY);
    check_absent(&fixture, "expired", &expired).await;
    let swept = fixture.insert(fixture.with(&[("n", "1")])).await;
    fixture.clock.advance(ABSOLUTE + COMMIT_LEEWAY);
    fixture.sweep_all(100).await;
    check_absent(&fixture, "swept", &swept).await;
}

async fn check_absent<S: SessionStore>(
    fixture: &Fixture<S>,
    what: &str,
    record: &crate::record::Record,
) {
    let principal = Principal::new("customer", "42");
    for epoch in [1, 2] {
        for patch in every_kind(record.id) {
            let outcome = fixture.apply(record.id, epoch, &patch).await;
            assert!(
                matches!(outcome, Outcome::Gone(Gone::Absent)),
                "{patch:?} to a record that is {what}: {outcome:?}"
            );
            let seen = fixture.look(record).await;
            assert!(!matches!(seen, Lookup::Found(_)), "a patch revived what is {what}");
            if let Some(secret) = patch.meta.renew {
                let seen = fixture.load(record.id, &secret, crate::store::Touch::Never).await;
                assert!(!matches!(seen, Lookup::Found(_)), "a sign-in revived what is {what}");
            }
        }
        let seen = fixture.reload(record.id, epoch).await;
        assert_eq!(seen, None, "a patch revived what is {what}");
    }
    fixture.assert_count(0, &format!("a patch to what is {what} made a session")).await;
    fixture
        .assert_listed(&principal, &[], &format!("a patch to what is {what} made a listing"))
        .await;
}

/// Each applied patch, even an empty one, raises the revision by exactly one and returns the
/// revision and epoch after it.
pub async fn every_patch_raises_the_revision_by_one<S: SessionStore>(fixture: Fixture<S>) {
    let mut record = fixture.with(&[("n", "1")]);
    record.meta.rev = 41;
    let record = fixture.insert(record).await;
    let (mut rev, mut epoch) = (41, 1);
    for patch in every_kind(record.id) {
        let applied = fixture.applied_under(record.id, epoch, &patch).await;
        (rev, epoch) = (rev + 1, epoch + u64::from(patch.meta.renew.is_some()));
        let seen = (applied.rev, applied.epoch, applied.repeated);
        assert_eq!(seen, (rev, epoch, false), "the answer to {patch:?}");
        let stored = fixture.reload(record.id, epoch).await.map(|found| found.meta.rev);
        assert_eq!(stored, Some(rev), "the stored revision after {patch:?}");
    }
}

/// A patch that expects a revision is applied at that revision only; otherwise the answer is a
/// conflict with the stored record.
pub async fn an_expected_revision_must_hold<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.with(&[("n", "1")])).await;
    let expecting = |rev| {
        let mut patch = Patch::of(vec![set("n", "2")]);
        patch.expect.push(Expect::Rev(rev));
        patch
    };
    for wrong in [0, 2, u64::MAX] {
        let conflict = conflict(fixture.apply(record.id, 1, &expecting(wrong)).await);
        assert_eq!(conflict.field, None, "the field of a conflict of revisions");
        assert_eq!(*conflict.current, record, "the record in a conflict at revision {wrong}");
    }
    fixture.applied(record.id, &expecting(1)).await;
    let conflict = conflict(fixture.apply(record.id, 1, &expecting(1)).await);
    assert_eq!(conflict.current.meta.rev, 2, "the revision in a conflict");
    assert_eq!(text(&conflict.current, "n"), Some("2"), "a conflict holds the newest data");
}

/// A patch that expects a field's bytes is applied only if they are exactly those, or the field is
/// not stored if that is expected.
///
/// This distinguishes two requests that add the same field (`duplicate key`) or consume the same
/// code.
pub async fn an_expected_field_must_hold<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.with(&[("n", "1.0"), ("null", "null")])).await;
    let expecting = |name: &'static str, value: Option<&str>| {
        let mut patch = Patch::of(vec![set("done", "true")]);
        patch.expect.push(Expect::Field { name: name.into(), value: value.map(Into::into) });
        patch
    };
    for (name, value) in [
        ("n", Some("1")),
        ("n", None),
        ("null", None),
        ("missing", Some("null")),
        ("N", Some("1.0")),
    ] {
        let conflict = conflict(fixture.apply(record.id, 1, &expecting(name, value)).await);
        assert_eq!(conflict.field.as_deref(), Some(name), "the field that differed");
        assert_eq!(*conflict.current, record, "the record in a conflict about `{name}`");
    }
    fixture.applied(record.id, &expecting("n", Some("1.0"))).await;
    fixture.applied(record.id, &expecting("missing", None)).await;
    let mut two = expecting("n", Some("1.0"));
    two.expect.push(Expect::Field { name: "done".into(), value: None });
    let conflict = conflict(fixture.apply(record.id, 1, &two).await);
    assert_eq!(conflict.field.as_deref(), Some("done"), "the second of two expectations");
}

fn conflict(outcome: Outcome) -> Conflict {
    match outcome {
        Outcome::Conflict(conflict) => conflict,
        other => panic!("an expectation that does not hold must be a conflict, but: {other:?}"),
    }
}

/// Returns a patch that touches everything.
fn everything(id: crate::id::SessionId) -> Patch {
    let mut patch = Patch::of(vec![
        set("set", "2"),
        FieldOp::new("taken", Op::Take),
        FieldOp::new("removed", Op::Remove),
        FieldOp::new("n", Op::Add(Add::unsigned(1, 0))),
    ]);
    patch.meta.renew = Some(new_secret(id));
    patch.meta.authenticated = true;
    patch.meta.principal = Some(Some(Principal::new("customer", "43")));
    patch.meta.lifetime = Some(crate::record::patch::Lifetime { remember: true, ..LIFETIME });
    patch
}

/// After a conflict nothing is written, nothing was taken, and the patch is not remembered: if it
/// is sent again when its expectation holds, it is applied.
pub async fn a_conflict_leaves_no_trace<S: SessionStore>(fixture: Fixture<S>) {
    let fields = [("set", "1"), ("taken", "\"t\""), ("removed", "1"), ("n", "1")];
    let mut patch = everything(crate::id::SessionId::from_bytes([0; 16]));
    patch.expect.push(Expect::Rev(2));
    leaves_no_trace(&fixture, &fields, &patch, "a conflict").await;
}

/// A patch with one operation that does not fit is refused as a whole: nothing is written, nothing
/// was taken, no principal signed in, and the patch is not remembered.
///
/// A script that fails half-way leaves its first writes, and the key without an expiry time.
pub async fn a_refused_patch_leaves_no_trace<S: SessionStore>(fixture: Fixture<S>) {
    let fields = [("set", "1"), ("taken", "\"t\""), ("removed", "1"), ("n", "1.5")];
    let patch = everything(crate::id::SessionId::from_bytes([0; 16]));
    leaves_no_trace(&fixture, &fields, &patch, "a refusal").await;
}

async fn leaves_no_trace<S: SessionStore>(
    fixture: &Fixture<S>,
    fields: &[(&str, &str)],
    patch: &Patch,
    what: &str,
) {
    let customer = |n| Principal::new("customer", n);
    let mut record = fixture.with(fields);
    record.meta.principal = Some(customer("42"));
    let record = fixture.insert(record).await;
    fixture.clock.advance(super::fixture::MS);
    let outcome = fixture.apply(record.id, 1, patch).await;
    assert!(matches!(outcome, Outcome::Conflict(_) | Outcome::Refused(_)), "{what}: {outcome:?}");
    assert_eq!(*fixture.found(&record).await, record, "{what} left a trace in the record");
    fixture
        .assert_listed(&customer("42"), &[record.id], &format!("{what} left a trace in the index"))
        .await;
    fixture.assert_listed(&customer("43"), &[], &format!("{what} left a trace in the index")).await;

    fixture.applied(record.id, &Patch::of(vec![set("n", "7")])).await;
    let applied = fixture.applied(record.id, patch).await;
    assert!(!applied.repeated, "the patch of {what} was remembered as if it had been applied");
    let Some(found) = fixture.reload(record.id, 2).await else {
        panic!("the patch of {what}, sent again when it fits, did not renew")
    };
    assert_eq!(text(&found, "n"), Some("8"), "the patch of {what}, sent again when it fits");
    let taken = applied.taken.first().and_then(|taken| taken.value.as_deref());
    assert_eq!(taken, Some(&b"\"t\""[..]), "{what} took a value and gave it to nobody");
}

/// A patch under an older epoch is `Superseded` even if its expectations fail too: the current
/// record must not reach a request that may not read it.
pub async fn the_guard_comes_before_the_expectations<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.with(&[("n", "1.5")])).await;
    let (renew, _) = renewal(record.id);
    fixture.applied(record.id, &renew).await;
    let mut stale = Patch::of(vec![FieldOp::new("n", Op::Add(Add::unsigned(1, 0)))]);
    let outcome = fixture.apply(record.id, 1, &stale).await;
    let superseded = |outcome: &Outcome| matches!(outcome, Outcome::Gone(Gone::Superseded));
    assert!(superseded(&outcome), "old epoch and a refusal: {outcome:?}");
    stale.expect.push(Expect::Rev(1));
    let outcome = fixture.apply(record.id, 1, &stale).await;
    assert!(superseded(&outcome), "old epoch and a conflict: {outcome:?}");
    let outcome = fixture.apply(record.id, 2, &stale).await;
    assert!(matches!(outcome, Outcome::Conflict(_)), "a conflict and a refusal: {outcome:?}");
}

//! The record that the caller of a patch has read is only a hint.

use std::sync::Arc;

use super::fixture::{Fixture, IDLE, new_secret, renewal, set};
use super::model::same;
use crate::record::patch::{Add, Expect, FieldOp, Op, Outcome, Patch};
use crate::record::{Applying, Record, Rotate, Rotation};
use crate::store::{Lookup, SessionStore, Touch};
use crate::token::RotationNonce;

type Lie = fn(&Record, &Record, &Patch) -> Record;

/// What a caller may claim to have read, made from what is stored, what was stored before, and the
/// patch.
const LIES: &[(&str, Lie)] = &[
    ("what is stored", |stored, _, _| stored.clone()),
    ("what was stored before", |_, before, _| before.clone()),
    ("other fields", |stored, _, _| {
        let fields = [("n", "100"), ("s", "\"c\""), ("x", "1")].into_iter().collect();
        // A record that a caller has built has no note of where it was read.
        Record::new(stored.id, stored.meta.clone(), fields)
    }),
    ("a later revision", |stored, _, _| {
        let mut lie = stored.clone();
        lie.meta.rev += 9;
        lie
    }),
    ("another epoch", |stored, _, _| {
        let mut lie = stored.clone();
        lie.meta.epoch += 1;
        lie
    }),
    ("that it was applied already", |stored, _, patch| {
        let mut lie = stored.clone();
        lie.meta.patches.push(patch.id);
        lie
    }),
    ("that it has expired", |stored, _, _| {
        let mut lie = stored.clone();
        lie.meta.absolute = Some(lie.meta.created);
        lie
    }),
];

fn patches(stored: &Record) -> Vec<Patch> {
    let add = FieldOp::new("n", Op::Add(Add::unsigned(1, 0)));
    let expecting = |expect| {
        let mut patch = Patch::of(vec![set("s", "\"d\"")]);
        patch.expect = vec![expect];
        patch
    };
    let field = |value: &str| Expect::Field { name: "s".into(), value: Some(value.into()) };
    vec![
        Patch::new(),
        Patch::of(vec![set("x", "2"), add]),
        Patch::of(vec![FieldOp::new("s", Op::remove_if("\"b\""))]),
        Patch::of(vec![FieldOp::new("s", Op::remove_if("\"a\""))]),
        Patch::of(vec![FieldOp::new("s", Op::Take)]),
        expecting(Expect::Rev(stored.meta.rev)),
        expecting(Expect::Rev(stored.meta.rev - 1)),
        expecting(field("\"b\"")),
        expecting(field("\"a\"")),
        renewal(stored.id).0,
    ]
}

/// A patch has the same outcome, and leaves the same record, as without the hint: whether the hint
/// is an earlier record, one with other fields, with another revision, epoch or expiry time, or the
/// record of another id.
///
/// The hint is as old as the request. A store that decides by it loses updates.
pub async fn a_patch_needs_no_trust_in_what_its_caller_read<S: SessionStore>(fixture: Fixture<S>) {
    let other = fixture.insert(fixture.with(&[("n", "50"), ("s", "\"e\"")])).await;
    let kinds = patches(&other).len();
    let check =
        async |lie: &dyn Fn(&Record, &Record, &Patch) -> Record, kind: usize, what: &str| {
            let record = fixture.insert(fixture.with(&[("n", "1"), ("s", "\"a\"")])).await;
            let before = fixture.found(&record).await;
            let others = Patch::of(vec![set("n", "2"), set("s", "\"b\"")]);
            fixture.applied(record.id, &others).await;
            let stored = fixture.found(&record).await;
            let patch = patches(&stored).swap_remove(kind);
            let read = Arc::new(lie(&stored, &before, &patch));
            let outcome = fixture.apply_to(&read, record.id, 1, &patch).await;
            let (expected, after) = match stored.apply(1, &patch, fixture.now()) {
                Applying::Stored(after, applied) => (Outcome::Applied(applied), after),
                Applying::Answer(answer) => (answer, stored),
            };
            assert!(same(&outcome, &expected), "{what}, {patch:?}: {outcome:?}, not {expected:?}");
            let found = fixture.reload(record.id, after.meta.epoch).await;
            assert_eq!(found, Some(after), "{what}, {patch:?}: what is stored afterwards");
        };
    for kind in 0..kinds {
        for (what, lie) in LIES {
            check(lie, kind, what).await;
        }
        let elsewhere = |_: &Record, _: &Record, _: &Patch| other.clone();
        check(&elsewhere, kind, "another record").await;
    }
    assert_eq!(*fixture.found(&other).await, other, "the record that was named for another");
}

/// A patch whose caller read the record before another visit, or before a pending secret was
/// confirmed, undoes neither: the last activity, the current secret and pending secrets do not
/// change.
///
/// Otherwise a session expires while it is in use, or a replaced secret opens it again.
pub async fn no_patch_undoes_a_touch_or_a_confirmation<S: SessionStore>(fixture: Fixture<S>) {
    let of_meta = || {
        let mut patch = Patch::of(vec![set("n", "2")]);
        patch.meta.authenticated = true;
        patch
    };
    let small = || Patch::of(vec![set("n", "2")]);
    for patch in [small, of_meta] as [fn() -> Patch; 2] {
        let record = fixture.insert(fixture.with(&[("n", "1")])).await;
        let read = fixture.found(&record).await;
        fixture.clock.advance(IDLE / 2);
        let at = fixture.now();
        let seen = fixture.load(record.id, &record.meta.secret, Touch::IfDue).await;
        assert!(matches!(seen, Lookup::Found(_)), "a visit: {seen:?}");
        fixture.apply_to(&read, record.id, 1, &patch()).await;
        let found = fixture.found(&record).await;
        assert_eq!(found.meta.last_seen, at, "the last activity after {:?}", patch());

        let rotation = Rotation { nonce: RotationNonce([7; 16]), next: new_secret(record.id) };
        let mut rotating = Patch::new();
        let rotate = Rotate { from: record.meta.secret, rotation };
        rotating.meta.rotate = Some(Box::new(rotate));
        fixture.applied(record.id, &rotating).await;
        let read = fixture.found(&record).await;
        let seen = fixture.load(record.id, &rotation.next, Touch::Never).await;
        let Lookup::Found(confirmed) = seen else { panic!("a pending secret: {seen:?}") };
        let outcome = fixture.apply_to(&read, record.id, 1, &patch()).await;
        assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
        let seen = fixture.load(record.id, &rotation.next, Touch::Never).await;
        let Lookup::Found(found) = seen else { panic!("the confirmed secret: {seen:?}") };
        assert_eq!(found.meta.secret, rotation.next, "the present secret");
        assert_eq!(found.meta.secret_since, confirmed.meta.secret_since, "since when");
        assert_eq!(found.meta.renewal, confirmed.meta.renewal, "its neighbours");
        assert_eq!(found.meta.last_seen, at, "the last activity");
    }
}

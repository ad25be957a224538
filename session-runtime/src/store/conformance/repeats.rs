//! Lost answers: a patch that is sent again is answered, not applied again.

use super::fixture::{Fixture, renewal, set, text};
use super::running::{rounds, together};
use crate::record::PatchLog;
use crate::record::patch::{Add, Applied, Expect, FieldOp, Gone, Op, Outcome, Patch};
use crate::store::SessionStore;
use crate::token::PatchId;

/// A patch whose answer was lost and that is sent again changes nothing, and the answer is
/// `repeated`, with the record's current revision.
///
/// Applied again, it would undo another request's later write.
pub async fn a_repeated_patch_is_answered_not_applied<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.record()).await;
    let mine = Patch::of(vec![set("page", "1")]);
    fixture.applied(record.id, &mine).await;
    fixture.applied(record.id, &Patch::of(vec![set("page", "2")])).await;
    let before = fixture.found(&record).await;
    let again = fixture.applied(record.id, &mine).await;
    let expected = Applied { rev: 3, epoch: 1, repeated: true, ..Applied::default() };
    assert_eq!(again, expected, "the answer to a repeated patch");
    assert_eq!(fixture.found(&record).await, before, "a repeated patch wrote");
    fixture.delete(record.id).await;
    let outcome = fixture.apply(record.id, 1, &mine).await;
    let gone = matches!(outcome, Outcome::Gone(Gone::Absent));
    assert!(gone, "a patch repeated after the session was destroyed: {outcome:?}");
}

/// An addition that is sent again counts once.
pub async fn a_repeated_addition_is_not_added_again<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.record()).await;
    let add = Patch::of(vec![FieldOp::new("n", Op::Add(Add::unsigned(5, 0)))]);
    for sending in 0..3 {
        let applied = fixture.applied(record.id, &add).await;
        assert_eq!(applied.repeated, sending > 0, "sending {sending} of one addition");
    }
    assert_eq!(text(&*fixture.found(&record).await, "n"), Some("5"), "one addition, sent 3 times");
}

/// A take that is sent again returns nothing, even if the field has been set again, and leaves that
/// new value alone.
///
/// A nonce is returned at most once; a lost answer loses it.
pub async fn a_repeated_take_hands_out_nothing<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.with(&[("nonce", "1")])).await;
    let take = Patch::of(vec![FieldOp::new("nonce", Op::Take)]);
    let first = fixture.applied(record.id, &take).await;
    assert_eq!(first.taken.len(), 1, "the first take");
    fixture.applied(record.id, &Patch::of(vec![set("nonce", "2")])).await;
    let again = fixture.applied(record.id, &take).await;
    assert!(again.repeated, "a take that is sent again is a repeat");
    let handed = again.taken.iter().any(|taken| taken.value.is_some());
    assert!(!handed, "a take that is sent again handed out {:?}", again.taken);
    let found = fixture.found(&record).await;
    assert_eq!(text(&found, "nonce"), Some("2"), "a take that is sent again took");
}

/// A repeat is recognised before its expectations are checked, which its first application has made
/// fail.
///
/// Otherwise a lost answer turns a successful transaction into a conflict, and the retry into a
/// second booking.
pub async fn a_repeated_patch_is_known_before_its_expectations<S: SessionStore>(
    fixture: Fixture<S>,
) {
    let record = fixture.insert(fixture.record()).await;
    let mut patch = Patch::of(vec![set("seat", "\"12A\"")]);
    patch.expect.push(Expect::Rev(1));
    patch.expect.push(Expect::Field { name: "seat".into(), value: None });
    fixture.applied(record.id, &patch).await;
    let again = fixture.applied(record.id, &patch).await;
    assert!(again.repeated, "a patch with expectations, sent again: {again:?}");
}

/// A renewal that is sent again, under the epoch that it ended itself, returns the new epoch and
/// renews nothing.
///
/// Otherwise, if the answer to a sign-in is lost, the sign-in seems to have lost a race.
pub async fn a_repeated_renewal_is_known_under_the_old_epoch<S: SessionStore>(fixture: Fixture<S>) {
    let mut record = fixture.insert(fixture.record()).await;
    let (renew, secret) = renewal(record.id);
    fixture.applied(record.id, &renew).await;
    let again = fixture.applied(record.id, &renew).await;
    assert_eq!((again.epoch, again.repeated), (2, true), "a renewal that is sent again");
    record.meta.secret = secret;
    assert_eq!(fixture.found(&record).await.meta.epoch, 2, "the epoch after a repeated renewal");
}

/// One patch that is sent by 16 concurrent tasks (a client that retries too early) is applied once.
pub async fn a_patch_repeated_concurrently_is_applied_once<S: SessionStore>(fixture: Fixture<S>) {
    rounds(20, async |_| {
        let record = fixture.insert(fixture.record()).await;
        let add = Patch::of(vec![FieldOp::new("n", Op::Add(Add::unsigned(1, 0)))]);
        let answers = together(16, |_| {
            let (fixture, id, add) = (fixture.clone(), record.id, add.clone());
            async move { fixture.applied(id, &add).await }
        })
        .await;
        let first = answers.iter().filter(|applied| !applied.repeated).count();
        assert_eq!(first, 1, "this many of 16 sendings were the first");
        let found = fixture.found(&record).await;
        assert_eq!((text(&found, "n"), found.meta.rev), (Some("1"), 2), "one patch, sent 16 times");
    })
    .await;
}

/// The last [`PatchLog::LEN`] patches are recognised, and are in the record that a load returns,
/// oldest first; the log does not grow.
pub async fn the_last_few_patches_are_remembered<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.record()).await;
    let patches: Vec<_> = (0..PatchLog::LEN + 3).map(|_| Patch::of(vec![set("n", "1")])).collect();
    for patch in &patches {
        fixture.applied(record.id, patch).await;
    }
    let last = &patches[3..];
    let found = fixture.found(&record).await;
    let log: Vec<_> = found.meta.patches.iter().collect();
    let expected: Vec<_> = last.iter().map(|patch| patch.id).collect();
    assert_eq!(log, expected, "the patches that the record remembers");
    for (age, patch) in last.iter().rev().enumerate() {
        let again = fixture.applied(record.id, patch).await;
        assert!(again.repeated, "the patch {age} before the last was not recognised");
    }
}

/// Patch ids have 48 bits, and all of them count.
///
/// In a narrower column, as a float or as a hash they collide, and a patch is answered that was
/// never applied.
pub async fn patch_ids_are_compared_in_full<S: SessionStore>(fixture: Fixture<S>) {
    const MAX: u64 = (1 << 48) - 1;
    let near = [MAX, MAX - 1, 1 << 47, (1 << 47) - 1, (1 << 24) + 1, 1 << 24, 1 << 32, 1];
    let record = fixture.insert(fixture.record()).await;
    for (count, id) in (1..).zip(near) {
        let mut add = Patch::of(vec![FieldOp::new("n", Op::Add(Add::unsigned(1, 0)))]);
        add.id = PatchId::from_u64(id);
        let applied = fixture.applied(record.id, &add).await;
        assert!(!applied.repeated, "a new patch with the id {id} was taken for another");
        let again = fixture.applied(record.id, &add).await;
        assert!(again.repeated, "the patch with the id {id} was not recognised");
        let found = fixture.found(&record).await;
        assert_eq!(text(&found, "n"), Some(&*count.to_string()), "additions that were counted");
    }
}

/// A patch that is sent again with the revision it was made for is applied if it certainly was not
/// before, and answered if the record remembers it. Otherwise, once so many patches have followed
/// that the record may have forgotten it, it is uncertain, and leaves no trace. This is decided
/// before its epoch is checked.
///
/// If it were applied twice, it would book twice; "superseded" would mean that it never was.
pub async fn a_repetition_that_may_be_forgotten_is_uncertain<S: SessionStore>(fixture: Fixture<S>) {
    for arrived in [false, true] {
        for others in 0..=PatchLog::LEN + 1 {
            let record = fixture.insert(fixture.record()).await;
            let add = Patch::of(vec![FieldOp::new("n", Op::Add(Add::unsigned(1, 0)))]);
            if arrived {
                fixture.applied(record.id, &add).await;
            }
            for _ in 0..others {
                fixture.applied(record.id, &Patch::of(vec![set("page", "1")])).await;
            }
            let before = fixture.found(&record).await;
            let again = Patch { again: Some(record.meta.rev), ..add };
            let outcome = fixture.apply(record.id, 1, &again).await;
            let after = fixture.found(&record).await;
            let what = format!("arrived: {arrived}, {others} others");
            match outcome {
                Outcome::Applied(applied) => {
                    assert!(others < PatchLog::LEN, "{what}: {applied:?}");
                    assert_eq!(applied.repeated, arrived, "{what}: whether it is a repetition");
                    assert_eq!(text(&after, "n"), Some("1"), "{what}: one addition");
                }
                Outcome::Uncertain => {
                    assert!(others >= PatchLog::LEN, "{what}: it is certain");
                    assert_eq!(after, before, "{what}: what is uncertain left a trace");
                }
                other => panic!("{what}: {other:?}"),
            }
        }
    }
    let record = fixture.insert(fixture.record()).await;
    let lost = Patch { again: Some(record.meta.rev), ..Patch::of(vec![set("n", "1")]) };
    for epoch in 1..=PatchLog::LEN as u64 {
        fixture.applied_under(record.id, epoch, &renewal(record.id).0).await;
    }
    let outcome = fixture.apply(record.id, 1, &lost).await;
    assert!(matches!(outcome, Outcome::Uncertain), "forgotten, and superseded: {outcome:?}");
}

//! Whole concurrent histories, compared with the sequential reference.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::fixture::Fixture;
use super::model::{Dice, same};
use super::running::{rounds, together};
use crate::record::patch::{Applied, Expect, Outcome, Patch, Refused};
use crate::record::{Applying, Record};
use crate::store::SessionStore;

// A few hundred of them, for the duration of one rule.
#[allow(clippy::large_enum_variant)]
/// What one task has seen, and what had been acknowledged before its request.
enum Seen {
    Patched { acknowledged: u64, patch: Patch, outcome: Outcome },
    Reloaded { acknowledged: u64, record: Option<Arc<Record>> },
}

/// There is one order that explains random patches and reloads of one record by eight tasks.
///
/// Revisions are dense and unique; when the patches are replayed in that order with
/// [`Record::apply`], each gives the answer that it got, each taken value is the one that was
/// stored, each conflict and refusal is explained by some state, each reload has seen one of the
/// states, never one older than what had been acknowledged; and the last state is the stored one.
///
/// This finds what no single scenario looks for: a check that is separate from its write, a stale
/// read, a reply built from another patch's record.
pub async fn a_concurrent_history_has_a_sequential_order<S: SessionStore>(fixture: Fixture<S>) {
    rounds(60, async |round| {
        let record = fixture.insert(fixture.with(&[("a", "1"), ("n", "5"), ("kept", "1e3")])).await;
        let acknowledged = Arc::new(AtomicU64::new(1));
        let histories = together(8, |task| {
            let seed = (round * 8 + task) as u64;
            play(fixture.clone(), record.clone(), acknowledged.clone(), seed)
        })
        .await;
        for history in &histories {
            let revisions = history.iter().filter_map(|seen| applied(seen).map(|(_, a)| a.rev));
            let ordered = revisions.is_sorted_by(|one, next| one < next);
            assert!(ordered, "round {round}: a later patch of one task got an earlier revision");
        }
        let states = replay(&fixture, round, &record, &histories);
        for seen in histories.iter().flatten() {
            explain(round, &states, seen);
        }
        let last = &states[states.len() - 1];
        let found = fixture.found(&record).await;
        assert_eq!(found, *last, "round {round}: the stored record, and the replayed one");
    })
    .await;
}

async fn play<S: SessionStore>(
    fixture: Fixture<S>,
    record: Record,
    acknowledged: Arc<AtomicU64>,
    seed: u64,
) -> Vec<Seen> {
    let mut dice = Dice(seed);
    let mut history = Vec::new();
    let mut last = 1;
    for _ in 0..25 {
        let before = acknowledged.load(Ordering::Acquire);
        if dice.chance(5) {
            let found = fixture.reload(record.id, 1).await;
            last = found.as_ref().map_or(last, |found| found.meta.rev);
            history.push(Seen::Reloaded { acknowledged: before, record: found });
            continue;
        }
        let mut patch = dice.patch();
        if dice.chance(8) {
            patch.expect.push(Expect::Rev(last));
        }
        let outcome = fixture.apply(record.id, 1, &patch).await;
        if let Outcome::Applied(applied) = &outcome {
            last = applied.rev;
            acknowledged.fetch_max(applied.rev, Ordering::AcqRel);
        }
        history.push(Seen::Patched { acknowledged: before, patch, outcome });
    }
    history
}

fn applied(seen: &Seen) -> Option<(&Patch, &Applied)> {
    match seen {
        Seen::Patched { patch, outcome: Outcome::Applied(applied), .. } => Some((patch, applied)),
        _ => None,
    }
}

/// Replays the applied patches in the order of their revisions; returns all states, that of
/// revision `r` at index `r - 1`.
fn replay<S: SessionStore>(
    fixture: &Fixture<S>,
    round: usize,
    record: &Record,
    histories: &[Vec<Seen>],
) -> Vec<Arc<Record>> {
    let mut order: Vec<_> = histories.iter().flatten().filter_map(applied).collect();
    order.sort_by_key(|(_, applied)| applied.rev);
    let mut states = vec![Arc::new(record.clone())];
    for (patch, applied) in order {
        let state = &states[states.len() - 1];
        let rev = state.meta.rev + 1;
        assert_eq!(applied.rev, rev, "round {round}: revisions are not dense and unique");
        match state.apply(1, &without_what_no_longer_fits(state, patch, fixture), fixture.now()) {
            Applying::Stored(next, expected) => {
                assert_eq!(*applied, expected, "round {round}, revision {rev}: {patch:?}");
                states.push(next);
            }
            Applying::Answer(other) => panic!(
                "round {round}: {patch:?} was applied as revision {rev}; there it must be {other:?}"
            ),
        }
    }
    states
}

/// Returns the patch as a store may apply it: without additions to fields that have meanwhile
/// become something other than an integer.
fn without_what_no_longer_fits<S: SessionStore>(
    state: &Arc<Record>,
    patch: &Patch,
    fixture: &Fixture<S>,
) -> Patch {
    let mut patch = patch.clone();
    while let Applying::Answer(Outcome::Refused(Refused::NotAnInteger { field })) =
        state.apply(1, &patch, fixture.now())
    {
        patch.ops.retain(|op| op.name != field);
    }
    patch
}

/// Finds the state that explains an answer.
fn explain(round: usize, states: &[Arc<Record>], seen: &Seen) {
    match seen {
        Seen::Reloaded { acknowledged, record } => {
            let Some(record) = record else { panic!("round {round}: a reload found nothing") };
            let rev = record.meta.rev;
            assert!(rev >= *acknowledged, "round {round}: {acknowledged} acknowledged, {rev} read");
            let known = states.contains(record);
            assert!(known, "round {round}: a reload saw a record that never was: {record:?}");
        }
        Seen::Patched { acknowledged, patch, outcome } => {
            if let Outcome::Applied(applied) = outcome {
                let rev = applied.rev;
                assert!(rev > *acknowledged, "round {round}: {rev}, {acknowledged} acknowledged");
                return;
            }
            let mut later = states.iter().filter(|state| state.meta.rev >= *acknowledged);
            let explained = later.any(|state| match state.apply(1, patch, state.meta.created) {
                Applying::Answer(answer) => same(&answer, outcome),
                Applying::Stored(..) => false,
            });
            assert!(explained, "round {round}: no moment explains {outcome:?} to {patch:?}");
        }
    }
}

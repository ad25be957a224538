//! Races of two kinds of request, repeated many times.

use super::fixture::{Fixture, IDLE, renewal, set, text};
use super::running::{both, rounds, together};
use crate::record::patch::{Expect, FieldOp, Gone, Op, Outcome, Patch};
use crate::store::{Lookup, SessionStore, Touch};

/// 16 tasks that write 25 times each, each to its own field, lose nothing.
///
/// Two tabs, two fields, and one change lost is the oldest complaint about sessions.
pub async fn concurrent_writers_of_different_fields_lose_nothing<S: SessionStore>(
    fixture: Fixture<S>,
) {
    const WRITERS: usize = 16;
    const WRITES: usize = 25;
    let record = fixture.insert(fixture.with(&[("untouched", "1e3")])).await;
    together(WRITERS, |writer| {
        let (fixture, id) = (fixture.clone(), record.id);
        async move {
            for count in 1..=WRITES {
                let value = Op::set(count.to_string());
                let patch = Patch::of(vec![FieldOp::new(format!("writer{writer}"), value)]);
                fixture.applied(id, &patch).await;
            }
        }
    })
    .await;
    let found = fixture.found(&record).await;
    for writer in 0..WRITERS {
        let last = text(&found, &format!("writer{writer}"));
        assert_eq!(last, Some(&*WRITES.to_string()), "the last write of writer {writer}");
    }
    assert_eq!(text(&found, "untouched"), Some("1e3"), "a field that nobody wrote");
    assert_eq!(found.meta.rev, 1 + (WRITERS * WRITES) as u64, "the revision after all writes");
}

/// A writer races with a delete, thousands of times: afterwards the session is gone, and every
/// later patch was refused.
///
/// A request in flight that writes its copy back after the logout logs the user in again; five
/// session libraries have had to fix this.
pub async fn a_writer_never_revives_a_destroyed_session<S: SessionStore>(fixture: Fixture<S>) {
    rounds(4_000, async |round| {
        let record = fixture.insert(fixture.with(&[("n", "0")])).await;
        let (writer, deleter, id) = (fixture.clone(), fixture.clone(), record.id);
        let (outcomes, deleted) = both(
            async move {
                let mut outcomes = Vec::new();
                for n in 0..4 {
                    let mut patch = Patch::of(vec![set("n", &n.to_string())]);
                    patch.meta.authenticated = n % 2 == 0;
                    outcomes.push(writer.apply(id, 1, &patch).await);
                }
                outcomes
            },
            async move {
                for _ in 0..round % 4 {
                    tokio::task::yield_now().await;
                }
                deleter.delete(id).await
            },
        )
        .await;
        assert!(deleted, "round {round}: the delete of a live session found nothing");
        let mut gone = false;
        for outcome in &outcomes {
            match outcome {
                Outcome::Applied(_) => assert!(!gone, "round {round}: applied after the delete"),
                Outcome::Gone(Gone::Absent) => gone = true,
                other => panic!("round {round}: a patch beside a delete: {other:?}"),
            }
        }
        let seen = fixture.look(&record).await;
        assert!(matches!(seen, Lookup::Ended(_)), "round {round}: after the delete: {seen:?}");
        assert_eq!(fixture.reload(id, 1).await, None, "round {round}: revived");
    })
    .await;
    fixture.assert_count(0, "sessions after all of them were destroyed").await;
}

/// A write under the old epoch that races with a sign-in is either part of what the sign-in saw,
/// with a lower revision, or `Superseded`; never later.
///
/// What the visitor wrote before the sign-in must not appear in the account afterwards.
pub async fn a_sign_in_separates_earlier_writes_from_later_ones<S: SessionStore>(
    fixture: Fixture<S>,
) {
    rounds(2_000, async |round| {
        let mut record = fixture.insert(fixture.with(&[("page", "0")])).await;
        let (mut sign_in, secret) = renewal(record.id);
        sign_in.ops.push(set("page", "\"account\""));
        let (writer, signer, id) = (fixture.clone(), fixture.clone(), record.id);
        let (writes, signed_in) = both(
            async move {
                let mut outcomes = Vec::new();
                for n in 1..=4 {
                    let patch = Patch::of(vec![set("page", &n.to_string()), set("stale", "true")]);
                    outcomes.push(writer.apply(id, 1, &patch).await);
                }
                outcomes
            },
            async move {
                for _ in 0..round % 4 {
                    tokio::task::yield_now().await;
                }
                signer.applied(id, &sign_in).await
            },
        )
        .await;
        let mut before = 0;
        for write in &writes {
            match write {
                Outcome::Applied(write) => {
                    before += 1;
                    assert!(write.rev < signed_in.rev, "round {round}: written after the sign-in");
                    assert_eq!(write.epoch, 1, "round {round}: the epoch of an earlier write");
                }
                Outcome::Gone(Gone::Superseded) => {}
                other => panic!("round {round}: a write beside a sign-in: {other:?}"),
            }
        }
        assert_eq!(signed_in.rev, before + 2, "round {round}: the revision of the sign-in");
        record.meta.secret = secret;
        let found = fixture.found(&record).await;
        assert_eq!(text(&found, "page"), Some("\"account\""), "round {round}: a stale write won");
        assert_eq!(found.meta.rev, signed_in.rev, "round {round}: the last revision");
    })
    .await;
}

/// 8 tasks that read, add one and write under the revision they read count exactly, if each
/// conflict is retried with the record in the conflict.
///
/// A conflict with an outdated record, or a check that is separate from the write, loses bookings
/// under load only.
pub async fn expected_revisions_make_a_correct_counter<S: SessionStore>(fixture: Fixture<S>) {
    const TASKS: usize = 8;
    const EACH: usize = 10;
    let record = fixture.insert(fixture.with(&[("n", "0")])).await;
    together(TASKS, |_| {
        let (fixture, record) = (fixture.clone(), record.clone());
        async move {
            for _ in 0..EACH {
                let mut seen = fixture.found(&record).await;
                // Each conflict means that another task has succeeded.
                for _ in 0..=TASKS * EACH {
                    let n: u64 = text(&seen, "n").and_then(|n| n.parse().ok()).unwrap_or(0);
                    let mut patch = Patch::of(vec![set("n", &(n + 1).to_string())]);
                    patch.expect.push(Expect::Rev(seen.meta.rev));
                    // Lets other tasks run between the read and the write.
                    tokio::task::yield_now().await;
                    match fixture.apply(record.id, 1, &patch).await {
                        Outcome::Applied(_) => break,
                        Outcome::Conflict(conflict) => {
                            let (old, new) = (seen.meta.rev, conflict.current.meta.rev);
                            assert!(new > old, "a conflict at revision {old} came with {new}");
                            seen = conflict.current;
                        }
                        other => panic!("a patch that expects a revision: {other:?}"),
                    }
                }
            }
        }
    })
    .await;
    let found = fixture.found(&record).await;
    assert_eq!(text(&found, "n"), Some(&*(TASKS * EACH).to_string()), "read, add, write if same");
}

/// Loads that touch, concurrent with patches: every acknowledged patch remains.
///
/// A touch that reads the record and writes it back undoes what was written in between.
pub async fn a_touch_never_undoes_a_write<S: SessionStore>(fixture: Fixture<S>) {
    rounds(1_000, async |round| {
        let record = fixture.insert(fixture.record()).await;
        fixture.clock.advance(IDLE / 2);
        let now = fixture.now();
        let (writer, toucher, id) = (fixture.clone(), fixture.clone(), record.id);
        let secret = record.meta.secret;
        let (_, seen) = both(
            async move {
                for n in 0..3 {
                    writer.applied(id, &Patch::of(vec![set("n", &n.to_string())])).await;
                }
            },
            async move {
                for _ in 0..round % 4 {
                    tokio::task::yield_now().await;
                }
                toucher.load(id, &secret, Touch::IfDue).await
            },
        )
        .await;
        assert!(matches!(seen, Lookup::Found(_)), "round {round}: a touching load: {seen:?}");
        let found = fixture.found(&record).await;
        assert_eq!(text(&found, "n"), Some("2"), "round {round}: the last of three writes");
        assert_eq!(found.meta.rev, 4, "round {round}: the revision after three writes");
        assert_eq!(found.meta.last_seen, now, "round {round}: a write undid the touch");
        fixture.delete(id).await;
    })
    .await;
}

//! Size limits of fields and records, if a store has them.

use super::fixture::{Fixture, text};
use super::running::{rounds, together};
use crate::record::patch::{FieldOp, Op, Outcome, Patch, Refused};
use crate::store::{Created, Limits, Lookup, SessionStore};

/// The largest record that the rules will write.
const MOST: usize = 64 << 20;

/// Returns the limits of the store.
fn limits<S: SessionStore>(fixture: &Fixture<S>) -> Limits {
    let limits = fixture.capabilities().limits.unwrap_or(Limits::NONE);
    let sensible = limits.field <= limits.record && limits.record <= MOST;
    assert!(sensible && limits.field >= 64, "the suite opens a store with sensible limits");
    limits
}

/// Returns JSON of this many bytes.
fn json(bytes: usize) -> Vec<u8> {
    vec![b'1'; bytes]
}

fn set(name: &str, bytes: usize) -> FieldOp {
    FieldOp::new(name.to_owned(), Op::set(json(bytes)))
}

/// Returns fields `f0`, `f1`, … that fill a record up to `bytes`, each within the limit.
fn filling(limits: Limits, bytes: usize) -> Vec<FieldOp> {
    let mut ops = Vec::new();
    let mut left = bytes;
    while left > 0 {
        let name = format!("f{:06}", ops.len());
        // Leaves enough for the name of the next field.
        let size = if left <= limits.field { left } else { limits.field.min(left - 16) };
        ops.push(set(&name, size - name.len()));
        left -= size;
    }
    ops
}

/// A field of exactly the limit, name and JSON together, is stored; with one byte more it is
/// `TooLarge`, with its name and the limit, whether created, set or grown.
pub async fn a_field_may_reach_the_limit_and_not_exceed_it<S: SessionStore>(fixture: Fixture<S>) {
    let limit = limits(&fixture).field;
    let refused = Refused::TooLarge { field: "field".into(), limit };
    let record = fixture.insert(fixture.record()).await;
    for (bytes, fits) in [(limit - 5, true), (limit - 4, false), (2 * limit, false)] {
        let mut new = fixture.record();
        new.fields = [("field", json(bytes))].into_iter().collect();
        let created = fixture.create(new.clone()).await;
        let outcome = fixture.apply(record.id, 1, &Patch::of(vec![set("field", bytes)])).await;
        if fits {
            assert_eq!(created, Created::ALONE, "a record with a field of the limit");
            assert!(matches!(outcome, Outcome::Applied(_)), "a field of the limit: {outcome:?}");
        } else {
            assert_eq!(created, Created::Refused(refused.clone()), "a new record, {bytes} bytes");
            let seen = fixture.look(&new).await;
            assert!(matches!(seen, Lookup::Absent), "a refused record was stored: {seen:?}");
            let why = matches!(&outcome, Outcome::Refused(why) if *why == refused);
            assert!(why, "a field of {bytes} bytes: {outcome:?}");
        }
    }
    let stored = fixture.found(&record).await.fields.get("field").map(<[u8]>::len);
    assert_eq!(stored, Some(limit - 5), "the field after larger ones were refused");
}

/// A record of exactly the limit is stored; a patch that would make it a byte larger is `TooLarge`,
/// unless it makes room in the same step.
pub async fn a_record_may_reach_the_limit_and_not_exceed_it<S: SessionStore>(fixture: Fixture<S>) {
    let limits = limits(&fixture);
    let record = fixture.insert(fixture.record()).await;
    fixture.applied(record.id, &Patch::of(filling(limits, limits.record))).await;
    assert_eq!(fixture.found(&record).await.fields.byte_len(), limits.record, "a full record");
    let outcome = fixture.apply(record.id, 1, &Patch::of(vec![set("x", 0)])).await;
    let Outcome::Refused(why) = &outcome else { panic!("one byte too many: {outcome:?}") };
    assert_eq!(*why, Refused::TooLarge { field: "x".into(), limit: limits.record }, "its reason");
    let swap = vec![FieldOp::new("f000000", Op::Remove), set("x", 1)];
    fixture.applied(record.id, &Patch::of(swap)).await;
    let mut new = fixture.record();
    new.fields = filling(limits, limits.record + 1)
        .into_iter()
        .filter_map(|op| if let Op::Set(json) = op.op { Some((op.name, json)) } else { None })
        .collect();
    let created = fixture.create(new).await;
    let large = matches!(created, Created::Refused(Refused::TooLarge { .. }));
    assert!(large, "a new record, one byte too many: {created:?}");
}

/// A patch that is too large leaves no trace: none of its other fields is stored, and its id is not
/// remembered.
pub async fn what_is_too_large_leaves_no_trace<S: SessionStore>(fixture: Fixture<S>) {
    let limit = limits(&fixture).field;
    let record = fixture.insert(fixture.with(&[("kept", "1")])).await;
    let mut patch = Patch::of(vec![set("small", 1), set("large", limit)]);
    patch.meta.authenticated = true;
    let outcome = fixture.apply(record.id, 1, &patch).await;
    assert!(matches!(outcome, Outcome::Refused(_)), "a field that is too large: {outcome:?}");
    assert_eq!(*fixture.found(&record).await, record, "what is too large left a trace");
    patch.ops.truncate(1);
    let applied = fixture.applied(record.id, &patch).await;
    assert!(!applied.repeated, "what was too large was remembered as if it had been applied");
}

/// Concurrent patches that grow a nearly full record stop at the limit: exactly as many succeed as
/// there is room for.
///
/// A check that is separate from its write lets all of them through.
pub async fn concurrent_growth_stops_at_the_limit<S: SessionStore>(fixture: Fixture<S>) {
    let limits = limits(&fixture);
    rounds(20, async |round| {
        let record = fixture.insert(fixture.record()).await;
        // Room for three fields of ten bytes each.
        fixture.applied(record.id, &Patch::of(filling(limits, limits.record - 39))).await;
        let stored = together(16, |task| {
            let (fixture, id) = (fixture.clone(), record.id);
            async move {
                let patch = Patch::of(vec![set(&format!("x{task:02}"), 7)]);
                match fixture.apply(id, 1, &patch).await {
                    Outcome::Applied(_) => true,
                    Outcome::Refused(Refused::TooLarge { .. }) => false,
                    other => panic!("round {round}: a patch to a nearly full record: {other:?}"),
                }
            }
        })
        .await;
        let stored = stored.into_iter().filter(|stored| *stored).count();
        assert_eq!(stored, 3, "round {round}: patches of ten bytes into room for 39");
        let found = fixture.found(&record).await;
        assert_eq!(found.fields.byte_len(), limits.record - 9, "round {round}: the bytes stored");
        assert_eq!(text(&found, "x99"), None, "round {round}: a field that nobody wrote");
        fixture.delete(record.id).await;
    })
    .await;
}

//! The guard in Rust, for engines that only support compare-and-swap. It is also the reference for
//! the scripts of other engines.

use super::{Append, End, Replace, Step};
use crate::clock::Timestamp;
use crate::record::form::{self, Head, InvalidForm, Kind, Raw};

/// The effect of a step on a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) enum Decision {
    /// The new form replaces it.
    Replace,
    /// This value replaces it.
    Append { value: Vec<u8>, rev: u64 },
    /// Nothing changes.
    Refuse,
}

/// Decides `step` for the stored value, at the engine's time.
///
/// # Errors
///
/// If the value is not a form.
pub(in crate::store) fn decide(
    value: Option<&[u8]>,
    step: &Step<'_>,
    now: Timestamp,
) -> Result<Decision, InvalidForm> {
    let Some(value) = value else { return Ok(Decision::Refuse) };
    let head = Head::read(value)?;
    if head.kind == Kind::Tombstone || now >= head.expires.after(step.leeway) {
        return Ok(Decision::Refuse);
    }
    if let Some(Replace { as_read, .. }) = step.replace
        && value.starts_with(as_read)
    {
        return Ok(Decision::Replace);
    }
    let (Some(append), Some(patch)) = (&step.append, step.patch) else {
        return Ok(Decision::Refuse);
    };
    let as_read = append.instead.is_some_and(|it| Head::has_fields(value, it));
    let holds = as_read
        || head.epoch == step.epoch
            && head.schemas == step.schemas
            && !head.patches.contains(patch)
            && fits(append, &head);
    if !holds {
        return Ok(Decision::Refuse);
    }
    // If the fields have not changed since the decision, no other guard is needed.
    let below = if as_read { value.get(..head.body).unwrap_or(value) } else { value };
    let value = form::appended(below, patch, append.operations)?;
    Ok(Decision::Append { value, rev: head.rev + 1 })
}

fn fits(append: &Append<'_>, head: &Head) -> bool {
    let base = head.apart.map_or(0, |apart| apart.length);
    append.bounds.take(head.length + append.operations.len(), base)
}

/// Whether a value may be replaced by a new session with its id: it has been expired for longer
/// than a patch may be late, or is a tombstone that is over.
pub(in crate::store) fn is_over(value: &[u8], now: Timestamp) -> bool {
    match Raw::read(value) {
        Ok(Raw::Record(raw)) => raw.meta.is_removable(now),
        Ok(Raw::Tombstone(tombstone)) => tombstone.is_over(now),
        Err(_) => false,
    }
}

/// Turns a value into its tombstone, and returns whether the session was live. `None` if there is
/// nothing to end.
///
/// # Errors
///
/// If the value is not a form.
pub(in crate::store) fn entomb(
    value: &[u8],
    end: &End<'_>,
    now: Timestamp,
) -> Result<Option<(Vec<u8>, bool)>, InvalidForm> {
    let head = Head::read(value)?;
    if head.kind == Kind::Tombstone {
        return Ok(None);
    }
    let tombstone = form::entombed(value, end.ended, end.id)?;
    Ok(Some((tombstone, now < head.expires)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Bounds;
    use super::*;
    use crate::id::SessionId;
    use crate::record::form::{Entry, decode};
    use crate::record::patch::{FieldOp, Lifetime, Op, Patch};
    use crate::record::{COMMIT_LEEWAY, EndReason, Ended, Fields, Meta, Record};
    use crate::token::{PatchId, SecretHash};

    const ID: SessionId = SessionId::from_bytes([9; 16]);
    const HOUR: Duration = Duration::from_secs(3600);
    const END: Timestamp = Timestamp::from_millis(1_000 + 3_600_000);

    fn record() -> Record {
        let lifetime = Lifetime { idle: Some(HOUR), absolute: None, remember: false };
        let now = Timestamp::from_millis(1_000);
        Record::new(ID, Meta::new(SecretHash::from_bytes([1; 32]), now, lifetime), Fields::new())
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    struct Try {
        stored: Vec<u8>,
        patch: Patch,
        operations: Vec<u8>,
    }

    impl Try {
        fn new() -> Self {
            let patch = Patch::of(vec![FieldOp::new("a", Op::set("1"))]);
            let stored = form::whole(&record(), 7).unwrap().value;
            Self { operations: form::operations(&patch), stored, patch }
        }

        fn append(&self, most: usize, limit: usize) -> Append<'_> {
            let bounds = Bounds { most, limit };
            Append { operations: &self.operations, instead: None, bounds }
        }

        fn step(&self) -> Step<'_> {
            Step {
                epoch: 1,
                renews: false,
                patch: Some(self.patch.id),
                schemas: form::schemas_of(&record().meta.versions),
                leeway: COMMIT_LEEWAY,
                replace: None,
                append: Some(self.append(500, 500)),
                joins: None,
            }
        }

        fn decide(&self, step: &Step<'_>) -> Decision {
            decide(Some(&self.stored), step, at(2_000)).unwrap()
        }
    }

    #[test]
    fn every_guard_of_an_append_refuses_alone() {
        let it = Try::new();
        let refuses = |step: Step<'_>| it.decide(&step) == Decision::Refuse;
        assert!(matches!(it.decide(&it.step()), Decision::Append { rev: 2, .. }));
        assert!(refuses(Step { epoch: 2, ..it.step() }));
        assert!(refuses(Step { schemas: *b"abcde", ..it.step() }));
        assert!(refuses(Step { append: None, ..it.step() }));
        let length = it.stored.len() + it.operations.len();
        for (most, limit, fits) in
            [(length, length, true), (length - 1, length, false), (length, length - 1, false)]
        {
            let append = Some(it.append(most, limit));
            assert_eq!(!refuses(Step { append, ..it.step() }), fits);
        }
        let when = |now| decide(Some(&it.stored), &it.step(), now).unwrap();
        assert!(matches!(when(at(END.as_millis() + 59_999)), Decision::Append { .. }));
        assert_eq!(when(END.after(COMMIT_LEEWAY)), Decision::Refuse);
        assert_eq!(decide(None, &it.step(), at(0)), Ok(Decision::Refuse), "nothing is upserted");
        let Decision::Append { value, .. } = it.decide(&it.step()) else { panic!() };
        let again = decide(Some(&value), &it.step(), at(2_000)).unwrap();
        assert_eq!(again, Decision::Refuse, "the same patch");
    }

    #[test]
    fn a_form_is_replaced_only_as_it_was_read_and_before_it_ends() {
        let it = Try::new();
        let Ok(Entry::Record(read)) = decode(ID, &it.stored, None) else { panic!() };
        let as_read = form::as_read(&read).unwrap();
        let form = form::whole(&record(), 8).unwrap();
        let step = |leeway| Step {
            replace: Some(Replace { as_read: &as_read, form: &form }),
            append: None,
            leeway,
            ..it.step()
        };
        assert_eq!(it.decide(&step(COMMIT_LEEWAY)), Decision::Replace);
        let late = |leeway| decide(Some(&it.stored), &step(leeway), END).unwrap();
        assert_eq!(late(COMMIT_LEEWAY), Decision::Replace);
        assert_eq!(late(Duration::ZERO), Decision::Refuse, "a touch revives nothing");
        let mut touched = record();
        touched.meta.last_seen = at(1_001);
        for moved in [form::whole(&touched, 8), form::whole(&record(), 8)] {
            let decided = decide(Some(&moved.unwrap().value), &step(HOUR), at(2_000));
            assert_eq!(decided, Ok(Decision::Refuse), "written since");
        }
    }

    #[test]
    fn a_tail_is_replaced_only_as_it_was_read_and_appended_to_otherwise() {
        let it = Try::new();
        let Decision::Append { value: longer, .. } = it.decide(&it.step()) else { panic!() };
        let Ok(Entry::Record(read)) = decode(ID, &longer, None) else { panic!() };
        let as_read = form::fields_as_read(&read).unwrap();
        // It has been touched since.
        let longer = [&longer[..34], b"0000000099", &longer[44..]].concat();
        let next = Patch::of(vec![FieldOp::new("a", Op::set("2"))]);
        let operations = form::operations(&next);
        let append = Append { operations: &operations, instead: Some(&as_read), ..it.append(0, 0) };
        let step = Step { patch: Some(next.id), append: Some(append), epoch: 7, ..it.step() };
        let Ok(Decision::Append { value, rev: 3 }) = decide(Some(&longer), &step, at(0)) else {
            panic!("the fields are as they were read: no other guard counts")
        };
        let body = Head::read(&longer).unwrap().body;
        assert_eq!(&value[body..], operations);
        assert_eq!(value[94..body], longer[94..body], "the meta stays");
        let moved = decide(Some(&it.stored), &step, at(0));
        assert_eq!(moved, Ok(Decision::Refuse), "appended under all guards, or not at all");
    }

    #[test]
    fn a_tombstone_is_the_record_without_its_fields_and_takes_no_step() {
        let it = Try::new();
        let ended = Ended::new(EndReason::OtherDevice, at(2_000));
        let end = End { ended, id: PatchId::next(), as_read: None };
        for form in [form::whole(&record(), 7), form::apart(&record(), 7)] {
            let value = form.unwrap().value;
            let (tombstone, was_live) = entomb(&value, &end, at(2_000)).unwrap().unwrap();
            assert!(was_live);
            let Ok(Entry::Tombstone(read)) = decode(ID, &tombstone, None) else { panic!() };
            assert_eq!(read.ended, ended);
            assert_eq!(read.meta.secret, record().meta.secret);
            assert!(read.meta.patches.contains(end.id));
            assert_eq!(decide(Some(&tombstone), &it.step(), at(2_000)), Ok(Decision::Refuse));
            assert_eq!(entomb(&tombstone, &end, at(2_000)), Ok(None));
            let (_, was_live) = entomb(&value, &end, END).unwrap().unwrap();
            assert!(!was_live);
        }
    }
}

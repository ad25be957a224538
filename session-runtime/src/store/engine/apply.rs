//! Applying a patch.

use std::borrow::Cow;
use std::sync::Arc;

use tokio::time::Instant;

use super::load::record_of;
use super::{Append, Bounds, Doubt, Engine, Failure, Joins, Pause, Replace, Step, Stepped};
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::form::{self, Base, DoesNotFit, Form};
use crate::record::patch::{Applied, Gone, Op, Outcome, Patch};
use crate::record::{Applying, COMMIT_LEEWAY, FormNote, Record};
use crate::store::limits::Limits;

/// A form of up to this many bytes is stored as one value: just below a size class of the usual
/// allocators.
pub(super) const SMALL: usize = 1_000;
/// The tail of a large form is rewritten when it is longer than this and than an eighth of its
/// base.
const TAIL: usize = 256;

pub(in crate::store) async fn apply(
    engine: &impl Engine,
    id: SessionId,
    epoch: u64,
    patch: &Patch,
    read: Option<&Arc<Record>>,
    deadline: Instant,
) -> Result<Outcome, Failure> {
    let mut pause = Pause::until(deadline);
    let mut doubt = Doubt::None;
    let mut patch = Cow::Borrowed(patch);
    // The record that the caller has read saves a round trip if it is up to date. If it leads to a
    // refusal, the stored record is read instead.
    let known = read.filter(|it| it.id == id && it.meta.epoch == epoch && it.note.stamp != 0);
    let mut current = known.cloned();
    let mut is_stored = false;
    let mut now = engine.now();
    loop {
        let before = match current.take() {
            Some(before) => before,
            None => {
                let read = engine.read(id, deadline).await?;
                (is_stored, now) = (true, read.now);
                match record_of(id, &read)? {
                    Some(record) => record,
                    None => return Ok(Outcome::Gone(Gone::Absent)),
                }
            }
        };
        let (after, applied) = match decide(engine, &before, epoch, &patch, now) {
            Ok(stored) => stored,
            Err(answer) if is_stored => {
                return finished(engine, &before, &patch, answer, deadline).await;
            }
            Err(_) => continue,
        };
        let plan = Plan::of(engine, &before, &after, &patch)?;
        let step = plan.step(&before, &after, &patch);
        let refused = match engine.step(id, &step, deadline).await {
            Ok(Stepped::Replaced(evicted)) => {
                return Ok(Outcome::Applied(Applied { evicted, ..applied }));
            }
            Ok(Stepped::Appended { rev }) => {
                return Ok(Outcome::Applied(Applied { rev, ..applied }));
            }
            Ok(Stepped::Denied(denied)) => return Ok(Outcome::Denied(denied)),
            Ok(Stepped::Refused(read, again)) => {
                if again == Doubt::MaybeDone {
                    doubt = again;
                }
                read
            }
            Err(failure) => return Err(failure.in_doubt(doubt)),
        };
        if doubt == Doubt::MaybeDone && patch.again.is_none() {
            patch.to_mut().again = Some(before.meta.rev);
        }
        (is_stored, now) = (true, refused.now);
        current = record_of(id, &refused)?;
        if current.is_none() {
            return Ok(match doubt {
                Doubt::None => Outcome::Gone(Gone::Absent),
                Doubt::MaybeDone => Outcome::Uncertain,
            });
        }
        if let Err(failure) = pause.again().await {
            return Err(failure.in_doubt(doubt));
        }
    }
}

/// Returns the answer, after completing what a lost answer may have left half-way.
async fn finished(
    engine: &impl Engine,
    stored: &Record,
    patch: &Patch,
    answer: Outcome,
    deadline: Instant,
) -> Result<Outcome, Failure> {
    let Outcome::Applied(Applied { repeated: true, .. }) = answer else { return Ok(answer) };
    let Some(principal) = &stored.meta.principal else { return Ok(answer) };
    let signs_in = patch.meta.principal.as_ref().is_some_and(Option::is_some)
        || !patch.meta.sign_in.is_unconditional();
    if signs_in {
        let joins = Joins::of(stored, principal, patch.meta.sign_in, true);
        let denied = engine.finish(stored.id, patch.id, &joins, deadline).await;
        if let Some(denied) = denied.map_err(|failure| failure.in_doubt(Doubt::MaybeDone))? {
            return Ok(Outcome::Denied(denied));
        }
    }
    Ok(answer)
}

/// Applies the rules; returns the record afterwards, or the answer.
fn decide(
    engine: &impl Engine,
    before: &Arc<Record>,
    epoch: u64,
    patch: &Patch,
    now: Timestamp,
) -> Result<(Arc<Record>, Applied), Outcome> {
    match before.apply(epoch, patch, now) {
        Applying::Answer(outcome) => Err(outcome),
        Applying::Stored(after, applied) => {
            let limits = engine.limits();
            match limits.check_change(&before.fields, &after.fields, &patch.ops) {
                Ok(()) => Ok((after, applied)),
                Err(refused) => Err(Outcome::Refused(refused)),
            }
        }
    }
}

/// The bytes of a step.
struct Plan {
    /// The head that is replaced; or only its part about the fields, if only the tail is replaced.
    as_read: Option<Vec<u8>>,
    next: Next,
    operations: Option<Vec<u8>>,
    bounds: Bounds,
}

/// What replaces the form if it has not changed since it was read.
enum Next {
    /// Nothing, because appending is better.
    Nothing,
    /// Only its tail is replaced, by the operations of this patch.
    Tail,
    Form(Form),
}

impl Plan {
    fn of(
        engine: &impl Engine,
        before: &Arc<Record>,
        after: &Record,
        patch: &Patch,
    ) -> Result<Self, DoesNotFit> {
        let limits = engine.limits();
        let bounds = Bounds::new(limits, engine.keeps_apart());
        // A retry names the revision that it was decided on, because the log may have forgotten the
        // patch when it arrives.
        let appendable = engine.appends()
            && patch.again.is_none()
            && form::is_appendable(patch)
            && every_operation_fits(patch, &limits);
        let operations = appendable.then(|| form::operations(patch));
        let next = match before.note.stamp {
            0 => Next::Nothing,
            _ if engine.keeps_apart() => next_form(before, after, operations.as_deref(), bounds)?,
            stamp => Next::Form(form::whole(after, stamp + 1)?),
        };
        let as_read = match next {
            Next::Nothing => None,
            Next::Tail => form::fields_as_read(before),
            Next::Form(_) => form::as_read(before),
        };
        Ok(Self { as_read, next, operations, bounds })
    }

    fn step<'s>(&'s self, before: &Record, after: &'s Record, patch: &Patch) -> Step<'s> {
        let replace = match (&self.as_read, &self.next) {
            (Some(as_read), Next::Form(form)) => Some(Replace { as_read, form }),
            _ => None,
        };
        let instead = match self.next {
            Next::Tail => self.as_read.as_deref(),
            Next::Nothing | Next::Form(_) => None,
        };
        Step {
            epoch: before.meta.epoch,
            renews: after.meta.epoch != before.meta.epoch,
            patch: Some(patch.id),
            schemas: form::schemas_of(&before.meta.versions),
            leeway: COMMIT_LEEWAY,
            replace,
            append: self.operations.as_deref().map(|operations| Append {
                operations,
                instead,
                bounds: self.bounds,
            }),
            joins: joins(before, after, patch),
        }
    }
}

/// Returns what replaces the current form. `operations` are those of the patch, if they may be
/// appended.
fn next_form(
    before: &Arc<Record>,
    after: &Record,
    operations: Option<&[u8]>,
    bounds: Bounds,
) -> Result<Next, DoesNotFit> {
    let note = before.note;
    if let Some(operations) = operations
        && note.is_apart()
        && note.tail() + operations.len() <= longest_tail(note)
        && bounds.take(note.length as usize + operations.len(), note.base as usize)
    {
        return Ok(Next::Nothing);
    }
    let form = replacement(before, after)?;
    let is_of_this_patch =
        form.base == Base::Kept && operations.is_some_and(|it| it == form.tail());
    Ok(if is_of_this_patch { Next::Tail } else { Next::Form(form) })
}

/// Returns the form of `after` that replaces the one `before` was read from, for an engine that
/// keeps bases separate.
pub(in crate::store) fn replacement(before: &Record, after: &Record) -> Result<Form, DoesNotFit> {
    let (note, stamp) = (before.note, before.note.stamp + 1);
    if after.fields.byte_len_at_most() <= SMALL {
        let whole = form::whole(after, stamp)?;
        if whole.value.len() <= SMALL {
            return Ok(whole);
        }
    }
    // Usually the same few fields change, so one operation per field is short.
    match form::over_kept_base(after, before, stamp)? {
        Some(kept) if kept.note.tail() <= longest_tail(note) / 2 => Ok(kept),
        _ => form::apart(after, stamp),
    }
}

fn longest_tail(note: FormNote) -> usize {
    TAIL.max(note.base as usize / 8)
}

/// Whether each of them fits into a field, whatever is stored.
fn every_operation_fits(patch: &Patch, limits: &Limits) -> bool {
    /// The length of the longest integer.
    const DIGITS: usize = 20;
    patch.ops.iter().all(|op| match &op.op {
        Op::Set(value) => op.name.len() + value.len() <= limits.field,
        Op::Add(_) => op.name.len() + DIGITS <= limits.field,
        Op::Remove | Op::RemoveIf(_) | Op::Take => true,
    })
}

/// Returns the change of the index, if the session is signed in, or may live longer than the index
/// knows.
fn joins<'r>(before: &Record, after: &'r Record, patch: &Patch) -> Option<Joins<'r>> {
    let meta = &after.meta;
    let principal = meta.principal.as_ref()?;
    let is_new = before.meta.principal.as_ref() != Some(principal);
    let joins = Joins::of(after, principal, patch.meta.sign_in, is_new);
    (joins.is_sign_in || patch.meta.lifetime.is_some()).then_some(joins)
}

//! Applying a patch.

use std::borrow::Cow;
use std::sync::Arc;

use tokio::time::Instant;

use super::load::{bound_of, record_of};
use super::{Append, Doubt, Engine, Failure, Joins, Pause, Replace, Step, Stepped};
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::patch::{Applied, Gone, Op, Outcome, Patch};
use crate::record::form::{self, DoesNotFit, Form};
use crate::record::{Applying, COMMIT_LEEWAY, Record};
use crate::store::limits::Limits;

/// A form of up to so many bytes is one value: just below a size class of the usual
/// allocators.
pub(super) const SMALL: usize = 1_000;
/// The tail of a large form is made anew when it is longer than this, and than an
/// eighth of its base.
const TAIL: usize = 256;
/// Beyond this nothing is appended any more: the form has to be replaced.
const MOST: usize = 2_048;

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
    // What the caller read saves a round trip where it is still right, and is not
    // believed where it says no.
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
            Err(answer) if is_stored => return Ok(answer),
            Err(_) => continue,
        };
        let plan = Plan::of(engine, &before, &after, &patch)?;
        let step = plan.step(&before, &after, &patch);
        let refused = match engine.step(id, &step, deadline).await {
            Ok(Stepped::Replaced) => return Ok(Outcome::Applied(applied)),
            Ok(Stepped::Appended { rev, .. }) => {
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

/// What the rules make of it: the record afterwards, or the answer.
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
    as_read: Option<Vec<u8>>,
    form: Option<Form>,
    operations: Option<Vec<u8>>,
    most: usize,
    limit: usize,
}

impl Plan {
    fn of<E: Engine>(
        engine: &E,
        before: &Arc<Record>,
        after: &Record,
        patch: &Patch,
    ) -> Result<Self, DoesNotFit> {
        let limits = engine.limits();
        let appendable = form::is_appendable(patch) && every_operation_fits(patch, &limits);
        let operations = appendable.then(|| form::operations(patch));
        let as_read = form::as_read(before);
        let more = operations.as_ref().map_or(0, Vec::len);
        let form = match as_read {
            None => None,
            Some(_) if E::KEEPS_APART => next_form(before, after, operations.is_some(), more)?,
            Some(_) => Some(form::whole(after, before.note.stamp + 1)?),
        };
        Ok(Self {
            as_read,
            form,
            operations,
            most: if E::KEEPS_APART { MOST } else { usize::MAX },
            limit: limits.record,
        })
    }

    fn step<'s>(&'s self, before: &Record, after: &'s Record, patch: &Patch) -> Step<'s> {
        let replace = match (&self.as_read, &self.form) {
            (Some(as_read), Some(form)) => {
                Some(Replace { as_read, form, expires: after.meta.expires_at() })
            }
            _ => None,
        };
        Step {
            epoch: before.meta.epoch,
            patch: Some(patch.id),
            schemas: form::schemas_of(&before.meta.versions),
            leeway: COMMIT_LEEWAY,
            replace,
            append: self.operations.as_deref().map(|operations| Append {
                operations,
                most: self.most,
                limit: self.limit,
            }),
            joins: joins(before, after, patch),
        }
    }
}

/// The form to replace the present one with; `None` where appending is better.
fn next_form(
    before: &Arc<Record>,
    after: &Record,
    appendable: bool,
    more: usize,
) -> Result<Option<Form>, DoesNotFit> {
    let (note, stamp) = (before.note, before.note.stamp + 1);
    let tail = TAIL.max(note.base as usize / 8);
    if appendable && note.is_apart() && note.tail() + more <= tail {
        return Ok(None);
    }
    if after.fields.byte_len_at_most() <= SMALL {
        let whole = form::whole(after, stamp)?;
        if whole.value.len() <= SMALL {
            return Ok(Some(whole));
        }
    }
    // Nearly always the same few fields change: one operation for each is short.
    if let Some(kept) = form::over_kept_base(after, before, stamp)?
        && kept.note.tail() <= tail / 2
    {
        return Ok(Some(kept));
    }
    form::apart(after, stamp).map(Some)
}

/// Whether each of them fits into a field, whatever is stored.
fn every_operation_fits(patch: &Patch, limits: &Limits) -> bool {
    /// The longest integer.
    const DIGITS: usize = 20;
    patch.ops.iter().all(|op| match &op.op {
        Op::Set(value) => op.name.len() + value.len() <= limits.field,
        Op::Add(_) => op.name.len() + DIGITS <= limits.field,
        Op::Remove | Op::RemoveIf(_) | Op::Take => true,
    })
}

/// The session comes to belong to a principal, or signs in again, or may live longer
/// than the index knows it.
fn joins<'r>(before: &Record, after: &'r Record, patch: &Patch) -> Option<Joins<'r>> {
    let meta = &after.meta;
    let principal = meta.principal.as_ref()?;
    let concerned = before.meta.principal.as_ref() != Some(principal)
        || !patch.meta.sign_in.is_unconditional()
        || patch.meta.lifetime.is_some();
    concerned.then(|| Joins {
        principal,
        sign_in: patch.meta.sign_in,
        bound: bound_of(after),
        order: (meta.authenticated, meta.created),
    })
}

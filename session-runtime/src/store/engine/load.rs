//! Loading a session.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Engine, Failure, Joins, Pause, Read, Replace, Step, Stepped};
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::form::{self, DoesNotFit, Entry, Form, InvalidForm, Raw};
use crate::record::patch::SignIn;
use crate::record::{Due, Judgement, MAX_LIFETIME, Record, Visit};
use crate::store::contract::{Lookup, Replayed};
use crate::token::SecretHash;

pub(in crate::store) async fn load(
    engine: &impl Engine,
    id: SessionId,
    secrets: &[SecretHash],
    visit: Visit,
    deadline: Instant,
) -> Result<Lookup, Failure> {
    let mut read = engine.read(id, deadline).await?;
    let mut pause = Pause::until(deadline);
    let mut tries = 0;
    loop {
        tries += 1;
        let (record, due) = match judge(id, &read, secrets, visit)? {
            Found::Answer(lookup) => return Ok(lookup),
            Found::Opens(record, Due::Nothing) => return Ok(Lookup::Found(record)),
            Found::Opens(record, Due::Touch) if tries > TOUCHES => {
                return Ok(Lookup::Found(record));
            }
            Found::Opens(record, due) => (record, due),
        };
        let refused = match settle(engine, &record, due, read.now, deadline).await {
            Ok(Settled::Done(record)) => return Ok(Lookup::Found(record)),
            Ok(Settled::Refused(current)) => pause.again().await.map(|()| current),
            Err(failure) => Err(failure),
        };
        match refused {
            Ok(current) => read = current,
            Err(failure) if due != Due::Touch => return Err(failure),
            // Recording activity is worth neither a failed request nor a long wait.
            Err(failure) => {
                tracing::warn!(%id, %failure, "the last activity of a session was not stored");
                return Ok(Lookup::Found(record));
            }
        }
    }
}

/// How often a touch is tried if other requests keep writing. After that it is left to the next
/// request.
const TOUCHES: u32 = 4;

/// Returns the live record `id`, if it still has this `epoch`.
pub(in crate::store) async fn reload(
    engine: &impl Engine,
    id: SessionId,
    epoch: u64,
    deadline: Instant,
) -> Result<Option<Arc<Record>>, Failure> {
    let read = engine.read(id, deadline).await?;
    let record = record_of(id, &read)?;
    Ok(record.filter(|it| it.meta.epoch == epoch && !it.meta.is_expired(read.now)))
}

/// The result of a load before anything is written.
pub(in crate::store) enum Found {
    Answer(Lookup),
    /// The record, once what is due has been written.
    Opens(Arc<Record>, Due),
}

/// Judges the secrets by what was read. The fields are parsed last, so that a guessed id does not
/// cause that work.
pub(in crate::store) fn judge(
    id: SessionId,
    read: &Read,
    secrets: &[SecretHash],
    visit: Visit,
) -> Result<Found, Failure> {
    let Some(value) = &read.value else { return Ok(Found::Answer(Lookup::Absent)) };
    let raw = match Raw::read(value)? {
        Raw::Record(raw) => raw,
        Raw::Tombstone(tombstone) => {
            let ended = tombstone.judge(secrets, visit, read.now);
            return Ok(Found::Answer(ended.map_or(Lookup::Absent, Lookup::Ended)));
        }
    };
    let answer = match raw.meta.judge(secrets, visit, read.now) {
        Judgement::Opens(due) => match raw.record(id, read.base.as_deref()) {
            Ok(record) => return Ok(Found::Opens(Arc::new(record), due)),
            Err(InvalidForm::NoBase) => {
                base_is_gone(id);
                Lookup::Absent
            }
            Err(invalid) => return Err(invalid.into()),
        },
        Judgement::Ended(ended) => Lookup::Ended(ended),
        Judgement::Replayed => Lookup::Replayed(Replayed::of(&raw.meta)),
        Judgement::Expired(because) => Lookup::Expired(because),
        Judgement::Absent => Lookup::Absent,
    };
    Ok(Found::Answer(answer))
}

/// Returns the record that was read, live or not; `None` for a tombstone.
pub(in crate::store) fn record_of(
    id: SessionId,
    read: &Read,
) -> Result<Option<Arc<Record>>, Failure> {
    let Some(value) = &read.value else { return Ok(None) };
    match form::decode(id, value, read.base.as_deref()) {
        Ok(Entry::Record(record)) => Ok(Some(record)),
        Ok(Entry::Tombstone(_)) => Ok(None),
        Err(InvalidForm::NoBase) => {
            base_is_gone(id);
            Ok(None)
        }
        Err(invalid) => Err(invalid.into()),
    }
}

/// Warns that the base of a session is gone. A server that evicts keys may remove one of the two
/// values of a session; it then counts as absent, not as damaged.
fn base_is_gone(id: SessionId) {
    tracing::warn!(session = %id, "the fields of a session were evicted; it counts as absent");
}

/// Returns the record after what a load has to write, and its form.
pub(in crate::store) fn settled(
    record: &Record,
    due: Due,
    now: Timestamp,
) -> Result<(Record, Form), DoesNotFit> {
    let mut after = record.clone();
    after.meta.settle(due, now);
    let stamp = record.note.stamp + 1;
    let form = match form::over_kept_base(&after, record, stamp)? {
        Some(form) => form,
        None => form::whole(&after, stamp)?,
    };
    after.note = form.note;
    Ok((after, form))
}

enum Settled {
    Done(Arc<Record>),
    Refused(Read),
}

/// Writes what the load has to write.
async fn settle(
    engine: &impl Engine,
    record: &Arc<Record>,
    due: Due,
    now: Timestamp,
    deadline: Instant,
) -> Result<Settled, Failure> {
    let (after, form) = settled(record, due, now)?;
    let Some(as_read) = form::as_read(record) else {
        return Err(Failure::corrupt("a session was not read from a form"));
    };
    let step = Step {
        epoch: record.meta.epoch,
        renews: false,
        patch: None,
        schemas: form::schemas_of(&record.meta.versions),
        leeway: Duration::ZERO,
        replace: Some(Replace { as_read: &as_read, form: &form }),
        append: None,
        joins: outlives_its_index(record, &after),
    };
    match engine.step(record.id, &step, deadline).await? {
        Stepped::Replaced(_) => Ok(Settled::Done(Arc::new(after))),
        Stepped::Refused(read, _) => Ok(Settled::Refused(read)),
        Stepped::Appended { .. } | Stepped::Denied(_) => {
            Err(Failure::corrupt("the engine's answer does not match the request"))
        }
    }
}

/// Returns the change of the index that has to precede a touch, if any.
///
/// A session without an absolute timeout may be used for longer than its index keeps it, so the
/// index is updated after every 200 days of use.
fn outlives_its_index<'r>(before: &Record, after: &'r Record) -> Option<Joins<'r>> {
    let meta = &after.meta;
    let principal = meta.principal.as_ref().filter(|_| meta.absolute.is_none())?;
    let periods =
        |at: Timestamp| at.since(meta.created).as_millis() / (MAX_LIFETIME.as_millis() / 2);
    (periods(before.meta.last_seen) != periods(meta.last_seen))
        .then(|| Joins::of(after, principal, SignIn::default(), false))
}

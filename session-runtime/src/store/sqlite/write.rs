//! Writes. Every function runs inside the writer's transaction, and reads before it writes, so that
//! a refusal leaves no trace. The rules of the record decide what a patch or a secret means.

use std::sync::Arc;

use rusqlite::params;

use super::db::Db;
use super::failure::Failure;
use super::read::{self, Loaded};
use super::sign_in::{self, Admitted};
use super::value::{self, Age, Id};
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::form::{self, Entry, Form};
use crate::record::patch::{Applied, Gone, Outcome, Patch, SignIn};
use crate::record::{Applying, COMMIT_LEEWAY, Due, FormNote, Principal, Record, Visit};
use crate::store::contract::{Created, Lookup};
use crate::store::limits::Limits;
use crate::token::SecretHash;

/// The result of a step that may have to be run several times.
pub(super) enum Stepped<T> {
    Done(T),
    /// It has done a bounded part, and has to be run again.
    Again,
}

/// A change of the record as the caller has read it, computed before its turn in the queue: the
/// writing thread only has to check that the record has not changed.
pub(super) struct Change {
    id: SessionId,
    as_read: Vec<u8>,
    form: Vec<u8>,
    applied: Applied,
}

impl Change {
    /// Computes the change; `None` if only the stored record can decide.
    pub(super) fn of(
        read: &Arc<Record>,
        epoch: u64,
        patch: &Patch,
        limits: &Limits,
        now: Timestamp,
    ) -> Option<Self> {
        if !patch.meta.is_plain() {
            return None;
        }
        // A refusal is not final: the stored record may differ.
        let Applying::Stored(after, applied) = read.apply(epoch, patch, now) else { return None };
        limits.check_change(&read.fields, &after.fields, &patch.ops).ok()?;
        let as_read = form::as_read(read)?;
        let form = form::whole(&after, read.note.stamp + 1).ok()?.value;
        Some(Self { id: read.id, as_read, form, applied })
    }

    /// Writes the change; `None` if the record has changed or ended since it was read.
    pub(super) fn write(self, db: &Db, now: Timestamp) -> Result<Option<Applied>, Failure> {
        let Self { id, as_read, form, applied } = self;
        // A patch is accepted this long after the expiry time.
        let ended = value::millis(now).saturating_sub(crate::clock::millis(COMMIT_LEEWAY) as i64);
        let written = db.prepare(&db.sql.change)?.execute(params![
            Id::from(id),
            form,
            as_read,
            as_read.len() as i64,
            ended
        ])?;
        Ok((written > 0).then_some(applied))
    }
}

/// Applies `patch` by [`Record::apply`].
pub(super) fn apply(
    db: &Db,
    id: SessionId,
    epoch: u64,
    patch: &Patch,
    limits: &Limits,
    now: Timestamp,
) -> Result<Stepped<Outcome>, Failure> {
    let answer = |outcome| Ok(Stepped::Done(outcome));
    let Some(before) = read::record(db, id)? else {
        return answer(Outcome::Gone(Gone::Absent));
    };
    let (after, applied) = match before.apply(epoch, patch, now) {
        Applying::Answer(outcome) => return answer(outcome),
        Applying::Stored(after, applied) => (after, applied),
    };
    if let Err(refused) = limits.check_change(&before.fields, &after.fields, &patch.ops) {
        return answer(Outcome::Refused(refused));
    }
    let evicted = match sign_in::admit(db, &after, patch.meta.sign_in, now)? {
        Admitted::After(evicted) => evicted,
        Admitted::Denied(denied) => return answer(Outcome::Denied(denied)),
        Admitted::Later => return Ok(Stepped::Again),
    };
    replace(db, &before, &after, now)?;
    answer(Outcome::Applied(Applied { evicted, ..applied }))
}

/// Stores a new record.
pub(super) fn create(
    db: &Db,
    record: &Record,
    sign_in: SignIn,
    limits: &Limits,
    now: Timestamp,
) -> Result<Stepped<Created>, Failure> {
    let answer = |created| Ok(Stepped::Done(created));
    let free = match read::entry(db, record.id)? {
        None => true,
        Some(Entry::Tombstone(tombstone)) => tombstone.is_over(now),
        Some(Entry::Record(_)) => false,
    };
    if !free {
        return answer(Created::Exists);
    }
    if let Err(refused) = limits.check_new(&record.fields) {
        return answer(Created::Refused(refused));
    }
    let evicted = match sign_in::admit(db, record, sign_in, now)? {
        Admitted::After(evicted) => evicted,
        Admitted::Denied(denied) => return answer(Created::Denied(denied)),
        Admitted::Later => return Ok(Stepped::Again),
    };
    write(db, &db.sql.insert, record, &form::whole(record, 1)?.value)?;
    answer(Created::Created { evicted })
}

/// Loads a session when the load has to write first: it confirms a pending secret.
pub(super) fn load(
    db: &Db,
    id: SessionId,
    secrets: &[SecretHash],
    visit: Visit,
    now: Timestamp,
) -> Result<Lookup, Failure> {
    match read::load(db, id, secrets, visit, now)? {
        // Another request has already confirmed it, or the session has ended.
        Loaded::Answer(answer) => Ok(answer),
        Loaded::Due(record, due) => Ok(Lookup::Found(settle(db, &record, due, now)?)),
    }
}

/// Writes the activity at `at`, unless the record has ended by then, was seen later or has another
/// epoch.
pub(super) fn touch(db: &Db, id: SessionId, epoch: u64, at: Timestamp) -> Result<(), Failure> {
    let Some(record) = read::record(db, id)? else { return Ok(()) };
    let meta = &record.meta;
    if meta.epoch == epoch && meta.last_seen < at && !meta.is_expired(at) {
        settle(db, &record, Due::Touch, at)?;
    }
    Ok(())
}

fn settle(db: &Db, before: &Record, due: Due, now: Timestamp) -> Result<Arc<Record>, Failure> {
    let mut after = before.clone();
    after.meta.settle(due, now);
    after.note = replace(db, before, &after, now)?;
    Ok(Arc::new(after))
}

/// Replaces the stored form of a session. The indexes are only written if an indexed value has
/// changed.
fn replace(db: &Db, before: &Record, after: &Record, now: Timestamp) -> Result<FormNote, Failure> {
    let Form { value, note, .. } = form::whole(after, before.note.stamp + 1)?;
    let (old, new) = (&before.meta, &after.meta);
    let same_owner = old.principal == new.principal && Age::of(old) == Age::of(new);
    // An expired session may have left the index.
    if !same_owner || old.is_expired(now) {
        write(db, &db.sql.update, after, &value)?;
    } else if old.expires_at() == new.expires_at() {
        db.prepare(&db.sql.update_form)?.execute(params![Id::from(after.id), value])?;
    } else {
        let expires = value::millis(new.expires_at());
        db.prepare(&db.sql.update_expiry)?.execute(params![Id::from(after.id), value, expires])?;
    }
    Ok(note)
}

fn write(db: &Db, sql: &str, record: &Record, form: &[u8]) -> Result<(), Failure> {
    let (meta, age) = (&record.meta, Age::of(&record.meta));
    db.prepare(sql)?.execute(params![
        Id::from(record.id),
        form,
        value::millis(meta.expires_at()),
        meta.principal.as_ref().map(Principal::as_str),
        age.authenticated(),
        age.created(),
    ])?;
    Ok(())
}

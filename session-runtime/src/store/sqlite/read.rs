//! Reads, on any connection. Each session is one row, and so one consistent snapshot.

use std::sync::Arc;

use rusqlite::{OptionalExtension as _, params};

use super::db::Db;
use super::failure::Failure;
use super::value::{self, Id, Place};
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::form::{self, Entry, Raw};
use crate::record::{Due, Judgement, Principal, Record, Visit};
use crate::store::contract::{Cursor, Lookup, Page, Replayed};
use crate::token::SecretHash;

/// The result of a load before anything is written.
pub(super) enum Loaded {
    /// The answer.
    Answer(Lookup),
    /// The record, and what has to be written first.
    Due(Arc<Record>, Due),
}

/// Answers [`SessionStore::load`](crate::store::SessionStore::load). The fields are parsed last, so
/// that a guessed id does not cause that work.
pub(super) fn load(
    db: &Db,
    id: SessionId,
    secrets: &[SecretHash],
    visit: Visit,
    now: Timestamp,
) -> Result<Loaded, Failure> {
    let mut statement = db.prepare(&db.sql.select)?;
    let mut rows = statement.query([Id::from(id)])?;
    let Some(row) = rows.next()? else { return Ok(Loaded::Answer(Lookup::Absent)) };
    let raw = match Raw::read(value::form(row, 0)?)? {
        Raw::Record(raw) => raw,
        Raw::Tombstone(tombstone) => {
            let ended = tombstone.judge(secrets, visit, now);
            return Ok(Loaded::Answer(ended.map_or(Lookup::Absent, Lookup::Ended)));
        }
    };
    Ok(Loaded::Answer(match raw.meta.judge(secrets, visit, now) {
        Judgement::Opens(Due::Nothing) => Lookup::Found(Arc::new(raw.record(id, None)?)),
        Judgement::Opens(due) => return Ok(Loaded::Due(Arc::new(raw.record(id, None)?), due)),
        Judgement::Ended(ended) => Lookup::Ended(ended),
        Judgement::Replayed => Lookup::Replayed(Replayed::of(&raw.meta)),
        Judgement::Expired(because) => Lookup::Expired(because),
        Judgement::Absent => Lookup::Absent,
    }))
}

/// Returns the live record `id`, if it still has this `epoch`.
pub(super) fn reload(
    db: &Db,
    id: SessionId,
    epoch: u64,
    now: Timestamp,
) -> Result<Option<Arc<Record>>, Failure> {
    let record = record(db, id)?;
    Ok(record.filter(|record| record.meta.epoch == epoch && !record.meta.is_expired(now)))
}

/// Returns what is stored under `id`.
pub(super) fn entry(db: &Db, id: SessionId) -> Result<Option<Entry>, Failure> {
    let mut statement = db.prepare(&db.sql.select)?;
    let mut rows = statement.query([Id::from(id)])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(form::decode(id, value::form(row, 0)?, None)?))
}

/// Returns the record `id`, live or not.
pub(super) fn record(db: &Db, id: SessionId) -> Result<Option<Arc<Record>>, Failure> {
    Ok(match entry(db, id)? {
        Some(Entry::Record(record)) => Some(record),
        Some(Entry::Tombstone(_)) | None => None,
    })
}

/// Returns a page of the live sessions of `principal`, oldest first. At most `limit` rows are read.
pub(super) fn list(
    db: &Db,
    principal: &Principal,
    from: &Place,
    limit: usize,
    now: Timestamp,
) -> Result<Page, Failure> {
    let rows = limit.clamp(1, i32::MAX as usize);
    let mut page = Page::default();
    let mut last = None;
    let mut seen = 0;
    page_of(db, principal, from, rows, |id, form, place| {
        if let Entry::Record(record) = form::decode(id, form, None)?
            && !record.meta.is_expired(now)
        {
            page.records.push(record);
        }
        seen += 1;
        last = Some(place);
        Ok(())
    })?;
    page.next = last.filter(|_| seen == rows).map(|place| place.cursor());
    Ok(page)
}

/// Calls `tell` with id, form and place of at most `limit` sessions of `principal` after `from`.
pub(super) fn page_of(
    db: &Db,
    principal: &Principal,
    from: &Place,
    limit: usize,
    mut tell: impl FnMut(SessionId, &[u8], Place) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut statement = db.prepare(&db.sql.page_of)?;
    let mut rows = statement.query(params![
        principal.as_str(),
        from.age().authenticated(),
        from.age().created(),
        from.expires(),
        from.text(),
        limit as i64,
    ])?;
    while let Some(row) = rows.next()? {
        let place = Place::read(row, 0)?;
        tell(place.id()?, value::form(row, 4)?, place)?;
    }
    Ok(())
}

/// Returns a page of all live sessions, ordered by id.
pub(super) fn scan(
    db: &Db,
    after: Option<SessionId>,
    limit: usize,
    now: Timestamp,
) -> Result<Page, Failure> {
    let limit = limit.clamp(1, i32::MAX as usize);
    let after = after.map_or_else(String::new, |id| id.to_string());
    let mut statement = db.prepare(&db.sql.scan)?;
    let mut rows = statement.query(params![after, value::millis(now), limit as i64])?;
    let mut page = Page::default();
    let (mut last, mut seen) = (None, 0);
    while let Some(row) = rows.next()? {
        let id = value::id(row, 0)?;
        if let Entry::Record(record) = form::decode(id, value::form(row, 1)?, None)? {
            page.records.push(record);
        }
        (last, seen) = (Some(id), seen + 1);
    }
    page.next = last.filter(|_| seen == limit).map(Cursor::after);
    Ok(page)
}

/// Returns the number of live sessions.
pub(super) fn count(db: &Db, now: Timestamp) -> Result<u64, Failure> {
    let count: i64 =
        db.prepare(&db.sql.count)?.query_row([value::millis(now)], |row| row.get(0))?;
    Ok(count.cast_unsigned())
}

/// Returns when all sessions of `principal` were last revoked, if that is still remembered.
pub(super) fn revoked(db: &Db, principal: &Principal) -> Result<Option<Timestamp>, Failure> {
    let mut statement = db.prepare(&db.sql.revoked)?;
    let at = statement.query_row([principal.as_str()], |row| row.get(0)).optional()?;
    Ok(at.map(value::time))
}

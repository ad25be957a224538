//! What is read, on any connection. Each record is one statement, and so one
//! snapshot.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::failure::Failure;
use super::row::{self, FieldRows, Id, META_COLUMNS, meta_columns};
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::{Due, Ended, EndedBy, Judgement, Meta, Principal, Record};
use crate::store::contract::{Cursor, Lookup, Page, Touch, Visit};
use crate::token::SecretHash;

const META: &str = concat!("SELECT ", meta_columns!(), " FROM session s WHERE s.id = ?1");
const RECORD: &str = concat!(
    "SELECT ",
    meta_columns!(),
    ", f.name, f.value FROM session s LEFT JOIN session_field f ON f.session_id = s.id \
     WHERE s.id = ?1"
);
const SCAN: &str = concat!(
    "SELECT ",
    meta_columns!(),
    ", f.name, f.value, s.id FROM (SELECT * FROM session WHERE id > ?1 AND expires > ?2 \
     ORDER BY id LIMIT ?3) s LEFT JOIN session_field f ON f.session_id = s.id ORDER BY s.id"
);
const LIST: &str = concat!(
    "SELECT ",
    meta_columns!(),
    ", f.name, f.value, s.id FROM (SELECT * FROM session WHERE principal = ?1 AND expires > ?2 \
     AND id > ?3 ORDER BY id LIMIT ?4) s LEFT JOIN session_field f ON f.session_id = s.id \
     ORDER BY s.id"
);

/// What a load found without writing.
pub(super) enum Loaded {
    /// The answer, but for a touch.
    Answer(Lookup),
    /// The record, by its pending secret: the writer has to confirm that.
    Pending(Box<Record>),
}

/// What [`SessionStore::load`](crate::store::SessionStore::load) answers, without
/// the touch.
pub(super) fn load(
    db: &Connection,
    id: SessionId,
    secrets: &[SecretHash],
    visit: Visit,
    now: Timestamp,
) -> Result<Loaded, Failure> {
    let visit = Visit { touch: Touch::Never, ..visit };
    let judge = |meta: &Meta| meta.judge(secrets, visit, now);
    let opens = |meta: &Meta| matches!(judge(meta), Judgement::Opens(_));
    Ok(Loaded::Answer(match record_if(db, id, opens)? {
        Read::Record(record) => match judge(&record.meta) {
            Judgement::Opens(Due::Confirmation { .. }) => return Ok(Loaded::Pending(record)),
            _ => Lookup::Found(Arc::new(*record)),
        },
        Read::Unwanted(meta) => match judge(&meta) {
            Judgement::Ended(ended) => Lookup::Ended(ended),
            Judgement::Replayed => Lookup::Replayed,
            _ => Lookup::Absent,
        },
        Read::Missing => ended(db, id, secrets, now)?.map_or(Lookup::Absent, Lookup::Ended),
    }))
}

/// The live record `id`, if it still has this `epoch`.
pub(super) fn reload(
    db: &Connection,
    id: SessionId,
    epoch: u64,
    now: Timestamp,
) -> Result<Option<Arc<Record>>, Failure> {
    let read = record_if(db, id, |meta| meta.epoch == epoch && !meta.is_expired(now))?;
    Ok(match read {
        Read::Record(record) => Some(Arc::new(*record)),
        Read::Unwanted(_) | Read::Missing => None,
    })
}

/// The record `id`, live or not.
pub(super) fn record(db: &Connection, id: SessionId) -> Result<Option<Record>, Failure> {
    Ok(match record_if(db, id, |_| true)? {
        Read::Record(record) => Some(*record),
        Read::Unwanted(_) | Read::Missing => None,
    })
}

/// The record's own data, live or not.
pub(super) fn meta(db: &Connection, id: SessionId) -> Result<Option<Meta>, Failure> {
    let mut statement = db.prepare_cached(META)?;
    let mut rows = statement.query([Id::from(id)])?;
    rows.next()?.map(row::meta).transpose()
}

/// A page of the live sessions of `principal`, in the order of their ids.
pub(super) fn list(
    db: &Connection,
    principal: &Principal,
    after: Option<SessionId>,
    limit: usize,
    now: Timestamp,
) -> Result<Page, Failure> {
    let limit = limit.clamp(1, i32::MAX as usize);
    let after = after.map_or_else(String::new, |id| id.to_string());
    let parameters = params![principal.as_str(), row::millis(now), after, limit as i64];
    let records = records(db, LIST, parameters)?;
    let last = records.last().filter(|_| records.len() == limit);
    Ok(Page { next: last.map(|record| Cursor::after(record.id)), records })
}

/// A page of all live sessions, in the order of their ids.
pub(super) fn scan(
    db: &Connection,
    after: Option<SessionId>,
    limit: usize,
    now: Timestamp,
) -> Result<Page, Failure> {
    let limit = limit.clamp(1, i32::MAX as usize);
    let after = after.map_or_else(String::new, |id| id.to_string());
    let records = records(db, SCAN, params![after, row::millis(now), limit as i64])?;
    let last = records.last().filter(|_| records.len() == limit);
    Ok(Page { next: last.map(|record| Cursor::after(record.id)), records })
}

/// The records of a statement that gives their fields one after the other, and
/// the id last.
fn records(
    db: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<Arc<Record>>, Failure> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    let mut all = Vec::new();
    let mut current: Option<(SessionId, Meta, FieldRows)> = None;
    let finish = |(id, meta, fields): (SessionId, Meta, FieldRows)| -> Result<_, Failure> {
        Ok(Arc::new(Record::new(id, meta, fields.finish()?)))
    };
    while let Some(row) = rows.next()? {
        let id = id(row, META_COLUMNS + 2)?;
        if current.as_ref().is_none_or(|(last, ..)| *last != id) {
            let next = (id, row::meta(row)?, FieldRows::default());
            all.extend(current.replace(next).map(finish).transpose()?);
        }
        if let Some((_, _, fields)) = &mut current {
            fields.read(row, META_COLUMNS)?;
        }
    }
    all.extend(current.map(finish).transpose()?);
    Ok(all)
}

/// How many sessions are live.
pub(super) fn count(db: &Connection, now: Timestamp) -> Result<u64, Failure> {
    let mut statement = db.prepare_cached("SELECT count(*) FROM session WHERE expires > ?1")?;
    let count: i64 = statement.query_row([row::millis(now)], |row| row.get(0))?;
    Ok(count.cast_unsigned())
}

/// An id out of a column.
pub(super) fn id(row: &Row<'_>, column: usize) -> Result<SessionId, Failure> {
    let text = row.get_ref(column)?.as_str().map_err(|_| Failure::corrupt("session id"))?;
    text.parse().map_err(|_| Failure::corrupt("session id"))
}

enum Read {
    Record(Box<Record>),
    /// Its fields were not looked at.
    Unwanted(Box<Meta>),
    Missing,
}

/// When all sessions of `principal` were revoked last, if that is remembered.
pub(super) fn revoked(
    db: &Connection,
    principal: &Principal,
) -> Result<Option<Timestamp>, Failure> {
    let sql = "SELECT at FROM session_revocation WHERE principal = ?1";
    let mut statement = db.prepare_cached(sql)?;
    let at = statement.query_row([principal.as_str()], |row| row.get(0)).optional()?;
    Ok(at.map(row::time))
}

/// Tells the name and the length of each field of `id`.
pub(super) fn sizes(
    db: &Connection,
    id: SessionId,
    mut size: impl FnMut(&str, usize),
) -> Result<(), Failure> {
    let sql = "SELECT name, octet_length(value) FROM session_field WHERE session_id = ?1";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([Id::from(id)])?;
    while let Some(row) = rows.next()? {
        let name = row.get_ref(0)?.as_str().map_err(|_| Failure::corrupt("field name"))?;
        size(name, usize::try_from(row.get::<_, i64>(1)?).unwrap_or(0));
    }
    Ok(())
}

fn record_if(
    db: &Connection,
    id: SessionId,
    wanted: impl FnOnce(&Meta) -> bool,
) -> Result<Read, Failure> {
    let mut statement = db.prepare_cached(RECORD)?;
    let mut rows = statement.query([Id::from(id)])?;
    let Some(first) = rows.next()? else { return Ok(Read::Missing) };
    let meta = row::meta(first)?;
    if !wanted(&meta) {
        return Ok(Read::Unwanted(Box::new(meta)));
    }
    let mut fields = FieldRows::default();
    fields.read(first, META_COLUMNS)?;
    while let Some(row) = rows.next()? {
        fields.read(row, META_COLUMNS)?;
    }
    Ok(Read::Record(Box::new(Record::new(id, meta, fields.finish()?))))
}

fn ended(
    db: &Connection,
    id: SessionId,
    secrets: &[SecretHash],
    now: Timestamp,
) -> Result<Option<Ended>, Failure> {
    let sql = "SELECT secret, ended_by, ended_at FROM session_tombstone \
               WHERE id = ?1 AND until > ?2";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params![Id::from(id), row::millis(now)])?;
    while let Some(row) = rows.next()? {
        // Compared here, not in SQL: in constant time.
        let theirs = SecretHash::from_bytes(row.get(0)?);
        if secrets.contains(&theirs) {
            let by = if row.get(1)? { EndedBy::Elsewhere } else { EndedBy::Browser };
            return Ok(Some(Ended::new(by, row::time(row.get(2)?))));
        }
    }
    Ok(None)
}

/// Whether any tombstone stands for `id`.
pub(super) fn has_tombstone(
    db: &Connection,
    id: SessionId,
    now: Timestamp,
) -> Result<bool, Failure> {
    let sql = "SELECT 1 FROM session_tombstone WHERE id = ?1 AND until > ?2 LIMIT 1";
    let mut statement = db.prepare_cached(sql)?;
    let found =
        statement.query_row(params![Id::from(id), row::millis(now)], |_| Ok(())).optional()?;
    Ok(found.is_some())
}

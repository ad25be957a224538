//! What is written. Every function runs inside the writer's transaction, and
//! reads before it writes: a refusal leaves no trace.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::failure::Failure;
use super::read::Loaded;
use super::row::{self, FieldRows, Id, Json};
use super::{read, sweep};
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::patch::{
    Conflict, Denied, Expect, FieldOp, Gone, MetaPatch, Op, Outcome, Patch, Refused, SignIn,
};
use crate::record::{Applying, EndedBy, Fields, Judgement, Meta, Principal, Record, TOMBSTONE};
use crate::store::contract::{Created, Cursor, Lookup, Revoke, Revoked, Visit};
use crate::store::limits::{self, Growth, Limits};
use crate::store::packed;
use crate::token::SecretHash;

/// Applies `patch` with [`Record::apply`], on a record that holds only the
/// fields which the patch looks at.
pub(super) fn apply(
    db: &Connection,
    id: SessionId,
    epoch: u64,
    patch: &Patch,
    limits: &Limits,
    now: Timestamp,
) -> Result<Outcome, Failure> {
    let Some(meta) = read::meta(db, id)? else { return Ok(Outcome::Gone(Gone::Absent)) };
    let before = Arc::new(Record::new(id, meta, read_fields(db, id, patch)?));
    match before.apply(epoch, patch, now) {
        Applying::Answer(Outcome::Conflict(conflict)) => {
            let current = read::record(db, id)?.map_or(before, Arc::new);
            Ok(Outcome::Conflict(Conflict { current, ..conflict }))
        }
        Applying::Answer(answer) => Ok(answer),
        Applying::Stored(after, applied) => {
            if let Err(refused) = fits(db, patch, &after, limits)? {
                return Ok(Outcome::Refused(refused));
            }
            if let Err(denied) = admit(db, &after, patch.meta.sign_in, now)? {
                return Ok(Outcome::Denied(denied));
            }
            write_fields(db, patch, &before.fields, &after)?;
            if patch.meta == MetaPatch::default() {
                // Naming no indexed column keeps the indexes out of it.
                let sql = "UPDATE session SET rev = ?2, patches = ?3 WHERE id = ?1";
                let patches = packed::patches_bytes(&after.meta.patches);
                let rev = after.meta.rev.cast_signed();
                db.prepare_cached(sql)?.execute(params![Id::from(id), rev, patches])?;
            } else {
                write_meta(db, UPDATE, id, &after.meta)?;
            }
            Ok(Outcome::Applied(applied))
        }
    }
}

/// Whether the record may become as large as `after`, which holds only some of
/// its fields.
fn fits(
    db: &Connection,
    patch: &Patch,
    after: &Record,
    limits: &Limits,
) -> Result<Result<(), Refused>, Failure> {
    if !limits::may_grow(&patch.ops) || *limits == Limits::NONE {
        return Ok(Ok(()));
    }
    let mut total = 0;
    let change = |op: &'_ FieldOp| after.fields.get(&op.name).map(<[u8]>::len);
    let mut changes: Vec<_> =
        patch.ops.iter().map(|op| Growth::new(&op.name, None, change(op))).collect();
    read::sizes(db, after.id, |name, bytes| {
        let size = name.len() + bytes;
        total += size;
        for change in changes.iter_mut().filter(|change| change.name == name) {
            change.before = size;
        }
    })?;
    Ok(limits.check(&changes, || total))
}

/// Whether the sign-in into `record` may be stored. Ends the sessions that
/// make room for it.
fn admit(
    db: &Connection,
    record: &Record,
    sign_in: SignIn,
    now: Timestamp,
) -> Result<Result<(), Denied>, Failure> {
    let Some(principal) = record.meta.principal.as_ref() else { return Ok(Ok(())) };
    if sign_in.is_unconditional() {
        return Ok(Ok(()));
    }
    let mut others = Vec::new();
    if sign_in.cap.is_some() {
        others = read::list(db, principal, None, usize::MAX, now)?.records;
        others.retain(|other| other.id != record.id);
    }
    let revoked = read::revoked(db, principal)?;
    match sign_in.admit(others.iter().map(|other| &**other), revoked) {
        Err(denied) => Ok(Err(denied)),
        Ok(evicted) => {
            for id in evicted {
                delete(db, id, EndedBy::Elsewhere, now)?;
            }
            Ok(Ok(()))
        }
    }
}

/// The fields whose stored value decides something.
fn read_fields(db: &Connection, id: SessionId, patch: &Patch) -> Result<Fields, Failure> {
    let expected = patch.expect.iter().filter_map(|expect| match expect {
        Expect::Rev(_) | Expect::Version { .. } => None,
        Expect::Field { name, .. } => Some(&**name),
    });
    let read = patch.ops.iter().filter(|op| reads(&op.op)).map(|op| &*op.name);
    let mut fields = FieldRows::default();
    for name in expected.chain(read) {
        let sql = "SELECT value FROM session_field WHERE session_id = ?1 AND name = ?2";
        let mut statement = db.prepare_cached(sql)?;
        let mut rows = statement.query(params![Id::from(id), name])?;
        if let Some(row) = rows.next()? {
            fields.push(name.as_bytes(), row::json(row, 0)?);
        }
    }
    fields.finish()
}

const fn reads(op: &Op) -> bool {
    match op {
        Op::Set(_) | Op::Remove => false,
        Op::RemoveIf(_) | Op::Add(_) | Op::Take => true,
    }
}

fn write_fields(
    db: &Connection,
    patch: &Patch,
    before: &Fields,
    after: &Record,
) -> Result<(), Failure> {
    for op in &patch.ops {
        let (id, name) = (Id::from(after.id), &*op.name);
        match after.fields.get(name) {
            Some(value) if before.get(name) == Some(value) => {}
            Some(value) => {
                let sql = "INSERT INTO session_field (session_id, name, value) VALUES (?1, ?2, ?3) \
                           ON CONFLICT DO UPDATE SET value = excluded.value";
                db.prepare_cached(sql)?.execute(params![id, name, Json(value)])?;
            }
            None => {
                let sql = "DELETE FROM session_field WHERE session_id = ?1 AND name = ?2";
                db.prepare_cached(sql)?.execute(params![id, name])?;
            }
        }
    }
    Ok(())
}

const UPDATE: &str = "UPDATE session SET secret = ?2, epoch = ?3, rev = ?4, created = ?5, \
    last_seen = ?6, authenticated = ?7, idle = ?8, absolute = ?9, expires = ?10, remember = ?11, \
    principal = ?12, patches = ?13, retired = ?14, secret_since = ?15, next_secret = ?16, \
    next_nonce = ?17, previous_secret = ?18, previous_at = ?19, versions = ?20, realm = ?21, last_principal = ?22 \
    WHERE id = ?1";
const INSERT: &str = "INSERT INTO session (id, secret, epoch, rev, created, last_seen, \
    authenticated, idle, absolute, expires, remember, principal, patches, retired, secret_since, \
    next_secret, next_nonce, previous_secret, previous_at, versions, realm, last_principal) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, \
    ?20, ?21, ?22)";

fn write_meta(db: &Connection, sql: &str, id: SessionId, meta: &Meta) -> Result<(), Failure> {
    let (pending, previous) = (meta.renewal.pending(), meta.renewal.previous());
    db.prepare_cached(sql)?.execute(params![
        Id::from(id),
        meta.secret.as_bytes(),
        meta.epoch.cast_signed(),
        meta.rev.cast_signed(),
        row::millis(meta.created),
        row::millis(meta.last_seen),
        meta.authenticated.map(row::millis),
        meta.idle.map(row::saturating),
        meta.absolute.map(row::millis),
        row::millis(meta.expires_at()),
        meta.remember.map(row::saturating),
        meta.principal.as_ref().map(Principal::as_str),
        packed::patches_bytes(&meta.patches),
        packed::retired_bytes(&meta.retired),
        row::millis(meta.secret_since),
        pending.map(|pending| pending.next.as_bytes()),
        pending.map(|pending| &pending.nonce.0),
        previous.map(|previous| previous.secret.as_bytes()),
        previous.map(|previous| row::millis(previous.at)),
        packed::versions_json(&meta.versions),
        (!meta.realm.is_default()).then(|| meta.realm.as_str()),
        meta.last_principal.as_ref().map(|last| last.as_bytes()),
    ])?;
    Ok(())
}

/// Stores a new record.
pub(super) fn create(
    db: &Connection,
    record: &Record,
    sign_in: SignIn,
    limits: &Limits,
    now: Timestamp,
) -> Result<Created, Failure> {
    let id = record.id;
    let mut exists = db.prepare_cached("SELECT 1 FROM session WHERE id = ?1")?;
    let exists = exists.query_row([Id::from(id)], |_| Ok(())).optional()?.is_some();
    if exists || read::has_tombstone(db, id, now)? {
        return Ok(Created::Exists);
    }
    if let Err(refused) = limits.check_new(&record.fields) {
        return Ok(Created::Refused(refused));
    }
    if let Err(denied) = admit(db, record, sign_in, now)? {
        return Ok(Created::Denied(denied));
    }
    write_meta(db, INSERT, id, &record.meta)?;
    for (name, value) in record.fields.iter() {
        let sql = "INSERT INTO session_field (session_id, name, value) VALUES (?1, ?2, ?3)";
        db.prepare_cached(sql)?.execute(params![Id::from(id), name, Json(value)])?;
    }
    Ok(Created::Created)
}

/// A load by a secret that is pending, which it confirms, touch included.
pub(super) fn load(
    db: &Connection,
    id: SessionId,
    secrets: &[SecretHash],
    visit: Visit,
    now: Timestamp,
) -> Result<Lookup, Failure> {
    let mut record = match read::load(db, id, secrets, visit, now)? {
        // Somebody else confirmed it meanwhile, or the session ended.
        Loaded::Answer(answer) => return Ok(answer),
        Loaded::Pending(record) => record,
    };
    if let Judgement::Opens(due) = record.meta.judge(secrets, visit, now) {
        record.meta.settle(due, now);
    }
    write_meta(db, UPDATE, id, &record.meta)?;
    Ok(Lookup::Found(Arc::new(*record)))
}

/// Writes the activity at `at`, unless the record has ended by then, was seen
/// later or is of another epoch.
pub(super) fn touch(
    db: &Connection,
    id: SessionId,
    epoch: u64,
    at: Timestamp,
) -> Result<(), Failure> {
    let Some(mut meta) = read::meta(db, id)? else { return Ok(()) };
    if meta.epoch == epoch && meta.last_seen < at && !meta.is_expired(at) {
        meta.last_seen = at;
        let sql = "UPDATE session SET last_seen = ?2, expires = ?3 WHERE id = ?1";
        let (seen, expires) = (row::millis(at), row::millis(meta.expires_at()));
        db.prepare_cached(sql)?.execute(params![Id::from(id), seen, expires])?;
    }
    Ok(())
}

/// Destroys a record, and says whether it was live.
pub(super) fn delete(
    db: &Connection,
    id: SessionId,
    by: EndedBy,
    now: Timestamp,
) -> Result<bool, Failure> {
    let Some(meta) = read::meta(db, id)? else { return Ok(false) };
    for secret in meta.secrets(now) {
        entomb(db, id, &secret, by, now)?;
    }
    sweep::remove(db, id)?;
    Ok(!meta.is_expired(now))
}

fn entomb(
    db: &Connection,
    id: SessionId,
    secret: &SecretHash,
    by: EndedBy,
    now: Timestamp,
) -> Result<(), Failure> {
    let sql = "INSERT INTO session_tombstone (id, secret, until, ended_by, ended_at) \
               VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET until = excluded.until, \
               ended_by = excluded.ended_by, ended_at = excluded.ended_at";
    db.prepare_cached(sql)?.execute(params![
        Id::from(id),
        secret.as_bytes(),
        row::millis(now.after(TOMBSTONE)),
        by == EndedBy::Elsewhere,
        row::millis(now)
    ])?;
    Ok(())
}

/// How many sessions one step of a revocation ends.
const REVOKE_STEP: usize = 500;

/// Destroys some sessions of `principal`, and says how many were live.
pub(super) fn revoke(
    db: &Connection,
    principal: &Principal,
    which: Revoke,
    after: Option<SessionId>,
    now: Timestamp,
) -> Result<Revoked, Failure> {
    if which == Revoke::All && after.is_none() {
        let sql = "INSERT INTO session_revocation (principal, at) VALUES (?1, ?2) \
                   ON CONFLICT DO UPDATE SET at = max(at, excluded.at)";
        db.prepare_cached(sql)?.execute(params![principal.as_str(), row::millis(now)])?;
    }
    let mut theirs = Vec::new();
    let sql = "SELECT id FROM session WHERE principal = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
    let mut statement = db.prepare_cached(sql)?;
    let after = after.map_or_else(String::new, |id| id.to_string());
    let mut rows = statement.query(params![principal.as_str(), after, REVOKE_STEP as i64])?;
    while let Some(row) = rows.next()? {
        theirs.push(read::id(row, 0)?);
    }
    let next = theirs.last().filter(|_| theirs.len() == REVOKE_STEP).copied().map(Cursor::after);
    let mut ended = 0;
    for id in theirs.into_iter().filter(|id| which.ends(*id)) {
        ended += u64::from(delete(db, id, EndedBy::Elsewhere, now)?);
    }
    Ok(Revoked::done(ended).and_then(next))
}

//! Removing what is due.

use rusqlite::{Connection, params};

use super::failure::Failure;
use super::row::{self, Id};
use crate::clock::{Timestamp, millis};
use crate::id::SessionId;
use crate::record::{COMMIT_LEEWAY, TICKET_LIFETIME};
use crate::store::contract::Swept;

/// Records in one transaction of the writer's own sweeping: a few
/// milliseconds at most, so that no request waits long behind it.
pub(super) const STEP: usize = 64;

const REMOVE_FIELDS: &str = "DELETE FROM session_field WHERE session_id = ?1";

/// Removes at most `limit` records, and at most `limit` tombstones and
/// revocations each.
///
/// The condition is checked by the statement that removes, inside the
/// writer's transaction: a touch or patch of whatever process comes either
/// before, and then it is not due, or after, and then it finds nothing.
pub(super) fn sweep(db: &Connection, limit: usize, now: Timestamp) -> Result<Swept, Failure> {
    let rows = i64::try_from(limit).unwrap_or(i64::MAX);
    let sql = "DELETE FROM session WHERE id IN \
               (SELECT id FROM session WHERE expires <= ?1 ORDER BY expires LIMIT ?2) RETURNING id";
    let mut removed = 0;
    if let Some(due) = due_before(now) {
        let mut statement = db.prepare_cached(sql)?;
        let ids = statement.query_map(params![due, rows], |row| row.get::<_, String>(0))?;
        // As text: an id that somebody garbled must not end all sweeping.
        for id in ids.collect::<Result<Vec<_>, _>>()? {
            db.prepare_cached(REMOVE_FIELDS)?.execute([id])?;
            removed += 1;
        }
    }
    let sql = "DELETE FROM session_tombstone WHERE (id, secret) IN \
               (SELECT id, secret FROM session_tombstone WHERE until <= ?1 LIMIT ?2)";
    db.prepare_cached(sql)?.execute(params![row::millis(now), rows])?;
    if let Some(due) = revoked_before(now) {
        let sql = "DELETE FROM session_revocation WHERE principal IN \
                   (SELECT principal FROM session_revocation WHERE at < ?1 LIMIT ?2)";
        db.prepare_cached(sql)?.execute(params![due, rows])?;
    }
    Ok(Swept { removed, more: is_due(db, now)? })
}

/// Whether there is anything to sweep. Only looks.
pub(super) fn is_due(db: &Connection, now: Timestamp) -> Result<bool, Failure> {
    let sql = "SELECT EXISTS (SELECT 1 FROM session WHERE expires <= ?1) \
               OR EXISTS (SELECT 1 FROM session_tombstone WHERE until <= ?2) \
               OR EXISTS (SELECT 1 FROM session_revocation WHERE at < ?3)";
    // Nothing expires before 1970.
    let due = due_before(now).unwrap_or(-1);
    let revoked = revoked_before(now).unwrap_or(-1);
    let due = [due, row::millis(now), revoked];
    Ok(db.prepare_cached(sql)?.query_row(due, |row| row.get(0))?)
}

/// Revocations before that are forgotten at `now`. They are remembered to the
/// end of the last login that they may have to stop, that moment included.
fn revoked_before(now: Timestamp) -> Option<i64> {
    now.as_millis().checked_sub(millis(TICKET_LIFETIME)).map(row::saturating)
}

/// Records that expired by then are removable at `now`, see
/// [`Meta::is_removable`](crate::record::Meta::is_removable).
fn due_before(now: Timestamp) -> Option<i64> {
    now.as_millis().checked_sub(millis(COMMIT_LEEWAY)).map(row::saturating)
}

/// Removes one record and its fields.
pub(super) fn remove(db: &Connection, id: SessionId) -> Result<(), Failure> {
    db.prepare_cached("DELETE FROM session WHERE id = ?1")?.execute([Id::from(id)])?;
    remove_fields(db, id)
}

fn remove_fields(db: &Connection, id: SessionId) -> Result<(), Failure> {
    db.prepare_cached(REMOVE_FIELDS)?.execute([Id::from(id)])?;
    Ok(())
}

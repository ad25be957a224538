//! Removing what is due.

use rusqlite::params;

use super::db::Db;
use super::failure::Failure;
use crate::clock::{Timestamp, millis};
use crate::record::{COMMIT_LEEWAY, TICKET_LIFETIME};
use crate::store::contract::Swept;

/// How many records one transaction of the writer's own sweeping removes: a few milliseconds at
/// most, so that no request waits long behind it.
pub(super) const STEP: usize = 64;

/// Removes at most `limit` sessions and tombstones, and at most `limit` revocations.
///
/// The deleting statement itself checks the condition, inside the writer's transaction: a touch or
/// patch of any process comes either before it, and then the record is not due, or after it, and
/// then the record is not found.
pub(super) fn sweep(db: &Db, limit: usize, now: Timestamp) -> Result<Swept, Failure> {
    let rows = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut removed = 0;
    if let Some(due) = due_before(now) {
        let mut statement = db.prepare(&db.sql.sweep)?;
        let mut rows = statement.query(params![due, rows])?;
        while let Some(row) = rows.next()? {
            let tombstone: bool = row.get(0)?;
            removed += usize::from(!tombstone);
        }
    }
    if let Some(due) = revoked_before(now) {
        db.prepare(&db.sql.forget)?.execute(params![due, rows])?;
    }
    Ok(Swept { removed, more: is_due(db, now)? })
}

/// Whether there is anything to sweep. Writes nothing.
pub(super) fn is_due(db: &Db, now: Timestamp) -> Result<bool, Failure> {
    // Nothing expires before 1970.
    let due = [due_before(now), revoked_before(now)].map(|due| due.unwrap_or(-1));
    Ok(db.prepare(&db.sql.is_due)?.query_row(due, |row| row.get(0))?)
}

/// Returns the time before which revocations are forgotten at `now`. They are remembered until the
/// last login that they may have to stop has ended, that moment included.
fn revoked_before(now: Timestamp) -> Option<i64> {
    now.as_millis().checked_sub(millis(TICKET_LIFETIME)).map(saturating)
}

/// Returns the expiry time up to which records are removable at `now` (see
/// [`Meta::is_removable`](crate::record::Meta::is_removable)) and tombstones are over (see
/// [`end`](super::end)).
fn due_before(now: Timestamp) -> Option<i64> {
    now.as_millis().checked_sub(millis(COMMIT_LEEWAY)).map(saturating)
}

fn saturating(millis: u64) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX)
}

//! Removing what is due.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Inner;
use super::failure::Failure;
use super::layout::Tables;
use super::line::Line;
use super::row;
use super::sql::{Batch, Bytes, Id, List, Now};
use super::work::Work;
use super::write;
use crate::clock::millis;
use crate::record::{COMMIT_LEEWAY, TICKET_LIFETIME};
use crate::store::contract::Swept;
use crate::token::random_below;

/// Records in one transaction of the background's own sweeping.
const STEP: usize = 200;

/// A step of at most `limit` records, tombstones and revocations each.
pub(super) struct Sweep<'c> {
    pub(super) tables: &'c Tables,
    pub(super) now: Now,
    pub(super) limit: usize,
}

impl Work for Sweep<'_> {
    type Answer = Swept;

    /// Whoever holds a row is left to it: a touch or a patch comes either
    /// before, and then the row is not due, or after, and then it is not there.
    async fn run(&mut self, line: &mut Line) -> Result<Swept, Failure> {
        let Tables { session, tombstone, revocation, .. } = self.tables;
        let (now, limit) = (self.now, self.limit);
        // One more, to know whether there are more.
        let tail = format!("LIMIT {} FOR UPDATE SKIP LOCKED", limit.saturating_add(1));
        let (leeway, ticket) = (millis(COMMIT_LEEWAY), millis(TICKET_LIFETIME));
        let mut batch = line.begin();
        let expired = batch.push(format_args!(
            "SELECT id FROM {session} FORCE INDEX (session_expires) \
             WHERE expires <= {now} - {leeway} ORDER BY expires {tail}"
        ));
        let dead = batch.push(format_args!(
            "SELECT id, secret FROM {tombstone} FORCE INDEX (session_tombstone_until) \
             WHERE kept_until <= {now} ORDER BY kept_until {tail}"
        ));
        // Remembered to the end of the last login that they may have to stop.
        let revoked = batch.push(format_args!(
            "SELECT principal_key FROM {revocation} FORCE INDEX (session_revocation_at) \
             WHERE revoked_at < {now} - {ticket} ORDER BY revoked_at {tail}"
        ));
        let answers = line.run(batch).await?;
        let all = [expired, dead, revoked].map(|it| answers.rows(it));
        if all.iter().all(|rows| rows.is_empty()) {
            return Ok(Swept::default());
        }
        let more = all.iter().any(|rows| rows.len() > limit);
        let [expired, dead, revoked] = all.map(|rows| &rows[..rows.len().min(limit)]);
        let mut batch = Batch::default();
        // As they are: an id that somebody garbled must not end all sweeping.
        let ids = expired
            .iter()
            .map(|row| Ok(Bytes(row::bytes(row, 0)?.unwrap_or_default()).to_string()));
        let ids = ids.collect::<Result<Vec<_>, Failure>>()?;
        write::remove(&mut batch, self.tables, &ids);
        for row in dead {
            let secret = Bytes(row::bytes(row, 1)?.unwrap_or_default());
            let id = Id(row::id(row)?);
            batch.push(format_args!(
                "DELETE FROM {tombstone} WHERE id = {id} AND secret = {secret}"
            ));
        }
        if !revoked.is_empty() {
            let keys = revoked.iter().map(|row| Ok(Bytes(row::bytes(row, 0)?.unwrap_or_default())));
            let keys = keys.collect::<Result<Vec<_>, Failure>>()?;
            let keys = List(keys.iter());
            batch.push(format_args!("DELETE FROM {revocation} WHERE principal_key IN ({keys})"));
        }
        line.commit(batch).await?;
        Ok(Swept { removed: expired.len(), more })
    }
}

/// Sweeps until the store is gone. Errors end a round, not the sweeper.
pub(super) async fn run(store: Weak<Inner>, interval: Duration) {
    loop {
        // Processes that were started together do not stay together.
        tokio::time::sleep(interval - interval / 4 + random_below(interval / 2)).await;
        loop {
            let Some(inner) = store.upgrade() else { return };
            match round(&inner).await {
                Ok(Swept { more: true, .. }) => {}
                Ok(_) => break,
                Err(failure) => {
                    tracing::warn!(%failure, "expired sessions were not removed; trying again later");
                    break;
                }
            }
        }
    }
}

async fn round(inner: &Arc<Inner>) -> Result<Swept, Failure> {
    let now = Now::of(&inner.clock);
    inner.perform(&mut Sweep { tables: &inner.tables, now, limit: STEP }).await
}

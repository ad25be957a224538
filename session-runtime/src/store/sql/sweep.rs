//! Removing what is due.

use std::sync::Arc;
use std::time::Duration;

use super::dialect::millis;
use super::line::Line;
use super::server::{Server, Work};
use super::statements::BATCH;
use super::{Arg, Dialect, Fault};
use crate::clock::{FAR, Timestamp};
use crate::record::{COMMIT_LEEWAY, TICKET_LIFETIME};
use crate::store::contract::Swept;
use crate::store::engine::Doubt;
use crate::token::random_below;

/// How many sessions one transaction removes: a few milliseconds.
const STEP: usize = 256;

/// Removes at most `limit` sessions and tombstones, and at most `limit` revocations.
///
/// Skips locked rows: a touch or a patch comes either before, and then the session is not due, or
/// after, and then it does not find the session.
pub(super) struct Sweep {
    pub(super) limit: usize,
}

impl<D: Dialect> Work<D> for Sweep {
    type Answer = Swept;

    async fn run(&mut self, line: &mut Line<'_, D>, _: Doubt) -> Result<Swept, Fault> {
        let limit = self.limit.min(STEP);
        // One more, to know whether more are due.
        let rows = Arg::Int(limit as i64 + 1);
        line.begin().await?;
        let now = line.time().await?;
        let due = before(now, COMMIT_LEEWAY);
        let mut found = line.run(&line.sql().due, &[Arg::Int(due), rows]).await?.rows;
        let mut more = found.len() > limit;
        found.truncate(limit);
        let (mut removed, mut over, mut alive) = (0, Vec::new(), Vec::new());
        for mut row in found {
            // Not parsed: a damaged id must not stop all sweeping.
            let id = row.text(0)?;
            if row.int(2)? > due {
                // Visits have extended it.
                alive.push(id);
                continue;
            }
            removed += usize::from(row.bytes(1)? != b"t");
            over.push(id);
        }
        // Revocations are remembered until the last login that they may have to stop has ended,
        // that moment included.
        let old = Arg::Int(before(now, TICKET_LIFETIME));
        let mut marks = line.run(&line.sql().old_marks, &[old, rows]).await?.rows;
        more |= marks.len() > limit;
        marks.truncate(limit);
        let marks = marks.into_iter().map(|mut row| row.bytes(0)).collect::<Result<Vec<_>, _>>()?;
        let sql = line.sql();
        batches(line, &sql.delete_batch, &over, |id| Arg::Text(id)).await?;
        batches(line, &sql.postpone_batch, &alive, |id| Arg::Text(id)).await?;
        batches(line, &sql.forget_batch, &marks, |mark| Arg::Bytes(mark)).await?;
        line.commit().await?;
        Ok(Swept { removed, more })
    }
}

/// Returns the time `by` before `now`, but not before 1970.
fn before(now: Timestamp, by: Duration) -> i64 {
    millis(now).saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)).max(-1)
}

/// Runs a statement that takes a list of [`BATCH`] items.
async fn batches<D: Dialect, T: Sync>(
    line: &mut Line<'_, D>,
    sql: &str,
    items: &[T],
    arg: impl Fn(&T) -> Arg<'_> + Send + Sync,
) -> Result<(), Fault> {
    for batch in items.chunks(BATCH) {
        let args: Vec<_> = batch.iter().cycle().take(BATCH).map(&arg).collect();
        line.run(sql, &args).await?;
    }
    Ok(())
}

/// Sweeps until it is aborted. An error ends a round, not the sweeper.
pub(super) async fn run<D: Dialect>(server: Arc<Server<D>>, every: Duration) {
    loop {
        // Nodes that were started together drift apart.
        let every = every.min(FAR);
        let pause = every.mul_f64(0.9) + random_below(every.mul_f64(0.2));
        tokio::time::sleep(pause).await;
        loop {
            match server.perform(&mut Sweep { limit: STEP }).await {
                Ok(Swept { more: true, .. }) => {}
                Ok(_) => break,
                Err(failure) => {
                    tracing::warn!(%failure, "sweeping expired sessions; trying again later");
                    break;
                }
            }
        }
    }
}

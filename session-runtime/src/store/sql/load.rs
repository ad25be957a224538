//! Loading a session.

use std::sync::Arc;

use super::line::Line;
use super::server::{Server, Work};
use super::{Arg, Dialect, Fault};
use crate::clock::deadline_after;
use crate::id::SessionId;
use crate::record::{Due, Record, Visit};
use crate::store::contract::Lookup;
use crate::store::engine::{self, Doubt, Failure, Found};
use crate::token::SecretHash;

pub(super) async fn load<D: Dialect>(
    server: &Server<D>,
    id: SessionId,
    secrets: &[SecretHash],
    visit: Visit,
) -> Result<Lookup, Failure> {
    let deadline = server.deadline();
    let read = server.perform_by(deadline, &mut Look { id }).await?;
    let (record, due) = match engine::judge(id, &read, secrets, visit)? {
        Found::Answer(lookup) => return Ok(lookup),
        Found::Opens(record, Due::Nothing) => return Ok(Lookup::Found(record)),
        Found::Opens(record, due) => (record, due),
    };
    let mut settle = Settle { id, secrets, visit };
    if due != Due::Touch {
        return server.perform_by(deadline, &mut settle).await;
    }
    // Recording activity is worth neither a failed request nor a long wait.
    let soon = deadline.min(deadline_after(server.patience / 4));
    server.perform_by(soon, &mut settle).await.or_else(|failure| {
        tracing::warn!(%id, %failure, "the last activity of a session was not stored");
        Ok(Lookup::Found(record))
    })
}

/// Returns the live record `id`, if it still has this `epoch`.
pub(super) async fn reload<D: Dialect>(
    server: &Server<D>,
    id: SessionId,
    epoch: u64,
) -> Result<Option<Arc<Record>>, Failure> {
    let read = server.perform(&mut Look { id }).await?;
    let record = engine::record_of(id, &read)?;
    Ok(record.filter(|it| it.meta.epoch == epoch && !it.meta.is_expired(read.now)))
}

/// Reads what is stored.
struct Look {
    id: SessionId,
}

impl<D: Dialect> Work<D> for Look {
    type Answer = engine::Read;

    async fn run(&mut self, line: &mut Line<'_, D>, _: Doubt) -> Result<engine::Read, Fault> {
        let args = [line.server().frozen(), Arg::Text(&self.id.to_string())];
        let answer = line.run(&line.sql().select, &args).await?;
        let Some(mut row) = answer.into_first() else { return Ok(engine::Read::default()) };
        let (value, base) = (Some(row.bytes(0)?), row.maybe_bytes(1)?);
        Ok(engine::Read { value, base, now: row.time(2)? })
    }
}

/// Writes what a load has to write, judged again under the lock, so that a touch that waited for it
/// revives nothing.
struct Settle<'c> {
    id: SessionId,
    secrets: &'c [SecretHash],
    visit: Visit,
}

impl<D: Dialect> Work<D> for Settle<'_> {
    type Answer = Lookup;

    async fn run(&mut self, line: &mut Line<'_, D>, _: Doubt) -> Result<Lookup, Fault> {
        line.begin().await?;
        let stored = lock(line, self.id).await?;
        let (record, due) = match engine::judge(self.id, &stored, self.secrets, self.visit)? {
            Found::Answer(lookup) => return Ok(lookup),
            Found::Opens(record, Due::Nothing) => return Ok(Lookup::Found(record)),
            Found::Opens(record, due) => (record, due),
        };
        // The fields have not changed, and so neither has a separate base.
        let (settled, form) = engine::settled(&record, due, stored.now)?;
        let expires = settled.meta.expires_at();
        let args = [Arg::Bytes(&form.value), expires.into(), Arg::Text(&self.id.to_string())];
        line.run(&line.sql().settle, &args).await?;
        line.commit().await?;
        Ok(Lookup::Found(Arc::new(settled)))
    }
}

/// Locks and returns what is stored.
pub(super) async fn lock<D: Dialect>(
    line: &mut Line<'_, D>,
    id: SessionId,
) -> Result<engine::Read, Fault> {
    let answer = line.run(&line.sql().lock, &[Arg::Text(&id.to_string())]).await?;
    let Some(mut row) = answer.into_first() else { return Ok(engine::Read::default()) };
    let now = match row.maybe_time(2)? {
        Some(now) if !line.server().clock.is_frozen() => now,
        _ => line.time().await?,
    };
    Ok(engine::Read { value: Some(row.bytes(0)?), base: row.maybe_bytes(1)?, now })
}

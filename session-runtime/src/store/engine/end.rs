//! Ending a session.

use std::sync::Arc;

use tokio::time::Instant;

use super::load::record_of;
use super::{End, Engine, Entombed, Failure, Pause, Read};
use crate::id::SessionId;
use crate::record::form;
use crate::record::{EndReason, Ended, Record};
use crate::token::PatchId;

/// Destroys a session unconditionally; returns whether it was live.
pub(in crate::store) async fn delete(
    engine: &impl Engine,
    id: SessionId,
    because: EndReason,
    deadline: Instant,
) -> Result<bool, Failure> {
    let ended = Ended::new(because, engine.now());
    let end = End { ended, id: PatchId::next(), as_read: None };
    match engine.entomb(id, &end, deadline).await? {
        Entombed::Ended { was_live } => Ok(was_live),
        Entombed::Absent => Ok(false),
        Entombed::Refused(_) => Err(Failure::corrupt("the engine refused an unconditional step")),
    }
}

/// Destroys a session from elsewhere if `may` returns true for the stored record; returns whether
/// it was live. Decides again whenever the session has changed.
pub(in crate::store) async fn end_if(
    engine: &impl Engine,
    id: SessionId,
    mut read: Read,
    because: EndReason,
    may: impl Fn(&Record) -> bool,
    deadline: Instant,
) -> Result<bool, Failure> {
    let mut pause = Pause::until(deadline);
    let number = PatchId::next();
    loop {
        let Some(record) = record_of(id, &read)?.filter(|record: &Arc<Record>| may(record)) else {
            return Ok(false);
        };
        let as_read = form::as_read(&record);
        let ended = Ended::new(because, read.now);
        let end = End { ended, id: number, as_read: as_read.as_deref() };
        match engine.entomb(id, &end, deadline).await? {
            Entombed::Ended { was_live } => return Ok(was_live),
            Entombed::Absent => return Ok(false),
            Entombed::Refused(current) => read = current,
        }
        pause.again().await?;
    }
}

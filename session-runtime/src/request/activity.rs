//! Activity during a long-running handler.

use std::sync::Arc;
use std::time::Duration;

use super::RequestSession;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::record::Record;
use crate::session::{Backend as _, KeepAlive};
use crate::store::{Lookup, Touch};

/// The longest pause between two checks, so that the end of a session is soon noticed.
const LONGEST: Duration = Duration::from_secs(60 * 60);

impl RequestSession {
    /// Records activity if that is due, and returns the record; `None` if the session is gone.
    pub(super) async fn touch_now(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> Result<Option<Arc<Record>>, SessionError> {
        let engine = &self.engine;
        let Some(record) = engine.within(engine.store.reload(id, epoch)).await? else {
            return Ok(None);
        };
        if !record.meta.touch_is_due(engine.now()) {
            return Ok(Some(record));
        }
        // The epoch has authorised this, whatever token the request came with.
        let secret = [record.meta.secret];
        let visit = engine.store.load(id, &secret, Touch::IfDue.into());
        Ok(match engine.within(visit).await? {
            Lookup::Found(record) | Lookup::Cached(record) if record.meta.epoch == epoch => {
                Some(record)
            }
            _ => None,
        })
    }

    /// Records activity in the background until the guard is dropped, or the session is gone.
    pub(super) fn touch_until_dropped(self: Arc<Self>, id: SessionId, epoch: u64) -> KeepAlive {
        let task = tokio::spawn(async move {
            let mut pause = Duration::ZERO;
            loop {
                tokio::time::sleep(pause).await;
                match self.touch(id, epoch).await {
                    Ok(Some(record)) => pause = record.meta.touch_interval().min(LONGEST),
                    Ok(None) => break,
                    Err(error) => {
                        tracing::debug!(session = %id, %error, "a session could not be kept alive");
                        pause = pause.clamp(Duration::from_secs(1), Duration::from_secs(10));
                    }
                }
            }
        });
        KeepAlive::until(move || task.abort())
    }
}

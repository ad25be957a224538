//! Waits for the end or a change of a session, for sockets and streams.

use std::sync::Arc;
use std::time::Duration;

use super::RequestSession;
use crate::error::SessionError;
use crate::record::{EndReason, Record};
use crate::store::{Lookup, Touch, Visit};
use crate::token::SecretHash;

impl RequestSession {
    /// Waits until the session has ended for this request, or has another revision than `rev`:
    /// returns the reason of the end, or `None`.
    ///
    /// What this layer does, and what the store's feed reports, is noticed at once. Anything else is
    /// looked for at an interval, by loads that a cache may answer, so that a waiting socket costs a
    /// store with a cache nothing.
    pub(super) async fn wait_for(
        &self,
        record: Arc<Record>,
        rev: Option<u64>,
    ) -> Option<EndReason> {
        let engine = &self.engine;
        let principal = record.meta.principal.as_ref().map(|principal| principal.hash());
        // First, so that what happens during a look is not missed.
        let watch = engine.watchers.join(record.id, principal);
        let (mut seen, mut woken) = (record, false);
        loop {
            let interval = engine.config.watch_interval;
            // Who was woken does not ask a cache, which may not have heard of it.
            let pause = match self.look_at(&seen, !woken).await {
                Ok(Standing::Live(record)) => {
                    if rev.is_some_and(|rev| record.meta.rev != rev) {
                        return None;
                    }
                    seen = record;
                    let left = seen.meta.expires_at().since(engine.now());
                    left.clamp(SHORTEST.min(interval), interval)
                }
                Ok(Standing::Over(because)) => return Some(because),
                Err(error) => {
                    tracing::debug!(session = %seen.id, %error, "a watched session cannot be loaded");
                    interval
                }
            };
            woken = tokio::time::timeout(pause, watch.changed()).await.is_ok();
        }
    }

    /// Looks whether the session that was `seen` still is as its epoch says.
    async fn look_at(&self, seen: &Arc<Record>, stale_ok: bool) -> Result<Standing, SessionError> {
        let (engine, meta) = (&self.engine, &seen.meta);
        let visit = Visit { stale_ok, ..Touch::Never.into() };
        let secret: [SecretHash; 1] = [meta.secret];
        let found = engine.within(engine.store.load(seen.id, &secret, visit)).await?;
        let because = match found {
            Lookup::Found(record) | Lookup::Cached(record) if record.meta.epoch == meta.epoch => {
                let acted = record.meta.is_acted();
                if acted && !self.vouch_for_actor(&record, false).await? {
                    return Ok(Standing::Over(EndReason::OtherDevice));
                }
                return Ok(Standing::Live(record));
            }
            Lookup::Found(_) | Lookup::Cached(_) => EndReason::Replaced,
            Lookup::Ended(ended) => ended.because,
            Lookup::Expired(because) => because,
            Lookup::Replayed(_) | Lookup::Absent => EndReason::Unknown,
        };
        // The secret may only have been renewed by age: the epoch decides.
        let current = engine.within(engine.store.reload(seen.id, meta.epoch)).await?;
        Ok(current.map_or(Standing::Over(because), Standing::Live))
    }
}

/// The shortest pause between two looks, if the session is about to expire: this node's clock may be
/// ahead of the store's.
const SHORTEST: Duration = Duration::from_millis(100);

enum Standing {
    Live(Arc<Record>),
    Over(EndReason),
}

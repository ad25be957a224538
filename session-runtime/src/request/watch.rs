//! Waits for the end or a change of a session, for sockets and streams.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::RequestSession;
use crate::error::SessionError;
use crate::record::{Actor, EndReason, Record};
use crate::store::watchers::Told;
use crate::store::{Lookup, Touch, Visit};
use crate::token::SecretHash;

impl RequestSession {
    /// Waits until the session has ended for this request, or has another revision than `rev`:
    /// returns the reason of the end, or `None`.
    ///
    /// What this layer does, and what the store reports or is told, is noticed at once. Anything
    /// else is looked for at an interval, by loads that a cache may answer, so that a waiting socket
    /// costs a store with a cache nothing.
    pub(super) async fn wait_for(
        &self,
        record: Arc<Record>,
        rev: Option<u64>,
    ) -> Option<EndReason> {
        let engine = &self.engine;
        let actor = Actor::of(&record);
        let sessions = [Some(record.id), actor.as_ref().map(|actor| actor.session)];
        let users = [record.meta.principal.as_ref(), actor.as_ref().map(|actor| &actor.principal)];
        let sessions = sessions.into_iter().flatten().map(Told::Changed);
        let users = users.into_iter().flatten().map(|principal| Told::EndedOf(principal.hash()));
        // First, so that what happens during a look is not missed.
        let watch = engine.watchers.join(sessions.chain(users).collect());
        let mut seen = record;
        let mut woken: Option<Instant> = None;
        loop {
            let interval = engine.config.watch_interval;
            let pause = match self.look_at(&seen).await {
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
            let changed = async {
                watch.changed().await;
                // A session that changes all the time, or is said to, is not loaded all the time.
                if let Some(before) = woken {
                    sleep_until(before + BETWEEN_WAKES).await;
                }
            };
            woken = timeout(pause, changed).await.is_ok().then(Instant::now);
        }
    }

    /// Looks whether the session that was `seen` still is as its epoch says.
    async fn look_at(&self, seen: &Arc<Record>) -> Result<Standing, SessionError> {
        let (engine, meta) = (&self.engine, &seen.meta);
        let visit = Visit { stale_ok: true, ..Touch::Never.into() };
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

/// The shortest time between two wakes of one task.
const BETWEEN_WAKES: Duration = Duration::from_millis(100);

enum Standing {
    Live(Arc<Record>),
    Over(EndReason),
}

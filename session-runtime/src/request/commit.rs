//! Stores what the handles of a request have published, one commit at a time.

use std::sync::Arc;

use super::turn::For;
use super::{Attempts, RequestSession, Seen, Work};
use crate::error::SessionError;
use crate::record::Record;
use crate::session::Keep;
use crate::store::EndReason;

/// The outcome of a commit.
#[derive(Clone, Debug)]
pub(crate) enum Committed {
    /// The changes are stored, or there were none.
    Stored,
    /// The session has ended and the changes are lost.
    Lost,
    /// The record has changed since a transaction read it. This is the stored one.
    Outdated(Arc<Record>),
}

impl RequestSession {
    /// Stores those published changes of this request that `keep` selects.
    ///
    /// Must run to completion once begun: see [`ToEnd`].
    pub(crate) async fn commit(self: &Arc<Self>, keep: Keep) -> Result<Committed, SessionError> {
        let turn = self.turn(For::Commit).await;
        // Rare steps are boxed, here and below, because they would enlarge every commit's future.
        if turn.has_destroyed {
            Box::pin(self.delete_destroyed()).await?;
        }
        let committed = self.commit_pending(keep).await;
        // A `destroy()` while the session is being stored wins.
        if let Some(_turn) = turn.end_unless_destroyed() {
            Box::pin(self.delete_destroyed()).await?;
        }
        committed
    }

    async fn delete_destroyed(&self) -> Result<(), SessionError> {
        loop {
            let Some(id) = self.scope.state().destroyed.pop() else { return Ok(()) };
            let because = self.elsewhere.unwrap_or(EndReason::SignedOut);
            match self.engine.end(id, because).await {
                Ok(was_live) => self.deleted(id, was_live),
                Err(error) => {
                    self.scope.state().destroyed.push(id);
                    return Err(error.into());
                }
            }
        }
    }

    async fn commit_pending(self: &Arc<Self>, keep: Keep) -> Result<Committed, SessionError> {
        let (mut pending, seen) = {
            let mut state = self.scope.state();
            let pending = std::mem::take(&mut state.pending);
            let seen = Seen::of(&state, pending.unchanged);
            (pending, seen)
        };
        let generation = seen.generation;
        let failed = pending.failed.take().filter(|_| keep == Keep::Everything);
        let keep = if failed.is_some() { Keep::SignOutOnly } else { keep };
        let asked_for = pending.has_changes();
        let work = Work::Published { pending: &mut pending, keep };
        let mut stored = Attempts::new(self, work, seen).run().await;
        if let (Err(error), false) = (&stored, asked_for) {
            // If the token cannot be rotated now, the next request does it.
            tracing::warn!(%error, "a session token could not be renewed");
            stored = Ok(Committed::Stored);
        }
        if matches!(stored, Err(SessionError::Store(_))) {
            // Nothing was written: another attempt may still succeed.
            let mut state = self.scope.state();
            if state.generation == generation {
                let newer = std::mem::replace(&mut state.pending, pending);
                state.pending.absorb(newer, self.engine.now());
            }
        }
        failed.map_or(stored, |error| Err(*error))
    }
}

//! Stores what the handles of a request have published, one commit at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Attempts, RequestSession, Work};
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
    /// Whether there is anything to store.
    pub(crate) fn has_work(&self) -> bool {
        let state = self.scope.state();
        !state.pending.is_empty() || !state.destroyed.is_empty()
    }

    /// Stores those published changes of this request that `keep` selects.
    ///
    /// Must run to completion once begun: see [`ToEnd`].
    pub(crate) async fn commit(self: &Arc<Self>, keep: Keep) -> Result<Committed, SessionError> {
        let _busy = Busy::on(&self.commits);
        // Rare steps are boxed, here and below, because they would enlarge every commit's future.
        let _turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(_) => Box::pin(self.turn.lock()).await,
        };
        if self.has_destroyed() {
            Box::pin(self.delete_destroyed()).await?;
        }
        let committed = self.commit_pending(keep).await;
        // A `destroy()` while the session is being stored wins.
        if self.has_destroyed() {
            Box::pin(self.delete_destroyed()).await?;
        }
        committed
    }

    /// Whether a commit is in progress.
    pub(crate) fn is_committing(&self) -> bool {
        self.commits.load(Ordering::Acquire) > 0
    }

    /// Whether another commit waits for the current one.
    pub(super) fn other_commits_wait(&self) -> bool {
        self.commits.load(Ordering::Acquire) > 1
    }

    fn has_destroyed(&self) -> bool {
        !self.scope.state().destroyed.is_empty()
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
        let (generation, mut pending) = {
            let mut state = self.scope.state();
            (state.generation, std::mem::take(&mut state.pending))
        };
        let failed = pending.failed.take().filter(|_| keep == Keep::Everything);
        let keep = if failed.is_some() { Keep::SignOutOnly } else { keep };
        let asked_for = pending.has_changes();
        let work = Work::Published { pending: &mut pending, keep };
        let mut stored = Attempts::new(self, work, generation).run().await;
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

/// Counts a commit as in progress while it lives.
struct Busy<'r>(&'r AtomicUsize);

impl<'r> Busy<'r> {
    fn on(commits: &'r AtomicUsize) -> Self {
        commits.fetch_add(1, Ordering::AcqRel);
        Self(commits)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

//! Storing what the handles of a request published, one commit after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Attempts, RequestSession, Work};
use crate::error::SessionError;
use crate::record::Record;
use crate::session::Keep;
use crate::store::EndedBy;

/// What became of a request's changes.
#[derive(Clone, Debug)]
pub(crate) enum Committed {
    /// They are stored, or there were none.
    Stored,
    /// Their session is over; they are gone.
    Lost,
    /// Something changed that a transaction had read. This is stored now.
    Outdated(Arc<Record>),
}

impl RequestSession {
    /// Whether there is anything to store.
    pub(crate) fn has_work(&self) -> bool {
        let state = self.scope.state();
        !state.pending.is_empty() || !state.destroyed.is_empty()
    }

    /// Stores of what the handles of this request published what is to be kept.
    ///
    /// Once begun it must run to its end: see [`ToEnd`].
    pub(crate) async fn commit(self: &Arc<Self>, keep: Keep) -> Result<Committed, SessionError> {
        let _busy = Busy::on(&self.commits);
        // What is rare is boxed here and below: its room would be in every commit.
        let _turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(_) => Box::pin(self.turn.lock()).await,
        };
        if self.has_destroyed() {
            Box::pin(self.delete_destroyed()).await?;
        }
        let committed = self.commit_pending(keep).await;
        // Whoever destroys the session while it is being stored wins.
        if self.has_destroyed() {
            Box::pin(self.delete_destroyed()).await?;
        }
        committed
    }

    /// Whether a commit is under way.
    pub(crate) fn is_committing(&self) -> bool {
        self.commits.load(Ordering::Acquire) > 0
    }

    /// Whether another commit than the one that runs has begun, and waits.
    pub(super) fn other_commits_wait(&self) -> bool {
        self.commits.load(Ordering::Acquire) > 1
    }

    fn has_destroyed(&self) -> bool {
        !self.scope.state().destroyed.is_empty()
    }

    async fn delete_destroyed(&self) -> Result<(), SessionError> {
        loop {
            let Some(id) = self.scope.state().destroyed.pop() else { return Ok(()) };
            match self.engine.within(self.engine.store.delete(id, EndedBy::Browser)).await {
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
            // A token that is not renewed now is renewed the next time.
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

/// Counts a commit as under way as long as it lives.
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

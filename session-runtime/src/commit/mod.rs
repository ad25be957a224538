//! The only place that runs a plan against a store.

mod attempts;
mod outcome;
mod succession;
mod to_end;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) use self::to_end::ToEnd;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::record::Record;
use crate::request::RequestSession;
use crate::session::CookieChange;
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

    /// Stores what the handles of this request published. Unless `keep_fields`,
    /// only what takes privileges away.
    ///
    /// Once begun it must run to its end: see [`ToEnd`].
    pub(crate) async fn commit(
        self: &Arc<Self>,
        keep_fields: bool,
    ) -> Result<Committed, SessionError> {
        let _busy = Busy::on(&self.commits);
        let _turn = self.turn.lock().await;
        self.delete_destroyed().await?;
        let committed = self.commit_pending(keep_fields).await;
        // Whoever destroys the session while it is being stored wins.
        self.delete_destroyed().await?;
        committed
    }

    /// Whether a commit is under way.
    pub(crate) fn is_committing(&self) -> bool {
        self.commits.load(Ordering::Acquire) > 0
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

    fn deleted(&self, id: SessionId, was_live: bool) {
        let mut state = self.scope.state();
        // Somebody else ended it: their answer removes the cookie, and this one
        // may come late and remove that of a new login.
        if was_live || state.cookie.is_some() {
            state.cookie = Some(CookieChange::Remove);
        }
        tracing::debug!(session = %id, was_live, "session destroyed");
    }

    async fn commit_pending(
        self: &Arc<Self>,
        keep_fields: bool,
    ) -> Result<Committed, SessionError> {
        let (generation, mut pending) = {
            let mut state = self.scope.state();
            (state.generation, std::mem::take(&mut state.pending))
        };
        let failed = pending.failed.take().filter(|_| keep_fields);
        let keep_fields = keep_fields && failed.is_none();
        let asked_for = pending.has_changes();
        let mut stored = self.store(&mut pending, keep_fields, generation).await;
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
        failed.map_or(stored, Err)
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

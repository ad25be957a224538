//! How a handle follows its session: destroying, refreshing, reloading, and publishing on drop.

use std::sync::Arc;

use super::core::{Core, Publish};
use super::handle::KeepAlive;
use super::scope::Origin;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::record::{Fields, Record};

impl Core {
    /// Ends the session of this request at once.
    pub(super) fn destroy(&mut self) {
        let backend = Arc::clone(&self.backend);
        let mut state = backend.scope().state();
        // A handle on an earlier session of this request has nothing left to end.
        if state.generation == self.generation {
            state.destroy();
        }
        let (generation, seen) = (state.generation, backend.scope().published());
        drop(state);
        if backend.scope().head_sent() {
            backend.commit_later();
        }
        self.rebase(None, Fields::new(), generation, seen);
    }

    /// Picks up the request's latest state.
    pub(super) fn refresh(&mut self) {
        let backend = Arc::clone(&self.backend);
        let state = backend.scope().state();
        if state.generation != self.generation {
            return;
        }
        let (record, fields) = state.projected(&*backend);
        let seen = backend.scope().published();
        drop(state);
        if fields == *self.fields() {
            // The decoded values are still valid.
            (self.record, self.projected, self.seen) = (record, Some(fields), seen);
        } else {
            self.rebase(record, fields, self.generation, seen);
        }
    }

    /// Picks up the request's latest state and discards everything decoded before.
    pub(super) fn look_again(&mut self) {
        let current = self.backend.scope().state().generation == self.generation;
        if current {
            self.adopt();
        }
    }

    /// Switches to the request's current state, whatever this handle saw before.
    pub(super) fn adopt(&mut self) {
        let backend = Arc::clone(&self.backend);
        let state = backend.scope().state();
        let (generation, seen) = (state.generation, backend.scope().published());
        let (record, fields) = state.projected(&*backend);
        drop(state);
        self.rebase(record, fields, generation, seen);
    }

    pub(super) async fn reload(&mut self) -> Result<(), SessionError> {
        if self.record.is_none() {
            let ended = matches!(self.backend.scope().state().origin, Origin::SignInOnly { .. });
            return if ended { Err(SessionError::Gone) } else { Ok(()) };
        }
        let (id, epoch) = self.authority()?;
        let backend = Arc::clone(&self.backend);
        let Some(fresh) = backend.reload(id, epoch).await? else {
            return Err(SessionError::Gone);
        };
        let mut state = backend.scope().state();
        if state.generation != self.generation {
            return Err(SessionError::Gone);
        }
        state.origin = Origin::Stored(fresh);
        state.stale = false;
        let (record, fields) = state.projected(&*backend);
        let seen = backend.scope().published();
        drop(state);
        self.rebase(record, fields, self.generation, seen);
        Ok(())
    }

    /// Returns the record of this handle as its request knows it: a sign-in by another handle may
    /// have raised the epoch.
    pub(super) fn latest(&self) -> Option<Arc<Record>> {
        let mine = self.record.clone()?;
        let latest = self.backend.scope().state().record().cloned();
        Some(latest.filter(|latest| latest.id == mine.id).unwrap_or(mine))
    }

    /// Returns the session of this handle and the epoch that its request holds.
    fn authority(&self) -> Result<(SessionId, u64), SessionError> {
        let latest = self.latest().ok_or(SessionError::Gone)?;
        Ok((latest.id, latest.meta.epoch))
    }

    /// Records activity.
    pub(super) async fn touch(&self) -> Result<(), SessionError> {
        let (id, epoch) = self.authority()?;
        self.backend.touch(id, epoch).await?.map(drop).ok_or(SessionError::Gone)
    }

    /// Records activity until the guard is dropped.
    pub(super) fn keep_alive(&self) -> Result<KeepAlive, SessionError> {
        let (id, epoch) = self.authority()?;
        Ok(Arc::clone(&self.backend).keep_alive(id, epoch))
    }

    /// Confirms a session from the cache with the store, before other sessions are ended on its
    /// authority.
    pub(crate) async fn vouched(&self) -> Result<(), SessionError> {
        let stale = {
            let state = self.backend.scope().state();
            state.record().filter(|_| state.stale).cloned()
        };
        match stale {
            Some(record) => {
                let stored = self.backend.reload(record.id, record.meta.epoch).await?;
                stored.map(drop).ok_or(SessionError::Gone)
            }
            None => Ok(()),
        }
    }

    /// Publishes the changes when the handle is dropped.
    pub(super) fn publish_at_end(&mut self) {
        self.audit_reads();
        if !self.dirty {
            return;
        }
        if self.backend.scope().head_sent() {
            tracing::error!(
                schema = self.schema.name,
                session = self.record.as_ref().map(|record| tracing::field::display(record.id)),
                fields = ?self.changed_fields(),
                "a session handle was dropped with unsaved changes after the response had started; they are lost: call `save().await`"
            );
            self.forget_changes();
        } else if std::thread::panicking() {
            self.publish(Publish::SignOutOnly);
        } else {
            self.publish(Publish::Last);
        }
    }
}

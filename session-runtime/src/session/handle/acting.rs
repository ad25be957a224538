//! Acting as another user.

use std::sync::Arc;

use crate::error::SessionError;
use crate::record::Actor;
use crate::schema::{HasPrincipal, SessionSchema, principal_of};
use crate::session::Handle;
use crate::session::core::{Core, How};
use crate::session::op::Made;

/// Acting as another user.
impl<S: SessionSchema> Handle<S> {
    /// Returns the user who acts in this session as another one, if one does.
    ///
    /// See [`Authenticated::act_as`](crate::Authenticated::act_as).
    #[must_use]
    pub fn actor(&self) -> Option<S::Principal>
    where
        S: HasPrincipal,
    {
        let actor = self.core.actor()?;
        principal_of::<S>(actor.principal.json())
    }

    /// Ends this session of [acting](crate::Authenticated::act_as) and continues with the actor's
    /// own, under a new token: the response carries the new cookie, and this handle shows the
    /// actor's session. Unsaved changes are discarded.
    ///
    /// Returns `false`, and does nothing, if no user acts in this session.
    ///
    /// # Errors
    ///
    /// [`SessionError::Gone`] if the actor's own session has ended;
    /// [`SessionError::HeadSent`] if the response has started; otherwise what the store reports.
    pub async fn stop_acting(&mut self) -> Result<bool, SessionError> {
        let stopped = Arc::clone(&self.core.backend).stop_acting().await?;
        if stopped {
            self.core.adopt();
        }
        Ok(stopped)
    }

    pub(crate) fn act_as(&mut self, user: S::Principal)
    where
        S: HasPrincipal,
    {
        self.core.put(S::PRINCIPAL.index(), Some(user), How::Acts);
    }
}

impl Core {
    /// Returns who acts in the session as this handle sees it.
    fn actor(&self) -> Option<Actor> {
        let index = self.schema.principal_index()?;
        match self.change(index).map(|change| &change.how) {
            Some(How::Acts) => return Actor::from(self.record.as_ref()?),
            Some(_) => return None,
            None => {}
        }
        match &self.record {
            Some(record) => Actor::of(record),
            // Published, and not stored yet.
            None => {
                let state = self.backend.scope().state();
                let acts = state.pending.ops.iter().any(|op| op.made == Made::Acts);
                state.record().filter(|_| acts).and_then(|record| Actor::from(record))
            }
        }
    }
}

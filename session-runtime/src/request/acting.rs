//! Sessions in which one user acts as another.

use std::sync::Arc;

use super::{Committed, RequestSession};
use crate::error::SessionError;
use crate::record::{Actor, EndReason, Record};
use crate::session::{Keep, Origin};

impl RequestSession {
    /// Whether the user who acts in the session of `record` is still signed in to their own, with
    /// the same privileges. If not, it ends.
    ///
    /// `is_activity`: what they do here keeps their own session alive.
    pub(super) async fn vouch_for_actor(
        &self,
        record: &Record,
        is_activity: bool,
    ) -> Result<bool, SessionError> {
        let own = match Actor::of(record) {
            Some(actor) if is_activity => self.touch_now(actor.session, actor.epoch).await?,
            Some(actor) => {
                let own = self.engine.store.reload(actor.session, actor.epoch);
                self.engine.within(own).await?
            }
            None => None,
        };
        if own.is_none() {
            self.engine.end(record.id, EndReason::OtherDevice).await?;
        }
        Ok(own.is_some())
    }

    /// Continues with the session of the user who acts in this one, under a new token, and ends
    /// this one, that of `record`.
    pub(super) async fn return_to_actor(
        self: Arc<Self>,
        record: Arc<Record>,
    ) -> Result<Committed, SessionError> {
        let Some(actor) = Actor::of(&record) else { return Err(SessionError::Gone) };
        let own = self.engine.store.reload(actor.session, actor.epoch);
        let own = self.engine.within(own).await?.ok_or(SessionError::Gone)?;
        self.engine.vouch_for_realm(&own)?;
        // As in a transaction on that session.
        let attempt = Self::attempt(&self, Origin::Stored(own));
        attempt.scope.state().pending.renew = true;
        match attempt.commit(Keep::Everything).await? {
            Committed::Stored => {}
            Committed::Lost | Committed::Outdated(_) => return Err(SessionError::Gone),
        }
        self.scope.state().abandon();
        self.absorb(&attempt);
        if let Err(error) = self.engine.end(record.id, EndReason::SignedOut).await {
            // The next request in it ends it: the epoch of the other one has changed.
            tracing::debug!(session = %record.id, %error, "a session of acting could not be ended");
        }
        Ok(Committed::Stored)
    }
}

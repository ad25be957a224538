//! Sessions in which one user acts as another.

use std::sync::Arc;

use super::{Committed, RequestSession};
use crate::error::SessionError;
use crate::record::{Actor, EndReason, Record};
use crate::session::{Keep, Origin};
use crate::store::StoreFuture;

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

    /// Ends the session of this request if the user who acts in it is no longer signed in to their
    /// own: then the store refuses what follows.
    pub(super) fn vouch_if_acted(
        &self,
        is_activity: bool,
    ) -> StoreFuture<'_, Result<(), SessionError>> {
        let record = self.scope.state().record().filter(|it| it.meta.is_acted()).map(Arc::clone);
        match record {
            None => StoreFuture::ready(Ok(())),
            Some(record) => StoreFuture::new(async move {
                self.vouch_for_actor(&record, is_activity).await.map(drop)
            }),
        }
    }

    /// Continues with the session of the user who acts in this one, under a new token, and ends
    /// this one, that of `record`.
    pub(super) async fn return_to_actor(
        self: Arc<Self>,
        record: Arc<Record>,
    ) -> Result<Committed, SessionError> {
        if self.scope.head_sent() {
            return Err(SessionError::HeadSent);
        }
        let Some(actor) = Actor::of(&record) else { return Err(SessionError::Gone) };
        let own = self.engine.store.reload(actor.session, actor.epoch);
        let own = self.engine.within(own).await?.ok_or(SessionError::Gone)?;
        self.engine.vouch_for_realm(&own)?;
        // First: requests that are under way here must find an end by this browser, not the loss of
        // the other session's privileges.
        let was_live = self.engine.end(record.id, EndReason::SignedOut).await?;
        self.deleted(record.id, was_live);
        let attempt = Self::attempt(&self, Origin::Stored(own));
        {
            let mut state = attempt.scope.state();
            (state.pending.renew, state.pending.unchanged) = (true, false);
        }
        let renewed = attempt.commit(Keep::Everything).await;
        self.scope.state().abandon();
        match renewed? {
            Committed::Stored => {}
            Committed::Lost | Committed::Outdated(_) => return Err(SessionError::Gone),
        }
        self.absorb(&attempt);
        Ok(Committed::Stored)
    }
}

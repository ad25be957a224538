//! The cookie that follows a rolling session: it is sent again when activity has been recorded.

use std::sync::Arc;
use std::time::Duration;

use super::{RequestSession, cookie};
use crate::session::State;
use crate::transport::Transport;

/// How long after activity was recorded the cookie follows. Another request may have recorded it,
/// and the store's clock may be another one.
const JUST_RECORDED: Duration = Duration::from_secs(60);

impl RequestSession {
    /// Whether the cookie is due to follow the session, whose activity has just been recorded.
    pub(super) fn cookie_follows(&self, state: &State) -> bool {
        let Some(record) = state.record() else { return false };
        let meta = &record.meta;
        let since = || self.engine.now().since(meta.last_seen);
        self.engine.config.policy.rolling
            && state.transport == Transport::Cookie
            && !self.is_passive()
            && meta.remember.is_none()
            && since() < JUST_RECORDED.min(meta.touch_interval() / 10)
    }

    /// Sends the cookie again that is to follow its session, unless its token is an older one or has
    /// a successor. The store is asked once more: another request may have replaced the token since
    /// it was loaded.
    pub(super) async fn follow(&self) {
        let (record, token) = {
            let mut state = self.scope.state();
            let follows = std::mem::take(&mut state.follows) && state.cookie.is_none();
            match (state.record(), &state.token) {
                (Some(record), Some(token)) if follows && !state.lost => {
                    (Arc::clone(record), token.clone())
                }
                _ => return,
            }
        };
        let stored = self.engine.store.reload(record.id, record.meta.epoch);
        // If the store does not answer, a later request does it.
        if let Ok(Some(stored)) = self.engine.within(stored).await
            && stored.meta.renewal.pending().is_none()
            && token.secret_hash(&stored.meta.realm) == stored.meta.secret
        {
            cookie::send_again(&mut self.scope.state(), true);
        }
    }
}

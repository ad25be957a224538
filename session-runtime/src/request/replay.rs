//! Reacts to a token that was replaced long ago.

use std::sync::Arc;

use super::RequestSession;
use super::to_end::spawn;
use crate::config::OnReplay;
use crate::error::SessionError;
use crate::event::{Happening, SecurityEventKind};
use crate::id::SessionId;
use crate::store::{EndReason, Replayed, Revoke};

impl RequestSession {
    /// One of two clients has stolen the token, and there is no telling which. Returns whether the
    /// session has been ended because of it.
    pub(super) async fn on_replay(
        &self,
        id: SessionId,
        replayed: Replayed,
        reaction: OnReplay,
    ) -> Result<bool, SessionError> {
        let Replayed { principal, authenticated } = replayed;
        let event = |kind| Happening::new(kind).of(id).by(principal.as_ref());
        self.engine.happened(&event(SecurityEventKind::Replayed));
        if reaction == OnReplay::Report || !authenticated {
            return Ok(false);
        }
        if self.engine.end(id, EndReason::Replayed).await? {
            let event = event(SecurityEventKind::Revoked).because(EndReason::Replayed);
            self.engine.happened(&event);
        }
        // Those who act as a user are not that user.
        let principal = principal.filter(|principal| !principal.is_acted());
        if let (OnReplay::EndAllOfPrincipal, Some(principal)) = (reaction, principal) {
            let principals = [principal.acted(), principal];
            let engine = Arc::clone(&self.engine);
            spawn(async move {
                if let Err(error) =
                    engine.revoke(&principals, Revoke::All, EndReason::Replayed).await
                {
                    tracing::error!(
                        session = %id,
                        %error,
                        "the other sessions of a user whose token may have been stolen could not be ended"
                    );
                }
            });
        }
        Ok(true)
    }
}

//! What a request comes to once the store has answered.

use std::sync::Arc;

use super::Committed;
use crate::id::SessionId;
use crate::patch::{Applied, Patch};
use crate::record::{Applying, Record};
use crate::request::RequestSession;
use crate::session::{CookieChange, Origin};

/// Who holds a request's session when no handle does.
const COMMIT_AND_RESPONSE: usize = 2;

impl RequestSession {
    /// This request's session is `record` from now on, unless a handle has
    /// destroyed it meanwhile.
    pub(super) fn became(&self, record: Record, cookie: Option<CookieChange>, generation: u32) {
        let mut state = self.scope.state();
        if state.generation != generation {
            state.destroyed.push(record.id);
            return;
        }
        state.origin = Origin::Stored(record.into());
        state.stale = false;
        if let Some(CookieChange::Set { token, .. }) = &cookie {
            state.token = Some(token.clone());
        }
        state.cookie = cookie.or(state.cookie.take());
    }

    /// The record after our patch, as far as this request can know: what
    /// others changed meanwhile is seen by a reload.
    pub(crate) fn applied(
        self: &Arc<Self>,
        origin: &Origin,
        patch: &Patch,
        applied: &Applied,
        mut cookie: Option<CookieChange>,
        generation: u32,
    ) {
        tracing::trace!(rev = applied.rev, ?patch, "session saved");
        let mut state = self.scope.state();
        if state.generation != generation {
            return;
        }
        // The store has just vouched for the epoch.
        state.stale = false;
        if let Some(ours) = &patch.meta.rotate {
            // Another request may have been first: then its nonce counts.
            cookie = match (applied.rotation, &state.token, cookie) {
                (Some(nonce), _, cookie) if nonce == ours.rotation.nonce => cookie,
                (Some(nonce), Some(token), Some(CookieChange::Set { expires, .. })) => {
                    Some(CookieChange::Set { token: token.next(nonce), expires })
                }
                _ => None,
            };
            state.cookie = cookie.take().or(state.cookie.take());
        }
        if let Some(CookieChange::Set { token, .. }) = &cookie {
            state.token = Some(token.clone());
        }
        state.cookie = cookie.or(state.cookie.take());
        // At the end of a request nearly always nobody is left to look.
        let Origin::Stored(before) = origin else { return };
        if !self.is_attempt && Arc::strong_count(self) <= COMMIT_AND_RESPONSE {
            return;
        }
        let after = before.apply(before.meta.epoch, patch, self.engine.now());
        let mut record = match after {
            Applying::Stored(record, _) => Arc::unwrap_or_clone(record),
            Applying::Answer(_) => (**before).clone(),
        };
        record.meta.rev = applied.rev;
        record.meta.epoch = applied.epoch;
        state.origin = Origin::Stored(record.into());
    }

    pub(crate) fn ended(&self, id: SessionId, generation: u32) {
        let mut state = self.scope.state();
        if state.generation == generation {
            state.origin = Origin::Retired { was: Some(id) };
        }
    }

    pub(super) fn lost(&self, explicit: bool) -> Committed {
        self.scope.state().lost |= explicit;
        Committed::Lost
    }
}

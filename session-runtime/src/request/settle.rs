//! Updates the session of a request after the store has answered.

use std::sync::Arc;

use super::cookie::{self, Next};
use super::{Committed, RequestSession};
use crate::event::{Happening, SecurityEventKind};
use crate::id::SessionId;
use crate::record::patch::{Applied, Patch};
use crate::record::{Applying, EndReason, Record};
use crate::session::{CookieChange, Origin, State, Why};

impl RequestSession {
    /// Makes `record` this request's session, unless a handle has destroyed the session meanwhile.
    pub(super) fn became(&self, record: Arc<Record>, cookie: CookieChange, generation: u32) {
        let mut state = self.scope.state();
        if state.generation != generation {
            state.destroyed.push(record.id);
            return;
        }
        state.origin = Origin::Stored(record);
        state.stale = false;
        cookie::decide(&mut state, Next::Replaced(cookie));
    }

    /// Updates the record after our patch, as far as this request can know: a reload shows what
    /// others have changed meanwhile.
    pub(super) fn applied(
        &self,
        origin: &Origin,
        patch: &Patch,
        applied: &Applied,
        cookie: Option<CookieChange>,
        generation: u32,
    ) {
        tracing::trace!(rev = applied.rev, ?patch, "session saved");
        if let Origin::Stored(record) = origin {
            self.engine.watchers.tell_changed(record.id);
        }
        let mut state = self.scope.state();
        if state.generation != generation {
            return;
        }
        if let Some(principal) = &patch.meta.principal {
            state.signed_out = principal.is_none();
        }
        // The store has just confirmed the epoch.
        state.stale = false;
        let next = Next::of(patch, applied, cookie, &state);
        cookie::decide(&mut state, next);
        let Origin::Stored(before) = origin else { return };
        if !self.is_looked_at(&state) {
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

    /// Whether anything may still read the session of this request: a handle, an extractor, the
    /// transaction of an attempt, or another commit. At the end of a request usually nothing does,
    /// and the record after the patch need not be computed.
    fn is_looked_at(&self, state: &State) -> bool {
        self.is_attempt || self.scope.is_viewed() || state.waiting > 0 || !state.pending.is_empty()
    }

    /// Handles a commit that only sends a cookie.
    pub(super) fn answered(&self, cookie: CookieChange, generation: u32) {
        let mut state = self.scope.state();
        if state.generation == generation {
            cookie::decide(&mut state, Next::Followed(cookie));
        }
    }

    pub(super) fn ended(&self, id: SessionId, generation: u32) {
        let mut state = self.scope.state();
        if state.generation == generation {
            state.origin = Origin::SignInOnly { was: Some(id), why: Why::Late };
        }
    }

    pub(super) fn deleted(&self, id: SessionId, was_live: bool) {
        let mut state = self.scope.state();
        // Another request ended it: that one's response removes the cookie. Ours may arrive late
        // and would remove the cookie of a new login.
        if was_live || state.cookie.is_some() {
            cookie::decide(&mut state, Next::Over);
        } else if matches!(state.origin, Origin::Nobody) {
            // Nor may a session with what this request set after its `destroy()` replace it.
            state.origin = Origin::SignInOnly { was: Some(id), why: Why::EndedBefore };
        }
        drop(state);
        if was_live {
            self.engine.happened(
                &Happening::new(SecurityEventKind::Destroyed)
                    .of(id)
                    .because(self.elsewhere.unwrap_or(EndReason::SignedOut)),
            );
        }
    }

    pub(super) fn lost(&self, fields: &[&str], explicit: bool) -> Committed {
        let why = {
            let mut state = self.scope.state();
            state.lost |= explicit;
            match state.origin {
                Origin::SignInOnly { why, .. } => Some(why),
                _ => None,
            }
        };
        self.report_lost(why, fields, explicit);
        Committed::Lost
    }
}

//! Reports the outcome of a commit to the event listener and the log.

use super::RequestSession;
use super::attempts::Attempts;
use crate::event::{Happening, SecurityEventKind};
use crate::id::SessionId;
use crate::record::patch::{Applied, Patch};
use crate::record::{Actor, EndReason, Principal, Record};
use crate::session::Why;

impl Attempts<'_> {
    pub(super) fn report_created(&self, record: &Record, evicted: &[SessionId]) {
        let event = |kind| Happening::new(kind).of(record.id).by(record.meta.principal.as_ref());
        let engine = &self.request.engine;
        tracing::debug!(session = %record.id, "session created");
        if self.kin.over.is_some() {
            engine.happened(&event(SecurityEventKind::StartedAfresh));
        }
        self.report_evicted(evicted, record.meta.principal.as_ref());
        if let Some(actor) = Actor::of(record) {
            engine.happened(&event(SecurityEventKind::ActedAs).acting(&actor.principal));
        }
        if record.meta.authenticated.is_some() {
            engine.happened(&event(SecurityEventKind::SignedIn));
            if self.kin.withheld {
                engine.happened(&event(SecurityEventKind::SignedInCrossSite));
            }
        }
    }

    pub(super) fn report_applied(&self, id: SessionId, patch: &Patch, applied: &Applied) {
        let meta = &patch.meta;
        let ours = meta.rotate.as_ref().map(|rotate| rotate.rotation.nonce);
        let principal = match &meta.principal {
            Some(principal) => principal.as_ref(),
            None => self.basis.origin().record().and_then(|it| it.meta.principal.as_ref()),
        };
        self.report_evicted(&applied.evicted, principal);
        let kind = if meta.authenticated {
            SecurityEventKind::SignedIn
        } else if meta.renew.is_some() || (ours.is_some() && ours == applied.rotation) {
            SecurityEventKind::Renewed
        } else {
            return;
        };
        self.request.engine.happened(&Happening::new(kind).of(id).by(principal));
    }

    /// Reports the sessions evicted by a cap.
    fn report_evicted(&self, evicted: &[SessionId], principal: Option<&Principal>) {
        for id in evicted {
            let event = Happening::new(SecurityEventKind::Evicted).of(*id).by(principal);
            let event = event.because(EndReason::Limit);
            self.request.engine.watchers.tell_ended(*id);
            self.request.engine.happened(&event);
        }
    }
}

impl RequestSession {
    /// Reports changes that have no session to be stored in.
    pub(super) fn report_lost(&self, why: Option<Why>, fields: &[&str], explicit: bool) {
        match why {
            Some(Why::Withheld) if explicit => {
                self.engine.happened(&Happening::new(SecurityEventKind::Withheld));
            }
            why => tracing::info!(
                ?fields,
                ?why,
                "the changes of a request are not stored: its session has ended, or is not known to be its own"
            ),
        }
    }
}

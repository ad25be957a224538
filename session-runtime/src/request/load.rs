//! What the request's cookie opens.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use super::RequestSession;
use crate::cookie::{Presented, presented};
use crate::error::SessionError;
use crate::record::Record;
use crate::session::{Origin, State};
use crate::store::{Lookup, Touch, Visit};
use crate::token::SessionToken;

/// What a token led to.
pub(super) struct LookedUp {
    pub(super) origin: Origin,
    /// The token, if it opened a session.
    pub(super) token: Option<SessionToken>,
    /// Whether a cache answered.
    cached: bool,
}

impl LookedUp {
    pub(super) const fn nobody() -> Self {
        Self { origin: Origin::Nobody, token: None, cached: false }
    }
}

impl RequestSession {
    /// Loads the session, if that is not done yet; anew if it came out of a cache
    /// and `stale_ok` is `false`.
    pub(super) async fn load(
        &self,
        headers: &HeaderMap,
        stale_ok: bool,
    ) -> Result<(), SessionError> {
        let stale = {
            let state = self.scope.state();
            match &state.origin {
                Origin::Unloaded => None,
                Origin::Stored(record) if state.stale && !stale_ok => Some(Arc::clone(record)),
                _ => return Ok(()),
            }
        };
        if let Some(stale) = stale {
            // Boxed: it is rare, and its room would be in every extraction.
            return Box::pin(self.ask_the_store(stale)).await;
        }
        let config = &self.engine.config;
        let mut looked =
            match presented(headers, config.cookie.name(), |text| config.token_in(text)) {
                Presented::Nothing => LookedUp::nobody(),
                Presented::One(token) => self.look_up(token, stale_ok).await?,
                // Two cookies are rare, and somebody may have planted one.
                Presented::Several(tokens) => Box::pin(self.look_up_several(tokens)).await?,
            };
        let mut adopted = false;
        if let (Origin::Nobody, Some(adopt)) = (&looked.origin, &config.adopt) {
            looked = Box::pin(self.adopt_legacy(adopt, headers)).await?;
            adopted = looked.token.is_some();
        }
        let mut state = self.scope.state();
        if matches!(state.origin, Origin::Unloaded) {
            self.has_loaded(&mut state, looked);
            state.pending.rotate |= adopted;
        }
        Ok(())
    }

    fn has_loaded(&self, state: &mut State, looked: LookedUp) {
        state.pending.rotate = match (&looked.origin, &looked.token, self.engine.config.renew_after)
        {
            (Origin::Stored(record), Some(token), Some(after)) => {
                self.is_of_age(record, token, after)
            }
            _ => false,
        };
        state.origin = looked.origin;
        state.token = looked.token;
        state.stale = looked.cached;
    }

    /// This request has seen a session in a cache, and now wants to know.
    async fn ask_the_store(&self, stale: Arc<Record>) -> Result<(), SessionError> {
        let Some(token) = self.scope.state().token.clone() else { return Ok(()) };
        let mut looked = self.look_up(token, false).await?;
        if matches!(looked.origin, Origin::Nobody) {
            // What was changed in it goes to nobody, not to a new session.
            looked.origin = Origin::Retired { was: None };
        }
        let mut state = self.scope.state();
        // A handle may have saved or destroyed it meanwhile.
        if state.record().is_some_and(|record| Arc::ptr_eq(record, &stale)) {
            self.has_loaded(&mut state, looked);
        }
        Ok(())
    }

    pub(super) async fn look_up(
        &self,
        token: SessionToken,
        stale_ok: bool,
    ) -> Result<LookedUp, SessionError> {
        let secrets = self.engine.config.realms.secrets(&token);
        let visit = Visit { touch: Touch::IfDue, arrived: self.arrived, stale_ok };
        let found = self.engine.store.load(token.id(), &secrets, visit);
        let looked = |origin| LookedUp { origin, ..LookedUp::nobody() };
        let found = self.engine.within(found).await?;
        if let Lookup::Found(record) | Lookup::Cached(record) = &found {
            self.engine.vouch_for_realm(record)?;
        }
        Ok(match found {
            Lookup::Found(record) => {
                LookedUp { token: Some(token), ..looked(Origin::Stored(record)) }
            }
            Lookup::Cached(record) => {
                LookedUp { token: Some(token), cached: true, origin: Origin::Stored(record) }
            }
            Lookup::Absent => LookedUp::nobody(),
            Lookup::Ended(_) => looked(Origin::Retired { was: None }),
            Lookup::Replayed => {
                self.engine.metrics.replayed.one();
                tracing::warn!(
                    session = %token.id(),
                    "a session token was presented after its successor was in use; it may have been stolen"
                );
                // A cookie in the answer would replace that of the successor.
                looked(Origin::Retired { was: None })
            }
        })
    }

    /// Whether the token is due for its successor, or has one that was not
    /// presented yet.
    fn is_of_age(&self, record: &Record, token: &SessionToken, after: Duration) -> bool {
        let meta = &record.meta;
        let due = self.engine.now().since(meta.secret_since) >= after;
        (due || meta.renewal.pending().is_some()) && token.secret_hash(&meta.realm) == meta.secret
    }

    /// Somebody planted a cookie beside the real one. One that opens a session
    /// is believed; of two that do, neither.
    async fn look_up_several(&self, tokens: Vec<SessionToken>) -> Result<LookedUp, SessionError> {
        let mut best = LookedUp::nobody();
        for token in tokens {
            let found = self.look_up(token, false).await?;
            match (&best.origin, &found.origin) {
                (Origin::Stored(_), Origin::Stored(_)) => {
                    tracing::warn!("a request presents two valid session tokens; none is adopted");
                    return Ok(LookedUp::nobody());
                }
                (Origin::Nobody, _) | (Origin::Retired { .. }, Origin::Stored(_)) => best = found,
                _ => {}
            }
        }
        Ok(best)
    }
}

//! Loads the session that the request's token opens.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};

use http::HeaderMap;

use super::RequestSession;
use super::cookie::{self, Next};
use crate::config::{CookieConfig, OnReplay};
use crate::cookie::{Presented, may_be_withheld, presented, values};
use crate::error::SessionError;
use crate::event::{Happening, SecurityEventKind};
use crate::id::SessionId;
use crate::record::{EndReason, Record};
use crate::session::{Origin, Over, State, Why};
use crate::store::{Ended, Lookup, Touch, Visit};
use crate::token::{SecretHash, SessionToken};
use crate::transport::{Transport, credentials};

/// The result of looking up the tokens of a request.
pub(super) struct LookedUp {
    pub(super) origin: Origin,
    /// The token, if it opened a session.
    pub(super) token: Option<SessionToken>,
    /// The ended session that the token belongs to.
    over: Option<Over>,
    /// Why the token opens nothing.
    because: Option<EndReason>,
    /// The sessions that the tokens opened, if there are several.
    proved: Vec<SessionId>,
    /// Whether this lookup has ended the session.
    ended: bool,
    /// Whether a cache answered.
    cached: bool,
}

impl LookedUp {
    pub(super) const fn of(origin: Origin) -> Self {
        Self {
            origin,
            token: None,
            over: None,
            because: None,
            proved: Vec::new(),
            ended: false,
            cached: false,
        }
    }

    pub(super) const fn nobody() -> Self {
        Self::of(Origin::Nobody)
    }

    const fn nobody_because(reason: EndReason) -> Self {
        let mut nobody = Self::nobody();
        nobody.because = Some(reason);
        nobody
    }

    const fn sign_in_only(why: Why) -> Self {
        Self::of(Origin::SignInOnly { was: None, why })
    }
}

impl RequestSession {
    /// Loads the session unless it is loaded; loads it again if it came from a cache and `stale_ok`
    /// is `false`. Returns the state, locked.
    pub(crate) async fn load(
        &self,
        headers: &HeaderMap,
        stale_ok: bool,
    ) -> Result<MutexGuard<'_, State>, SessionError> {
        if self.is_loaded.load(Ordering::Acquire) {
            let stale = match self.loaded(stale_ok) {
                Ok(state) => return Ok(state),
                Err(stale) => stale,
            };
            // Boxed, because it is rare and would enlarge every extractor's future.
            Box::pin(self.ask_the_store(stale)).await?;
            return Ok(self.scope.state());
        }
        let config = &self.engine.config;
        let transport = config.transports.of(headers);
        let by_cookie = transport == Transport::Cookie;
        let (presented, moved) = match transport {
            Transport::Cookie => self.presented(headers),
            Transport::Bearer => (config.bearer_token(headers).into(), false),
        };
        let mut looked = match presented {
            Presented::Nothing
                if by_cookie && may_be_withheld(headers, &config.cookie, self.safe_method) =>
            {
                LookedUp::sign_in_only(Why::Withheld)
            }
            // What is no token opens nothing, either.
            Presented::Nothing if self.presents_something(transport, headers) => {
                LookedUp::nobody_because(EndReason::Unknown)
            }
            Presented::Nothing => LookedUp::nobody(),
            Presented::One(token) => self.look_up(token, stale_ok).await?,
            // Two cookies are rare, and one may have been planted.
            Presented::Several(tokens) => Box::pin(self.look_up_several(tokens)).await?,
            Presented::TooMany => {
                let event = Happening::new(SecurityEventKind::TooManyTokens);
                self.engine.happened(&event);
                LookedUp::sign_in_only(Why::Several)
            }
        };
        let mut adopted = false;
        if let (Origin::Nobody, None, Some(adopt)) = (&looked.origin, looked.over, &config.adopt)
            && by_cookie
        {
            looked = Box::pin(self.adopt_legacy(adopt, headers)).await?;
            adopted = looked.token.is_some();
        }
        let mut state = self.scope.state();
        if matches!(state.origin, Origin::Unloaded) {
            state.transport = transport;
            self.has_loaded(&mut state, looked);
            state.pending.rotate |= adopted;
            if moved {
                state.moved = true;
                cookie::send_again(&mut state, config.policy.rolling);
            }
        }
        Ok(state)
    }

    /// Returns the state, or the record if it came from a cache and `stale_ok` is `false`.
    fn loaded(&self, stale_ok: bool) -> Result<MutexGuard<'_, State>, Arc<Record>> {
        let state = self.scope.state();
        match state.record().filter(|_| state.stale && !stale_ok) {
            Some(stale) => Err(Arc::clone(stale)),
            None => Ok(state),
        }
    }

    /// Whether the request presents anything in place of a token.
    fn presents_something(&self, transport: Transport, headers: &HeaderMap) -> bool {
        match transport {
            Transport::Cookie => values(headers, self.engine.config.cookie.name()).next().is_some(),
            Transport::Bearer => credentials(headers).next().is_some(),
        }
    }

    /// Returns the tokens in the cookies of the request, and whether they came in a former cookie of
    /// the layer.
    fn presented(&self, headers: &HeaderMap) -> (Presented, bool) {
        let config = &self.engine.config;
        let read =
            |cookie: &CookieConfig| presented(headers, cookie.name(), |text| config.token_in(text));
        let is_there = |presented: &Presented| *presented != Presented::Nothing;
        let own = read(&config.cookie);
        if is_there(&own) || config.former_cookies.is_empty() {
            return (own, false);
        }
        match config.former_cookies.iter().map(read).find(is_there) {
            Some(former) => (former, true),
            None => (own, false),
        }
    }

    fn has_loaded(&self, state: &mut State, looked: LookedUp) {
        state.pending.rotate = match (&looked.origin, &looked.token) {
            (Origin::Stored(record), Some(token)) => self.is_of_age(record, token),
            _ => false,
        };
        self.is_loaded.store(true, Ordering::Release);
        state.origin = looked.origin;
        state.token = looked.token;
        state.over = looked.over;
        state.because = looked.because;
        state.proved = looked.proved;
        state.stale = looked.cached;
        state.follows = self.cookie_follows(state);
        if looked.ended {
            cookie::decide(state, Next::Over);
        }
    }

    /// Loads a session from the store that this request has only seen in a cache.
    async fn ask_the_store(&self, stale: Arc<Record>) -> Result<(), SessionError> {
        let Some(token) = self.scope.state().token.clone() else { return Ok(()) };
        let mut looked = self.look_up(token, false).await?;
        if matches!(looked.origin, Origin::Nobody) {
            // Changes made to it are lost; they must not go to a new session.
            looked.origin = Origin::SignInOnly { was: None, why: Why::Late };
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
        self.look_up_under(token, stale_ok, self.engine.config.on_replay).await
    }

    /// Like [`look_up`](Self::look_up), for the token derived from the cookie of another library. A
    /// browser may keep sending that cookie beside ours: it is no sign of theft.
    pub(super) async fn look_up_adopted(
        &self,
        token: SessionToken,
    ) -> Result<LookedUp, SessionError> {
        self.look_up_under(token, false, OnReplay::Report).await
    }

    async fn look_up_under(
        &self,
        token: SessionToken,
        stale_ok: bool,
        on_replay: OnReplay,
    ) -> Result<LookedUp, SessionError> {
        let found = {
            let secrets = self.engine.config.realms.secrets(&token);
            self.ask(token.id(), &secrets, self.activity(), stale_ok).await?
        };
        self.looked_up(token, found, on_replay).await
    }

    async fn ask(
        &self,
        id: SessionId,
        secrets: &[SecretHash],
        touch: Touch,
        stale_ok: bool,
    ) -> Result<Lookup, SessionError> {
        let grace = self.engine.config.late_grace;
        let visit = Visit { touch, waited: self.waited(), grace, stale_ok };
        let found = self.engine.within(self.engine.store.load(id, secrets, visit)).await?;
        if let Lookup::Found(record) | Lookup::Cached(record) = &found {
            self.engine.vouch_for_realm(record)?;
        }
        Ok(found)
    }

    /// Interprets the store's answer for this request.
    async fn looked_up(
        &self,
        token: SessionToken,
        found: Lookup,
        on_replay: OnReplay,
    ) -> Result<LookedUp, SessionError> {
        let id = token.id();
        if let Lookup::Found(record) | Lookup::Cached(record) = &found
            && record.meta.is_acted()
            // Boxed, because it is rare and would enlarge every extractor's future.
            && !Box::pin(self.vouch_for_actor(record, !self.is_passive())).await?
        {
            return Ok(LookedUp::nobody_because(EndReason::OtherDevice));
        }
        Ok(match found {
            Lookup::Found(record) => {
                LookedUp { token: Some(token), ..LookedUp::of(Origin::Stored(record)) }
            }
            Lookup::Cached(record) => LookedUp {
                token: Some(token),
                cached: true,
                ..LookedUp::of(Origin::Stored(record))
            },
            Lookup::Absent => LookedUp::nobody_because(EndReason::Unknown),
            Lookup::Expired(because) => LookedUp::nobody_because(because),
            Lookup::Ended(Ended { because, late, sign_in, .. }) => {
                let looked = match late {
                    // A cookie in the response would undo a sign-in or sign-out.
                    true => LookedUp::sign_in_only(Why::Late),
                    false => LookedUp::nobody(),
                };
                let over = Some(Over { id, sign_in });
                LookedUp { over, because: Some(because), ..looked }
            }
            // Boxed, because it is rare and would enlarge every extractor's future.
            Lookup::Replayed(replayed) => {
                let ended = Box::pin(self.on_replay(id, replayed, on_replay)).await?;
                LookedUp { ended, ..LookedUp::nobody_because(EndReason::Replayed) }
            }
        })
    }

    /// Whether loading is activity.
    fn activity(&self) -> Touch {
        if self.is_passive() { Touch::Never } else { Touch::IfDue }
    }

    /// Whether the token is due for rotation, or has a successor that was not presented yet.
    fn is_of_age(&self, record: &Record, token: &SessionToken) -> bool {
        let meta = &record.meta;
        let of_age = |after| self.engine.now().since(meta.secret_since) >= after;
        (meta.is_overdue()
            || meta.renewal.pending().is_some()
            || self.engine.config.renew_after.is_some_and(of_age))
            && token.secret_hash(&meta.realm) == meta.secret
    }

    /// Looks up several tokens. A changed path or domain leaves a browser with two cookies of one
    /// session: the one with the newest secret counts. Cookies of different sessions may have been
    /// planted: if two sessions are live, neither is trusted, nor kept alive.
    async fn look_up_several(&self, tokens: Vec<SessionToken>) -> Result<LookedUp, SessionError> {
        let (mut best, mut live) = (LookedUp::nobody(), Vec::new());
        let mut left = tokens;
        while let Some(first) = left.first() {
            let id = first.id();
            let (same, others): (Vec<_>, Vec<_>) = left.into_iter().partition(|it| it.id() == id);
            left = others;
            let realms = &self.engine.config.realms;
            let secrets: Vec<_> =
                same.iter().flat_map(|token| realms.secrets(token).to_vec()).collect();
            // The last session is looked up as if it were alone, unless one before it is live.
            let alone = left.is_empty() && live.is_empty();
            let touch = if alone { self.activity() } else { Touch::Never };
            let found = self.ask(id, &secrets, touch, false).await?;
            let token = newest(same, &found);
            let Some(token) = token else { continue };
            let looked = self.looked_up(token, found, self.engine.config.on_replay).await?;
            match (&best.origin, &looked.origin) {
                (_, Origin::Stored(record)) => {
                    live.push(record.id);
                    best = looked;
                }
                (Origin::Nobody, _) if best.over.is_none() => best = looked,
                _ => {}
            }
        }
        if live.len() > 1 {
            self.engine.happened(&Happening::new(SecurityEventKind::SeveralTokens).of(live[0]));
            return Ok(LookedUp { proved: live, ..LookedUp::sign_in_only(Why::Several) });
        }
        match (&best.origin, &best.token) {
            // The other tokens opened nothing, so the visit is recorded.
            (Origin::Stored(record), Some(token))
                if record.meta.touch_is_due(self.engine.now()) =>
            {
                self.look_up(token.clone(), false).await
            }
            _ => Ok(best),
        }
    }
}

/// Returns the current one of several tokens of one session.
fn newest(tokens: Vec<SessionToken>, found: &Lookup) -> Option<SessionToken> {
    let is_present = |token: &SessionToken| match found {
        Lookup::Found(record) => token.secret_hash(&record.meta.realm) == record.meta.secret,
        _ => false,
    };
    let present = tokens.iter().position(is_present).unwrap_or(0);
    tokens.into_iter().nth(present)
}

//! The session of one request: loaded when somebody first asks.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http::HeaderMap;

use crate::clock::Timestamp;
use crate::commit::{Committed, ToEnd};
use crate::config::Keys;
use crate::cookie::{Presented, presented};
use crate::engine::Engine;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::patch::{FieldOp, Op, Outcome, Patch};
use crate::realm::Realm;
use crate::record::Record;
use crate::schema::{Field, SessionSchema};
use crate::session::{Attempt, Backend, BoxFuture, Handle, Marked, Origin, Scope, State, home};
use crate::store::{Lookup, Touch, Visit};
use crate::token::SessionToken;
use crate::transaction::Running;

pub(crate) struct RequestSession {
    pub(crate) engine: Arc<Engine>,
    pub(crate) scope: Scope,
    /// Whether the request's method is safe (RFC 9110 §9.2.1).
    pub(crate) safe_method: bool,
    /// Commits of one request run one after the other.
    pub(crate) turn: tokio::sync::Mutex<()>,
    /// How many have begun or wait.
    pub(crate) commits: AtomicUsize,
    /// It stands for one attempt at a transaction, in another request.
    pub(crate) is_attempt: bool,
    /// When it arrived, where that matters.
    arrived: Option<Timestamp>,
    /// Somebody asked for the session.
    asked: AtomicBool,
}

impl RequestSession {
    pub(crate) fn new(engine: Arc<Engine>, safe_method: bool) -> Self {
        let config = &engine.config;
        let renews = config.renew_after.is_some() || config.adopt.is_some();
        let arrived = renews.then(|| engine.now());
        Self {
            engine,
            scope: Scope::default(),
            safe_method,
            turn: tokio::sync::Mutex::const_new(()),
            commits: AtomicUsize::new(0),
            is_attempt: false,
            arrived,
            asked: AtomicBool::new(false),
        }
    }

    /// An attempt at a transaction of `parent`, on `origin`.
    pub(crate) fn attempt(parent: &Self, origin: Origin) -> Arc<Self> {
        let mut attempt = Self::new(Arc::clone(&parent.engine), parent.safe_method);
        attempt.is_attempt = true;
        if parent.scope.head_sent() {
            attempt.scope.mark_head_sent();
        }
        let token = parent.scope.state().token.clone();
        let state = attempt.scope.state_mut();
        state.origin = origin;
        state.token = token;
        state.pending.unchanged = true;
        Arc::new(attempt)
    }

    /// The session of this request is what a transaction left.
    pub(crate) fn adopt(&self, attempt: &Self) {
        let mut theirs = attempt.scope.state();
        let mut ours = self.scope.state();
        if theirs.generation > 0 {
            ours.abandon();
        }
        ours.origin = theirs.origin.clone();
        ours.stale = false;
        ours.token = theirs.token.clone();
        ours.cookie = theirs.cookie.take().or(ours.cookie.take());
    }

    /// A handle on this request's session, which is loaded if nobody has yet.
    /// Where `stale_ok` is `false`, or the method is not safe, it is what the
    /// store has now, not what a cache remembers.
    pub(crate) async fn handle<S: SessionSchema>(
        self: &Arc<Self>,
        headers: &HeaderMap,
        stale_ok: bool,
    ) -> Result<Handle<S>, SessionError> {
        self.asked.store(true, Ordering::Release);
        self.engine.admit(S::SCHEMA)?;
        self.load(headers, stale_ok && self.safe_method).await?;
        Handle::open(Arc::clone(self) as Arc<dyn Backend>)
    }

    /// Whether anybody asked for the session. If nobody did there is nothing to
    /// store, to send or to say.
    pub(crate) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }

    /// Whether there is a session, stored or about to be.
    pub(crate) fn exists(&self) -> bool {
        let state = self.scope.state();
        matches!(state.origin, Origin::Stored(_)) || !state.pending.ops.is_empty()
    }

    async fn load(&self, headers: &HeaderMap, stale_ok: bool) -> Result<(), SessionError> {
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
                Presented::Nothing => Looked::nobody(),
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

    fn has_loaded(&self, state: &mut State, looked: Looked) {
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

    pub(crate) async fn look_up(
        &self,
        token: SessionToken,
        stale_ok: bool,
    ) -> Result<Looked, SessionError> {
        let secrets = self.engine.config.realms.secrets(&token);
        let visit = Visit { touch: Touch::IfDue, arrived: self.arrived, stale_ok };
        let found = self.engine.store.load(token.id(), &secrets, visit);
        let looked = |origin| Looked { origin, ..Looked::nobody() };
        let found = self.engine.within(found).await?;
        if let Lookup::Found(record) | Lookup::Cached(record) = &found {
            self.engine.vouch_for_realm(record)?;
        }
        Ok(match found {
            Lookup::Found(record) => {
                Looked { token: Some(token), ..looked(Origin::Stored(record)) }
            }
            Lookup::Cached(record) => {
                Looked { token: Some(token), cached: true, origin: Origin::Stored(record) }
            }
            Lookup::Absent => Looked::nobody(),
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
    async fn look_up_several(&self, tokens: Vec<SessionToken>) -> Result<Looked, SessionError> {
        let mut best = Looked::nobody();
        for token in tokens {
            let found = self.look_up(token, false).await?;
            match (&best.origin, &found.origin) {
                (Origin::Stored(_), Origin::Stored(_)) => {
                    tracing::warn!("a request presents two valid session tokens; none is adopted");
                    return Ok(Looked::nobody());
                }
                (Origin::Nobody, _) | (Origin::Retired { .. }, Origin::Stored(_)) => best = found,
                _ => {}
            }
        }
        Ok(best)
    }
}

/// What a token led to.
pub(crate) struct Looked {
    pub(crate) origin: Origin,
    /// The token, if it opened a session.
    pub(crate) token: Option<SessionToken>,
    /// A cache said so.
    cached: bool,
}

impl Looked {
    pub(crate) const fn nobody() -> Self {
        Self { origin: Origin::Nobody, token: None, cached: false }
    }
}

impl Backend for RequestSession {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn now(&self) -> Timestamp {
        self.engine.now()
    }

    fn keys(&self) -> &Keys {
        &self.engine.config.keys
    }

    fn realm(&self) -> &Realm {
        self.engine.config.realms.own()
    }

    fn marked(&self) -> Marked {
        self.engine.schemas().marked()
    }

    fn save(self: Arc<Self>) -> BoxFuture<'static, Result<(), SessionError>> {
        Box::pin(async move {
            let request = Arc::clone(&self);
            match ToEnd::new(async move { request.commit(true).await }).await? {
                Committed::Stored => Ok(()),
                Committed::Lost | Committed::Outdated(_) => {
                    // The caller knows now; the response is theirs.
                    self.scope.state().lost = false;
                    Err(SessionError::Gone)
                }
            }
        })
    }

    fn reload(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> BoxFuture<'_, Result<Option<Arc<Record>>, SessionError>> {
        Box::pin(async move { Ok(self.engine.within(self.engine.store.reload(id, epoch)).await?) })
    }

    fn take(
        self: Arc<Self>,
        field: &'static Field,
        names: Vec<Cow<'static, str>>,
    ) -> BoxFuture<'static, Result<Option<Vec<u8>>, SessionError>> {
        Box::pin(async move { self.take_now(field, names).await })
    }

    fn transaction(self: Arc<Self>) -> BoxFuture<'static, Result<Box<dyn Attempt>, SessionError>> {
        Box::pin(async move { Ok(Box::new(Running::begin(self).await?) as Box<dyn Attempt>) })
    }

    fn commit_later(self: Arc<Self>) {
        drop(ToEnd::new(async move { self.commit(false).await }));
    }
}

impl RequestSession {
    async fn take_now(
        self: &Arc<Self>,
        field: &'static Field,
        names: Vec<Cow<'static, str>>,
    ) -> Result<Option<Vec<u8>>, SessionError> {
        let _turn = self.turn.lock().await;
        let (origin, generation) = {
            let state = self.scope.state();
            (state.origin.clone(), state.generation)
        };
        let Origin::Stored(record) = &origin else { return Ok(None) };
        let (id, epoch) = (record.id, record.meta.epoch);
        if !names.iter().any(|name| record.fields.get(name).is_some()) {
            // Whoever guesses names makes the store read, not write.
            let stored = self.engine.within(self.engine.store.reload(id, epoch)).await?;
            let stored = stored.ok_or(SessionError::Gone)?;
            if !names.iter().any(|name| stored.fields.get(name).is_some()) {
                return Ok(None);
            }
        }
        let patch = Patch::of(names.into_iter().map(|name| FieldOp::new(name, Op::Take)).collect());
        match self.apply(id, epoch, &patch, Some(record)).await? {
            // It was taken, and the answer that held it is lost.
            Outcome::Applied(applied) if applied.repeated => Err(SessionError::Uncertain),
            Outcome::Applied(mut applied) => {
                let keys = &self.engine.config.keys;
                let taken = applied.taken.iter_mut().find_map(|taken| {
                    let stored = taken.value.take()?;
                    Some(match field.secret {
                        true => keys.open(field, home(record), &taken.name, &stored).value,
                        false => stored,
                    })
                });
                self.applied(&origin, &patch, &applied, None, generation);
                Ok(taken)
            }
            Outcome::Gone(_) => {
                self.ended(id, generation);
                Err(SessionError::Gone)
            }
            Outcome::Refused(refused) => Err(SessionError::Refused(refused)),
            Outcome::Denied(denied) => Err(SessionError::SignInDenied(denied)),
            Outcome::Conflict(_) => Err(SessionError::Conflict { field: None }),
            Outcome::Uncertain => Err(SessionError::Uncertain),
        }
    }
}

impl Drop for RequestSession {
    fn drop(&mut self) {
        // An attempt ends with its transaction, which says what became of it.
        let is_attempt = self.is_attempt;
        let state = self.scope.state_mut();
        if state.pending.has_changes() && !is_attempt {
            tracing::error!(
                session = state.record().map(|record| tracing::field::display(record.id)),
                changes = ?state.pending.ops,
                "changes of a session came too late for its response and are lost: call `save().await`"
            );
        }
    }
}

impl std::fmt::Debug for RequestSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RequestSession")
    }
}

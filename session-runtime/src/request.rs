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
use crate::record::Record;
use crate::schema::{Field, SessionSchema};
use crate::session::{Attempt, Backend, BoxFuture, Handle, Origin, Scope};
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
        ours.token = theirs.token.clone();
        ours.cookie = theirs.cookie.take().or(ours.cookie.take());
    }

    /// A handle on this request's session, which is loaded if nobody has yet.
    pub(crate) async fn handle<S: SessionSchema>(
        self: &Arc<Self>,
        headers: &HeaderMap,
    ) -> Result<Handle<S>, SessionError> {
        self.asked.store(true, Ordering::Release);
        self.engine.admit(S::SCHEMA)?;
        self.load(headers).await?;
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

    async fn load(&self, headers: &HeaderMap) -> Result<(), SessionError> {
        if !matches!(self.scope.state().origin, Origin::Unloaded) {
            return Ok(());
        }
        let config = &self.engine.config;
        let (mut origin, mut token) =
            match presented(headers, config.cookie.name(), |text| config.keys.token_in(text)) {
                Presented::Nothing => (Origin::Nobody, None),
                Presented::One(token) => self.look_up(token).await?,
                Presented::Several(tokens) => Box::pin(self.look_up_several(tokens)).await?,
            };
        let mut adopted = false;
        if let (Origin::Nobody, Some(adopt)) = (&origin, &config.adopt) {
            (origin, token) = Box::pin(self.adopt_legacy(&*adopt.0, headers)).await?;
            adopted = token.is_some();
        }
        let mut state = self.scope.state();
        if matches!(state.origin, Origin::Unloaded) {
            state.pending.rotate = adopted;
            if let (Origin::Stored(record), Some(token), Some(after)) =
                (&origin, &token, self.engine.config.renew_after)
            {
                state.pending.rotate |= self.is_of_age(record, token, after);
            }
            state.origin = origin;
            state.token = token;
        }
        Ok(())
    }

    pub(crate) async fn look_up(
        &self,
        token: SessionToken,
    ) -> Result<(Origin, Option<SessionToken>), SessionError> {
        let hash = token.secret_hash();
        let visit = Visit { touch: Touch::IfDue, arrived: self.arrived };
        let found = self.engine.store.load(token.id(), &hash, visit);
        Ok(match self.engine.within(found).await? {
            Lookup::Found(record) => (Origin::Stored(record), Some(token)),
            Lookup::Absent => (Origin::Nobody, None),
            Lookup::Retired => (Origin::Retired { was: None }, None),
            Lookup::Replayed => {
                self.engine.metrics.replayed.one();
                tracing::warn!(
                    session = %token.id(),
                    "a session token was presented after its successor was in use; it may have been stolen"
                );
                // A cookie in the answer would replace that of the successor.
                (Origin::Retired { was: None }, None)
            }
        })
    }

    /// Whether the token is due for its successor, or has one that was not
    /// presented yet.
    fn is_of_age(&self, record: &Record, token: &SessionToken, after: Duration) -> bool {
        let meta = &record.meta;
        let due = self.engine.now().since(meta.secret_since) >= after;
        (due || meta.renewal.pending().is_some()) && token.secret_hash() == meta.secret
    }

    /// Somebody planted a cookie beside the real one. One that opens a session
    /// is believed; of two that do, neither.
    async fn look_up_several(
        &self,
        tokens: Vec<SessionToken>,
    ) -> Result<(Origin, Option<SessionToken>), SessionError> {
        let mut best = (Origin::Nobody, None);
        for token in tokens {
            let found = self.look_up(token).await?;
            match (&best.0, &found.0) {
                (Origin::Stored(_), Origin::Stored(_)) => {
                    tracing::warn!("a request presents two valid session tokens; none is adopted");
                    return Ok((Origin::Nobody, None));
                }
                (Origin::Nobody, _) | (Origin::Retired { .. }, Origin::Stored(_)) => best = found,
                _ => {}
            }
        }
        Ok(best)
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
        match self.apply(id, epoch, &patch).await? {
            // It was taken, and the answer that held it is lost.
            Outcome::Applied(applied) if applied.repeated => Err(SessionError::Uncertain),
            Outcome::Applied(mut applied) => {
                let keys = &self.engine.config.keys;
                let taken = applied.taken.iter_mut().find_map(|taken| {
                    let stored = taken.value.take()?;
                    Some(match field.secret {
                        true => keys.open(field, id, &taken.name, &stored).value,
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

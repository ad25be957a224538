//! The session of one request: loaded when somebody first asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http::HeaderMap;

use crate::clock::Timestamp;
use crate::commit::{Committed, ToEnd};
use crate::cookie::{Presented, presented};
use crate::engine::Engine;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::record::Record;
use crate::schema::SessionSchema;
use crate::session::{Backend, BoxFuture, Handle, Origin, Scope};
use crate::store::{Lookup, Touch};
use crate::token::SessionToken;

pub(crate) struct RequestSession {
    pub(crate) engine: Arc<Engine>,
    pub(crate) scope: Scope,
    /// Whether the request's method is safe (RFC 9110 §9.2.1).
    pub(crate) safe_method: bool,
    /// Commits of one request run one after the other.
    pub(crate) turn: tokio::sync::Mutex<()>,
    /// How many have begun or wait.
    pub(crate) commits: AtomicUsize,
    /// Somebody asked for the session.
    asked: AtomicBool,
}

impl RequestSession {
    pub(crate) fn new(engine: Arc<Engine>, safe_method: bool) -> Self {
        Self {
            engine,
            scope: Scope::default(),
            safe_method,
            turn: tokio::sync::Mutex::const_new(()),
            commits: AtomicUsize::new(0),
            asked: AtomicBool::new(false),
        }
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
        let (origin, token) = match presented(headers, self.engine.config.cookie.name()) {
            Presented::Nothing => (Origin::Nobody, None),
            Presented::One(token) => self.look_up(token).await?,
            Presented::Several(tokens) => Box::pin(self.look_up_several(tokens)).await?,
        };
        let mut state = self.scope.state();
        if matches!(state.origin, Origin::Unloaded) {
            state.origin = origin;
            state.token = token;
        }
        Ok(())
    }

    async fn look_up(
        &self,
        token: SessionToken,
    ) -> Result<(Origin, Option<SessionToken>), SessionError> {
        let hash = token.secret_hash();
        let found = self.engine.store.load(token.id(), &hash, Touch::IfDue.into());
        Ok(match self.engine.within(found).await? {
            Lookup::Found(record) => (Origin::Stored(record), Some(token)),
            Lookup::Absent => (Origin::Nobody, None),
            Lookup::Retired => (Origin::Retired { was: None }, None),
            Lookup::Replayed => (Origin::Nobody, None),
        })
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

    fn save(self: Arc<Self>) -> BoxFuture<'static, Result<(), SessionError>> {
        Box::pin(async move {
            let request = Arc::clone(&self);
            match ToEnd::new(async move { request.commit(true).await }).await? {
                Committed::Stored => Ok(()),
                Committed::Lost => {
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

    fn commit_later(self: Arc<Self>) {
        drop(ToEnd::new(async move { self.commit(false).await }));
    }
}

impl Drop for RequestSession {
    fn drop(&mut self) {
        let state = self.scope.state_mut();
        if !state.pending.is_empty() {
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

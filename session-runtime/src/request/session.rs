//! The session of one request, loaded on first use.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{HeaderMap, Method};
use tokio::sync::Notify;

use super::cookie;
use crate::engine::Engine;
use crate::error::SessionError;
use crate::record::{EndReason, Record};
use crate::schema::SessionSchema;
use crate::session::{Backend, Handle, Origin, Scope};

pub(crate) struct RequestSession {
    pub(crate) engine: Arc<Engine>,
    pub(crate) scope: Scope,
    /// Whether the request's method is safe (RFC 9110 §9.2.1).
    pub(crate) safe_method: bool,
    /// Whether the response has no body.
    pub(super) is_head: bool,
    /// Whether the request is no activity.
    is_passive: AtomicBool,
    /// Another layer encloses this one and may replace its response.
    pub(crate) is_within: bool,
    /// Wakes the commits that wait for their turn.
    pub(super) turn_over: Notify,
    /// Whether this is an attempt at a transaction inside another request.
    pub(super) is_attempt: bool,
    /// When the request arrived, in monotonic microseconds: noted when its handler first has to wait,
    /// since until then it runs without a pause.
    arrived: OnceLock<u64>,
    /// Whether the session was asked for.
    pub(super) asked: AtomicBool,
    /// Whether its cookie has been looked up.
    pub(super) is_loaded: AtomicBool,
    /// Set for a change by a job, not by the session's client: why a session ends by it.
    pub(super) elsewhere: Option<EndReason>,
}

impl RequestSession {
    pub(crate) fn new(engine: Arc<Engine>, method: &Method) -> Self {
        Self {
            engine,
            scope: Scope::default(),
            safe_method: method.is_safe(),
            is_head: *method == Method::HEAD,
            is_passive: AtomicBool::new(false),
            is_within: false,
            turn_over: Notify::const_new(),
            is_attempt: false,
            arrived: OnceLock::new(),
            asked: AtomicBool::new(false),
            is_loaded: AtomicBool::new(false),
            elsewhere: None,
        }
    }

    /// Begins a change of `record` without a client: no token can be sent.
    pub(crate) fn elsewhere(
        engine: &Arc<Engine>,
        record: Arc<Record>,
        because: EndReason,
    ) -> Arc<Self> {
        let mut request = Self::new(Arc::clone(engine), &Method::POST);
        request.elsewhere = Some(because);
        request.scope.mark_head_sent();
        request.scope.state_mut().origin = Origin::Stored(record);
        Arc::new(request)
    }

    /// Begins an attempt at a transaction of `parent`, on `origin`.
    pub(super) fn attempt(parent: &Self, origin: Origin) -> Arc<Self> {
        let mut attempt = Self::new(Arc::clone(&parent.engine), &Method::POST);
        (attempt.safe_method, attempt.is_head) = (parent.safe_method, parent.is_head);
        attempt.is_attempt = true;
        if parent.scope.head_sent() {
            attempt.scope.mark_head_sent();
        }
        attempt.elsewhere = parent.elsewhere;
        let (transport, token, over, proved) = {
            let state = parent.scope.state();
            (state.transport, state.token.clone(), state.over, state.proved.clone())
        };
        let state = attempt.scope.state_mut();
        state.origin = origin;
        state.transport = transport;
        (state.token, state.over, state.proved) = (token, over, proved);
        state.pending.unchanged = true;
        Arc::new(attempt)
    }

    /// Records that the request has to wait: for its body, for a store.
    pub(crate) fn waits(&self) {
        self.arrived.get_or_init(|| self.engine.store.clock().steady_micros());
    }

    /// Records that the handler has answered. What it leaves behind, a body or a task, may still ask
    /// for the session, much later.
    pub(super) fn ends(&self) {
        if self.scope.is_viewed() {
            self.waits();
        }
    }

    /// Returns the time since the request arrived.
    pub(super) fn waited(&self) -> Duration {
        // Most requests ask for their session before they wait for anything, and need no clock.
        let Some(arrived) = self.arrived.get() else { return Duration::ZERO };
        let now = self.engine.store.clock().steady_micros();
        Duration::from_micros(now.saturating_sub(*arrived))
    }

    /// Takes over the session that a transaction has left.
    pub(super) fn absorb(&self, attempt: &Self) {
        let mut theirs = attempt.scope.state();
        let mut ours = self.scope.state();
        if theirs.generation > 0 {
            ours.abandon();
        }
        ours.origin = theirs.origin.clone();
        ours.stale = false;
        ours.token = theirs.token.clone();
        ours.proved = std::mem::take(&mut theirs.proved);
        cookie::inherit(&mut ours, &mut theirs);
    }

    /// Opens a handle on this request's session, loading it if necessary. If `stale_ok` is `false`
    /// or the method is not safe, the session comes from the store, not from a cache.
    pub(crate) async fn handle<S: SessionSchema>(
        self: &Arc<Self>,
        headers: &HeaderMap,
        stale_ok: bool,
    ) -> Result<Handle<S>, SessionError> {
        self.asked.store(true, Ordering::Release);
        self.engine.admit(S::SCHEMA)?;
        let state = self.load(headers, stale_ok && self.safe_method).await?;
        Handle::open(Arc::clone(self) as Arc<dyn Backend>, state)
    }

    /// Opens a handle as [`handle`](Self::handle) does, never from a cache. This alone does not make
    /// the response depend on the session.
    #[cfg(feature = "axum-login")]
    pub(crate) async fn look<S: SessionSchema>(
        self: &Arc<Self>,
        headers: &HeaderMap,
    ) -> Result<Handle<S>, SessionError> {
        self.asked.store(true, Ordering::Release);
        self.engine.admit(S::SCHEMA)?;
        let state = self.load(headers, false).await?;
        Handle::look(Arc::clone(self) as Arc<dyn Backend>, state)
    }

    /// Counts this request as no activity. It takes effect if the session is not loaded yet.
    pub(crate) fn is_no_activity(&self) {
        self.is_passive.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_passive(&self) -> bool {
        self.is_passive.load(Ordering::Relaxed)
    }

    /// Whether the session was asked for. If not, there is nothing to store, send or report.
    pub(crate) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }

    /// Whether there is anything to store.
    pub(crate) fn has_work(&self) -> bool {
        self.scope.state().has_work()
    }

    /// Whether there is a session, stored or about to be.
    pub(crate) fn exists(&self) -> bool {
        let state = self.scope.state();
        matches!(state.origin, Origin::Stored(_)) || !state.pending.ops.is_empty()
    }
}

impl Drop for RequestSession {
    fn drop(&mut self) {
        // The transaction reports what became of its attempts.
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

//! The layer and its settings.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::StatusCode;
use tower_layer::Layer;

use super::service::SessionService;
use crate::config::{Config, CookieConfig, OnReplay, SetupError};
use crate::engine::{Engine, Schemas};
use crate::event::{Listener, SecurityEvent};
use crate::manager::SessionManager;
use crate::record::patch::{AtLimit, Cap};
use crate::schema::HasPrincipal;
use crate::store::SessionStore;

/// A tower layer that provides typed sessions to the services inside it.
///
/// ```
/// use axum::{Router, routing::get};
/// use session_runtime::{SessionLayer, store::MemoryStore};
///
/// let app: Router = Router::new()
///     .route("/", get(|| async { "hello" }))
///     .layer(SessionLayer::new(MemoryStore::new()));
/// ```
///
/// In a `ServiceBuilder`, put layers that change the type of the response body, such as
/// tower-http's `TraceLayer` and `CompressionLayer`, before this one. Layers added by
/// separate `Router::layer` calls can have any order.
///
/// Set everything before the layer is applied: later settings do not affect it.
#[derive(Clone)]
pub struct SessionLayer {
    store: Arc<dyn SessionStore>,
    pub(super) config: Config,
    pub(super) schemas: Vec<&'static crate::schema::Schema>,
    /// Built once, so that every clone and every manager shares it.
    pub(super) engine: Arc<OnceLock<Arc<Engine>>>,
}

impl SessionLayer {
    /// Creates a layer that keeps sessions in `store`.
    #[must_use]
    pub fn new(store: impl SessionStore) -> Self {
        Self {
            store: Arc::new(store),
            config: Config::default(),
            schemas: Vec::new(),
            engine: Arc::default(),
        }
    }

    /// Creates a layer with these settings.
    #[cfg(feature = "config")]
    pub(crate) fn with_config(store: impl SessionStore, config: Config) -> Self {
        Self { config, ..Self::new(store) }
    }

    pub(super) fn set(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        // An engine built from the earlier settings keeps them.
        self.engine = Arc::default();
        self
    }

    /// Renews a token older than `age` when the session is next read. At least one minute.
    ///
    /// The old token stays valid until the new one has been presented, so that a lost
    /// response signs no user out, and for one more minute, for requests that were already
    /// on their way. If it is presented later, one of two clients has stolen it: see
    /// [`on_replay`](Self::on_replay). Ongoing requests and sockets continue. Each renewal
    /// costs one write.
    ///
    /// # Default
    ///
    /// `None`: tokens are renewed only by a sign-in or a change of privileges, as OWASP
    /// requires. Renewal by age shortens the use of a stolen token.
    #[must_use]
    pub fn renew_after(self, age: impl Into<Option<Duration>>) -> Self {
        self.set(|config| config.renew_after = age.into())
    }

    /// Sets how long requests with an outdated token count as late, after their own browser
    /// ended the session or replaced its token. At most a minute.
    ///
    /// A late request sees an empty session in which it can only sign in, so that its
    /// response does not undo the sign-in or sign-out. What counts is its time of arrival, which
    /// is noted when its handler first has to wait, for the body for example. A request that
    /// arrives later, or whose session was ended elsewhere, gets a fresh session.
    ///
    /// # Default
    ///
    /// 5 seconds: a request sent before the browser received the response does not take
    /// longer to arrive.
    #[must_use]
    pub fn late_grace(self, grace: Duration) -> Self {
        self.set(|config| config.late_grace = grace)
    }

    /// Sets the reaction to a replayed token: one that [`renew_after`](Self::renew_after)
    /// replaced and that is presented after its grace period.
    ///
    /// # Default
    ///
    /// [`OnReplay::EndSession`] (RFC 9700 §4.14).
    #[must_use]
    pub fn on_replay(self, reaction: OnReplay) -> Self {
        self.set(|config| config.on_replay = reaction)
    }

    /// Calls `listener` with every security event, for an audit log or an alarm.
    ///
    /// The listener runs within the request, so it should not block: send the event to a
    /// channel or a task. A second listener replaces the first.
    ///
    /// ```
    /// use session_runtime::{SecurityEventKind, SessionLayer, store::MemoryStore};
    ///
    /// let layer = SessionLayer::new(MemoryStore::new()).on_event(|event| {
    ///     if event.kind == SecurityEventKind::Replayed {
    ///         eprintln!("a stolen token? session {:?}", event.session);
    ///     }
    /// });
    /// # let _ = layer;
    /// ```
    ///
    /// # Default
    ///
    /// None: events are logged, and counted in [`Metrics`](crate::Metrics).
    #[must_use]
    pub fn on_event(self, listener: impl Fn(&SecurityEvent) + Send + Sync + 'static) -> Self {
        self.set(|config| config.listener = Some(Listener::new(listener)))
    }

    /// Limits each principal to `max` live sessions, from 1 to 1,000. The limit is exact,
    /// even for simultaneous sign-ins.
    ///
    /// [`AtLimit::Reject`] rejects a further sign-in with
    /// [`SessionError::SignInDenied`](crate::SessionError::SignInDenied) (409);
    /// [`AtLimit::EvictOldest`] ends the principal's oldest session instead.
    ///
    /// ```
    /// use session_runtime::{AtLimit, SessionLayer, store::MemoryStore};
    ///
    /// let layer = SessionLayer::new(MemoryStore::new()).max_sessions(3, AtLimit::EvictOldest);
    /// ```
    ///
    /// # Default
    ///
    /// No limit.
    #[must_use]
    pub fn max_sessions(self, max: u32, at_limit: AtLimit) -> Self {
        self.set(|config| match NonZeroU32::new(max) {
            Some(max) => config.policy.cap = Some(Cap { max, at_limit }),
            None => {
                let problem = "at least one; leave it out for no limit";
                config.error.get_or_insert(SetupError::setting("max_sessions", problem));
            }
        })
    }

    /// Sets how long changes of `merge` fields, and transactions, are retried when they
    /// conflict with concurrent changes. Then they fail with
    /// [`SessionError::Conflict`](crate::SessionError::Conflict).
    ///
    /// # Default
    ///
    /// 2 seconds.
    #[must_use]
    pub fn conflict_timeout(self, timeout: Duration) -> Self {
        self.set(|config| config.conflict_timeout = timeout)
    }

    /// Excludes a path and everything below it: requests there have no session. The path
    /// is the one that the layer sees, without the prefix of an outer `Router::nest`. May be
    /// called several times.
    ///
    /// A session that no handler extracts costs nothing, so use this only for routes that
    /// must not have one.
    ///
    /// # Default
    ///
    /// None.
    #[must_use]
    pub fn exclude(self, path: impl Into<String>) -> Self {
        let path = path.into().into_boxed_str();
        self.set(|config| config.excluded.push(path))
    }

    /// Sets the timeout of one store call, after which the request fails with 503. A patch
    /// without a reply is sent once more under the same id, so that it is applied only once;
    /// such a request takes up to twice as long.
    ///
    /// # Default
    ///
    /// 5 seconds.
    #[must_use]
    pub fn store_timeout(self, timeout: Duration) -> Self {
        self.set(|config| config.store_timeout = timeout)
    }

    /// Sets the function that decides by the response status whether the handler's changes
    /// to the session are kept. Changes that remove privileges are always kept: a
    /// `destroy()`, a sign-out, and clearing a `renew` field. (A sign-out followed by another
    /// sign-in in the same request is a single change of the principal and is dropped with
    /// the rest; call `destroy()` first where that matters.)
    ///
    /// ```
    /// use session_runtime::{SessionLayer, store::MemoryStore};
    ///
    /// let layer = SessionLayer::new(MemoryStore::new())
    ///     .keep_changes_if(|status| status.is_success() || status.is_redirection());
    /// ```
    ///
    /// # Default
    ///
    /// Every status but 5xx and 408.
    #[must_use]
    pub fn keep_changes_if(self, keep: fn(StatusCode) -> bool) -> Self {
        self.set(|config| config.keep_changes = keep)
    }

    /// Sets whether the response to an unsafe method becomes 409 when its handler
    /// explicitly changed fields of a session that ended meanwhile.
    ///
    /// # Default
    ///
    /// Yes: a response must not confirm a change that was lost.
    #[must_use]
    pub fn conflict_on_lost_changes(self, conflict: bool) -> Self {
        self.set(|config| config.conflict_on_lost_changes = conflict)
    }

    /// Takes over the sessions of another library, so that no user is signed out. Each is
    /// taken over by the first request with the old cookie and no session of this layer.
    ///
    /// The new session has its own id and secret and the timeouts of this layer. The old
    /// record is deleted before the session is used, and the response removes the old
    /// cookie. Signed-in users stay signed in, without an authentication time.
    ///
    /// Needs the [`schema`](Self::schema) of every session that is extracted behind this
    /// layer, because the principal and the secret fields must be known in advance.
    /// Extracting another schema fails with
    /// [`SessionError::Setup`](crate::SessionError::Setup).
    ///
    /// Values without a field in any schema are kept; their names are logged once, at
    /// level `warn`.
    ///
    /// A request with an old cookie costs a look-up in both stores, others nothing. Remove
    /// the setting once the last old session has expired.
    ///
    /// # Default
    ///
    /// None.
    #[must_use]
    pub fn adopt(self, legacy: impl crate::legacy::Legacy) -> Self {
        self.set(|config| config.adopt = Some(crate::legacy::Adopt::new(legacy)))
    }

    /// Checks the settings and schemas; call it at start-up. If they are invalid, every
    /// extraction fails.
    ///
    /// # Errors
    ///
    /// If a setting is invalid, or the settings, schemas and store do not fit together. The
    /// error says what to write instead.
    pub fn check(&self) -> Result<(), SetupError> {
        self.check_config()?;
        let schemas = Schemas::new(self.store.capabilities(), self.config.keys.are_there());
        self.schemas.iter().try_for_each(|schema| schemas.name(schema).map(drop))
    }

    fn check_config(&self) -> Result<(), SetupError> {
        self.config.check()?;
        if self.config.adopt.is_some() && self.schemas.is_empty() {
            return Err(SetupError::setting(
                "adopt",
                "add `.schema::<…>()` with every schema: it says which field is the principal",
            ));
        }
        if self.config.policy.cap.is_some() && !self.store.capabilities().principal_index {
            return Err(SetupError::setting(
                "max_sessions",
                "this store cannot count the sessions of a principal; leave it out, or use another store",
            ));
        }
        Ok(())
    }

    /// Returns an untyped manager, for use outside a request. It finds the schema by the
    /// principal's type, among the [`schema`](Self::schema)s that the layer knows. Prefer
    /// [`manager_for`](Self::manager_for), which takes only the right type.
    #[must_use]
    pub fn manager(&self) -> SessionManager {
        SessionManager::new(self.engine())
    }

    /// Returns a manager for the sessions of the principals of `S`, for use outside a
    /// request. Also registers the schema.
    ///
    /// ```
    /// use session_runtime::{SessionError, SessionLayer, SessionSchema, store::MemoryStore};
    ///
    /// #[derive(SessionSchema)]
    /// struct Visitor {
    ///     #[session(principal)]
    ///     user_id: Option<u64>,
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), SessionError> {
    /// let layer = SessionLayer::new(MemoryStore::new());
    /// let sessions = layer.manager_for::<Visitor>()?;
    /// // In a background job, after the user was locked:
    /// assert_eq!(sessions.revoke_all(&42).await?, 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Same as [`check`](Self::check).
    pub fn manager_for<S: HasPrincipal>(&self) -> Result<SessionManager<S>, SetupError> {
        let engine = self.engine();
        engine.admit(S::SCHEMA)?;
        Ok(SessionManager::new(engine))
    }

    pub(crate) fn engine(&self) -> Arc<Engine> {
        let build = || {
            let mut config = self.config.clone();
            if config.insecure {
                config.cookie = config.cookie.insecure();
                let former = std::mem::take(&mut config.former_cookies).into_iter();
                config.former_cookies = former.map(CookieConfig::insecure).collect();
                tracing::warn!(
                    cookie = config.cookie.name(),
                    "session cookies go over plain http, for development: whoever can read the network can steal every session; leave `insecure_for_development` out behind https"
                );
            }
            config.error = self.check_config().err();
            if let Ok(realms) =
                config.realms.clone().settled(&config.cookie, &config.former_cookies)
            {
                config.realms = realms;
            }
            let mut schemas = Schemas::new(self.store.capabilities(), self.config.keys.are_there());
            for schema in &self.schemas {
                if let Err(error) = schemas.name(schema) {
                    tracing::error!(%error, "a session schema cannot be used");
                    config.error.get_or_insert(SetupError::setting(
                        "schema",
                        "a schema cannot be used with this layer; `SessionLayer::check` says why",
                    ));
                }
            }
            if config.adopt.is_some() {
                schemas.complete();
            }
            let engine = Arc::new(Engine::new(Arc::clone(&self.store), config, schemas));
            engine.register();
            engine
        };
        Arc::clone(self.engine.get_or_init(build))
    }
}

impl fmt::Debug for SessionLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayer").field("config", &self.config).finish_non_exhaustive()
    }
}

impl<I> Layer<I> for SessionLayer {
    type Service = SessionService<I>;

    fn layer(&self, inner: I) -> SessionService<I> {
        SessionService::new(inner, self.engine())
    }
}

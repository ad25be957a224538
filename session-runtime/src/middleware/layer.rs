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

/// Gives the services inside it typed sessions.
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
/// In a `ServiceBuilder`, layers that change the type of the response's body,
/// such as tower-http's `TraceLayer` and `CompressionLayer`, stand before this
/// one; in `Router::layer` calls of their own they stand anywhere.
///
/// Settings belong before the first use: a layer that was applied keeps what
/// it had.
#[derive(Clone)]
pub struct SessionLayer {
    store: Arc<dyn SessionStore>,
    pub(super) config: Config,
    pub(super) schemas: Vec<&'static crate::schema::Schema>,
    /// Built once, so that every clone and every manager shares it.
    pub(super) engine: Arc<OnceLock<Arc<Engine>>>,
}

impl SessionLayer {
    /// A layer that keeps sessions in `store`.
    #[must_use]
    pub fn new(store: impl SessionStore) -> Self {
        Self {
            store: Arc::new(store),
            config: Config::default(),
            schemas: Vec::new(),
            engine: Arc::default(),
        }
    }

    /// A layer with all of these settings.
    #[cfg(feature = "config")]
    pub(crate) fn with_config(store: impl SessionStore, config: Config) -> Self {
        Self { config, ..Self::new(store) }
    }

    pub(super) fn set(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        // What was built from the earlier settings stays as it was.
        self.engine = Arc::default();
        self
    }

    /// Ends a session after this long without a request that reads it.
    /// Effective is 0.9 to 1.0 times this, because activity is written only
    /// when a tenth of it has passed. At least one second.
    ///
    /// `None` means no idle limit; nothing outlives 400 days of silence.
    ///
    /// # Default
    ///
    /// 30 minutes (OWASP: 15–30 minutes for low-risk applications).
    #[must_use]
    pub fn idle_timeout(self, timeout: impl Into<Option<Duration>>) -> Self {
        self.set(|config| config.policy.idle = timeout.into())
    }

    /// Ends a session this long after it was created or its user last proved
    /// who they are, whatever happens. At least one second.
    ///
    /// `None` means no absolute limit; nothing outlives 400 days of silence.
    ///
    /// # Default
    ///
    /// 12 hours (NIST SP 800-63B-4 §5.2, AAL2: 24 hours at most).
    #[must_use]
    pub fn absolute_timeout(self, timeout: impl Into<Option<Duration>>) -> Self {
        self.set(|config| config.policy.absolute = timeout.into())
    }

    /// Renews the token this long after it was made, if the session is used
    /// then. At least one minute.
    ///
    /// The old token stays good until the new one has been presented, so that a
    /// response that is lost logs nobody out; and for a minute after that, for
    /// requests that were on their way. When it is presented later, one of two clients has
    /// stolen it: see [`on_replay`](Self::on_replay). Requests and sockets that are under
    /// way go on. Costs one write each time.
    ///
    /// # Default
    ///
    /// `None`: tokens are renewed when somebody signs in or privileges change
    /// (OWASP asks for that; renewal by age narrows the use of a stolen token).
    #[must_use]
    pub fn renew_after(self, age: impl Into<Option<Duration>>) -> Self {
        self.set(|config| config.renew_after = age.into())
    }

    /// How long after a session was ended, or its token replaced, by a request of its own
    /// browser a request that presents the earlier token still counts as late, by its
    /// arrival: it sees nobody and stores nothing, unless somebody signs in, so that its
    /// answer does not undo that sign-in or sign-out. One that arrives later, or whose
    /// session was ended elsewhere, starts afresh. At most a minute.
    ///
    /// # Default
    ///
    /// 5 seconds: a request that was sent before the browser had the answer does not take
    /// longer to arrive.
    #[must_use]
    pub fn late_grace(self, grace: Duration) -> Self {
        self.set(|config| config.late_grace = grace)
    }

    /// What follows when a token is presented that
    /// [`renew_after`](Self::renew_after) had replaced, after its grace.
    ///
    /// # Default
    ///
    /// [`OnReplay::EndSession`] (RFC 9700 §4.14).
    #[must_use]
    pub fn on_replay(self, reaction: OnReplay) -> Self {
        self.set(|config| config.on_replay = reaction)
    }

    /// Calls `listener` with everything that matters to the security of a session: for an
    /// audit log, or an alarm. It is called in the request, so it should not wait; send
    /// what it is told to a channel, or to a task. A second listener takes the place of
    /// the first.
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

    /// Lets each principal have at most `max` live sessions, from one to 1,000. Exact, also for
    /// sign-ins at the same time. One that is refused fails with
    /// [`SessionError::SignInDenied`](crate::SessionError::SignInDenied): 409.
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

    /// How long a change of a `merge` field, or a transaction, that meets
    /// concurrent changes is tried again, before it fails with
    /// [`SessionError::Conflict`](crate::SessionError::Conflict).
    ///
    /// # Default
    ///
    /// 2 seconds.
    #[must_use]
    pub fn conflict_timeout(self, timeout: Duration) -> Self {
        self.set(|config| config.conflict_timeout = timeout)
    }

    /// Leaves requests for this path, and for all below it, alone: they have no
    /// session. The path is the one that the layer sees, without what an outer
    /// `Router::nest` has taken off. May be called several times.
    ///
    /// A session that nobody asks for costs nothing anyway; this is for routes
    /// that must not have one.
    ///
    /// # Default
    ///
    /// None.
    #[must_use]
    pub fn exclude(self, path: impl Into<String>) -> Self {
        let path = path.into().into_boxed_str();
        self.set(|config| config.excluded.push(path))
    }

    /// How long one call of the store may take before the request fails with
    /// 503. A patch whose answer does not come is sent once more, under the
    /// same id, so that it counts once: such a request takes twice as long.
    ///
    /// # Default
    ///
    /// 5 seconds.
    #[must_use]
    pub fn store_timeout(self, timeout: Duration) -> Self {
        self.set(|config| config.store_timeout = timeout)
    }

    /// Decides by the status whether a response keeps what its handler changed
    /// in the session. What takes privileges away is always kept: a
    /// `destroy()`, a sign-out, and clearing a `renew` field. (A sign-out that
    /// is followed by another sign-in in the same request is one change of the
    /// principal, and goes with the rest; `destroy()` first where that matters.)
    ///
    /// # Default
    ///
    /// Every status but 5xx and 408.
    #[must_use]
    pub fn keep_changes_if(self, keep: fn(StatusCode) -> bool) -> Self {
        self.set(|config| config.keep_changes = keep)
    }

    /// Whether the response to an unsafe method becomes 409 when its handler
    /// explicitly changed fields of a session that ended meanwhile.
    ///
    /// # Default
    ///
    /// Yes: "added to your cart" must not be a lie.
    #[must_use]
    pub fn conflict_on_lost_changes(self, conflict: bool) -> Self {
        self.set(|config| config.conflict_on_lost_changes = conflict)
    }

    /// Takes over the sessions of another library, each with the first request
    /// that has its old cookie and no session of ours, so that nobody is signed
    /// out. The session gets an id and secret of its own and the timeouts of
    /// this layer; the old record is deleted before the session is used, the
    /// old cookie with the response. Whoever is signed in there is here, with
    /// no time of authentication.
    ///
    /// Needs the [`schema`](Self::schema) of every session that is extracted
    /// behind this layer: which field is the principal, and which ones are
    /// secret, must be known first. Extracting another one is
    /// [`SessionError::Setup`](crate::SessionError::Setup).
    ///
    /// Whatever no schema has a field for is kept, and its names are reported
    /// once, at the level `warn`.
    ///
    /// A request with an old cookie costs a look-up in both stores, others
    /// nothing. Take the setting out once the last old session has expired.
    ///
    /// # Default
    ///
    /// None.
    #[must_use]
    pub fn adopt(self, legacy: impl crate::legacy::Legacy) -> Self {
        self.set(|config| config.adopt = Some(crate::legacy::Adopt::new(legacy)))
    }

    /// Checks the settings and schemas. Without this call, invalid settings
    /// make every extraction fail with the same error.
    ///
    /// # Errors
    ///
    /// Names the setting, and what to write instead.
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

    /// Lists and ends sessions outside a request, of principals by their type: each that is
    /// the principal of one [`schema`](Self::schema) that the layer knows. Prefer
    /// [`manager_for`](Self::manager_for), which cannot be given another type.
    #[must_use]
    pub fn manager(&self) -> SessionManager {
        SessionManager::new(self.engine())
    }

    /// Lists and ends sessions of the principals of `S` outside a request. The layer knows
    /// the schema from then on.
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
    /// // In a job: this user was locked.
    /// assert_eq!(sessions.revoke_all(&42).await?, 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
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

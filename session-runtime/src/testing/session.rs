//! A visitor whose requests are function calls.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::frozen_clock;
use super::visit::{Browsers, Jar};
use crate::engine::Engine;
use crate::middleware::SessionLayer;
use crate::schema::{HasPrincipal, SessionSchema};
use crate::store::{MemoryStore, SessionStore};

/// One visitor, for tests that call handlers as functions.
///
/// ```
/// use session_runtime::testing::TestSession;
/// use session_runtime::{Authenticated, Session, SessionSchema};
///
/// #[derive(SessionSchema)]
/// struct Visitor {
///     #[session(principal)]
///     user_id: Option<u64>,
///     cart: Vec<String>,
/// }
///
/// async fn add(mut session: Session<Visitor>) {
///     session.cart_mut().push("pen".to_owned());
/// }
///
/// async fn account(who: Authenticated<Visitor>) -> String {
///     format!("user {}: {:?}", who.principal(), who.cart())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let t = TestSession::<Visitor>::new().signed_in_as(42);
/// add(t.session()).await;
/// assert_eq!(account(t.authenticated()).await, r#"user 42: ["pen"]"#);
/// # }
/// ```
///
/// # Requests
///
/// Each call of [`session()`](Self::session) and its variants begins one more request of this
/// visitor's browser. A request ends when its handles are dropped: **every method that inspects
/// something first commits the requests that have ended**, of all visitors of the store, in the
/// order in which they began, exactly as the layer does before a response is sent, and keeps the
/// cookie. These are all methods except [`layer`](Self::layer), [`with_cookie`](Self::with_cookie),
/// [`with_bearer_token`](Self::with_bearer_token) and [`another_visitor`](Self::another_visitor).
///
/// A handle that is held while another one is requested is a request still in flight, like two
/// tabs.
///
/// ```
/// # use session_runtime::testing::TestSession;
/// # #[derive(session_runtime::SessionSchema)]
/// # struct Visitor { locale: String, cart: Vec<String> }
/// # let t = TestSession::<Visitor>::new().with(|s| s.set_locale("en"));
/// let (mut one, mut two) = (t.session(), t.session());
/// one.set_locale("de");
/// two.cart_mut().push("pen".to_owned());
/// drop((one, two));
/// let merged = t.session();
/// assert_eq!((merged.locale(), merged.cart().len()), ("de", 1));
/// ```
///
/// Requests count as having an unsafe method, so that explicit changes that cannot be stored
/// because the session has ended are an error of [`last_commit`](Self::last_commit).
///
/// # Stores that do not answer immediately
///
/// A [`MemoryStore`] answers immediately, and so do a [`SpyStore`](super::SpyStore) and a
/// [`FaultStore`](super::FaultStore) around one. With other stores, inside a runtime, use
/// [`open`](Self::open), [`open_authenticated`](Self::open_authenticated),
/// [`open_existing`](Self::open_existing) and [`load_stored`](Self::load_stored), and call
/// [`settle`](Self::settle) before any other method that inspects something. Outside a runtime
/// every method blocks until the store answers.
///
/// # Panics
///
/// Methods that return no `Result` panic if the store fails and, inside a runtime, if it does not
/// answer immediately.
///
/// Every method that inspects something panics if a session was given a value that does not survive
/// being stored: one that decodes as another value or not at all, such as a map with integer keys
/// inside a tagged enum, or one that was changed through a shared reference, such as an atomic in a
/// newtype, so that the change is not stored. This applies to requests through a router with
/// [`layer`](Self::layer), too.
pub struct TestSession<V> {
    pub(super) layer: SessionLayer,
    pub(super) engine: Arc<Engine>,
    browsers: Arc<Mutex<Browsers>>,
    /// The index of this visitor's browser.
    pub(super) browser: usize,
    schema: PhantomData<fn() -> V>,
}

/// Creating visitors.
impl<V: SessionSchema> TestSession<V> {
    /// Creates a visitor without a cookie, on an empty [`MemoryStore`] with a [`frozen_clock`] and
    /// a layer with the default settings.
    #[must_use]
    #[track_caller]
    pub fn new() -> Self {
        Self::with_store(MemoryStore::with_clock(frozen_clock()))
    }

    /// Like [`new`](Self::new), on `store` and its clock.
    #[must_use]
    #[track_caller]
    pub fn with_store(store: impl SessionStore) -> Self {
        Self::with_layer(SessionLayer::new(store))
    }

    /// Like [`new`](Self::new), with the store and the settings of `layer`.
    ///
    /// # Panics
    ///
    /// If the layer is misconfigured or the schemas are invalid for it.
    #[must_use]
    #[track_caller]
    pub fn with_layer(layer: SessionLayer) -> Self {
        let engine = layer.engine();
        if let Err(error) = engine.admit(V::SCHEMA) {
            panic!("this session layer admits no session: {error}");
        }
        engine.audit.get_or_init(Default::default);
        Self::before(layer, engine, Arc::default())
    }

    fn before(layer: SessionLayer, engine: Arc<Engine>, browsers: Arc<Mutex<Browsers>>) -> Self {
        let mut all = lock(&browsers);
        let browser = all.jars.len();
        all.jars.push(Jar::EMPTY);
        drop(all);
        Self { layer, engine, browsers, browser, schema: PhantomData }
    }

    /// Changes the session, in a request before the test.
    ///
    /// # Panics
    ///
    /// If the change cannot be stored.
    #[must_use]
    #[track_caller]
    pub fn with<R>(self, change: impl FnOnce(&mut V::Session) -> R) -> Self {
        let mut session = self.session();
        change(&mut session);
        drop(session);
        if let Err(error) = self.last_commit() {
            panic!("what the test begins with cannot be stored: {error}");
        }
        self
    }

    /// Signs the visitor in, in a request before the test.
    ///
    /// # Panics
    ///
    /// If the sign-in cannot be stored.
    #[must_use]
    #[track_caller]
    pub fn signed_in_as(self, principal: V::Principal) -> Self
    where
        V: HasPrincipal,
    {
        self.with(|session| session.set(V::PRINCIPAL, Some(principal)))
    }

    /// Gives the visitor `cookie`, in the form of [`cookie`](Self::cookie): an old one, or another
    /// visitor's.
    #[must_use]
    pub fn with_cookie(self, cookie: impl Into<String>) -> Self {
        self.with_jar(|jar| jar.cookie = Some(cookie.into()));
        self
    }

    /// Makes the visitor a client without cookies that sends this bearer token, and every one that
    /// it receives from then on in the layer's [`token_header`](SessionLayer::token_header).
    #[must_use]
    pub fn with_bearer_token(self, token: impl Into<String>) -> Self {
        self.with_jar(|jar| (jar.cookie, jar.bearer) = (None, Some(token.into())));
        self
    }

    /// Creates another visitor, without a cookie, on the same layer and store.
    #[must_use]
    pub fn another_visitor(&self) -> Self {
        let browsers = Arc::clone(&self.browsers);
        Self::before(self.layer.clone(), Arc::clone(&self.engine), browsers)
    }
}

impl<V: SessionSchema> TestSession<V> {
    pub(super) fn browsers(&self) -> MutexGuard<'_, Browsers> {
        lock(&self.browsers)
    }

    pub(super) fn with_jar<T>(&self, see: impl FnOnce(&mut Jar) -> T) -> T {
        see(&mut self.browsers().jars[self.browser])
    }
}

fn lock(browsers: &Mutex<Browsers>) -> MutexGuard<'_, Browsers> {
    browsers.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<V: SessionSchema> Default for TestSession<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V: SessionSchema> fmt::Debug for TestSession<V> {
    /// Omits the cookie.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestSession").field("schema", &V::SCHEMA.name).finish_non_exhaustive()
    }
}

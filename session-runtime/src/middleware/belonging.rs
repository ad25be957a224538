//! The settings that determine a layer's sessions: cookie, realm and schemas.

use std::sync::Arc;

use super::layer::SessionLayer;
use crate::config::{CookieConfig, header_named};
use crate::schema::SessionSchema;
use crate::transport::Transports;

/// Cookie, realm and schemas.
impl SessionLayer {
    /// Sets the cookie's name and attributes.
    ///
    /// # Default
    ///
    /// [`CookieConfig::default`].
    #[must_use]
    pub fn cookie(self, cookie: CookieConfig) -> Self {
        self.set(|config| config.cookie = cookie)
    }

    /// Sets how clients send the tokens of their sessions: in the cookie, as bearer tokens, or
    /// either.
    ///
    /// A client gets a new bearer token in the response header
    /// [`token_header`](Self::token_header), or in a body, by
    /// [`Handle::bearer_token`](crate::Handle::bearer_token). With [`Transports::Both`], a request
    /// without any token starts a session with a cookie, unless its handler calls that method.
    ///
    /// Responses with status 401 get a `WWW-Authenticate: Bearer`, and no request with a bearer
    /// token is redirected to a login page.
    ///
    /// ```
    /// use session_runtime::{SessionLayer, Transports, store::MemoryStore};
    ///
    /// let layer = SessionLayer::new(MemoryStore::new()).transports(Transports::Both);
    /// ```
    ///
    /// # Default
    ///
    /// [`Transports::Cookie`].
    #[doc(alias("bearer", "authorization"))]
    #[must_use]
    pub fn transports(self, transports: Transports) -> Self {
        self.set(|config| config.transports = transports)
    }

    /// Sets the response header that carries a new bearer token: after a sign-in, a change of
    /// privileges, and a renewal by [age](Self::renew_after). A client replaces its token by every
    /// one that it receives. Pages of another origin can read the header only if CORS exposes it
    /// (`Access-Control-Expose-Headers`).
    ///
    /// # Default
    ///
    /// `session-token`.
    #[must_use]
    pub fn token_header(self, name: &str) -> Self {
        self.set(|config| match header_named("token_header", name) {
            Ok(name) => config.token_header = name,
            Err(error) => drop(config.error.get_or_insert(error)),
        })
    }

    /// Also reads a former cookie of this layer, so that changing the
    /// [`cookie`](Self::cookie) signs no user out: a browser with the former cookie receives
    /// the same token in the new one, and the former is removed. May be called several times.
    ///
    /// Unless [`realm`](Self::realm) is set, the former cookie's name is also the realm of
    /// its sessions, and is [accepted](Self::accept_realm). Remove this setting once no
    /// browser sends the former cookie; keep `accept_realm` with its name as long as older
    /// sessions may live.
    ///
    /// ```
    /// use session_runtime::{CookieConfig, SessionLayer, store::MemoryStore};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let layer = SessionLayer::new(MemoryStore::new())
    ///     .cookie(CookieConfig::builder().name("shop").build()?)
    ///     .accept_cookie(CookieConfig::default());
    /// layer.check()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Default
    ///
    /// None.
    #[must_use]
    pub fn accept_cookie(self, former: CookieConfig) -> Self {
        self.set(|config| config.former_cookies.push(former))
    }

    /// Sets the realm of this layer's sessions: 1 to 64 visible ASCII characters
    /// without `:`.
    ///
    /// A session belongs to the realm of the layer that created it. In every other realm
    /// its token is unknown, its signature invalid, its encrypted fields unreadable and its
    /// principal a different one, even if the layers share a store. Layers and applications
    /// that share sessions need the same realm.
    ///
    /// # Default
    ///
    /// The name of the [`cookie`](Self::cookie) without its prefix: `session`.
    #[must_use]
    pub fn realm(self, name: &str) -> Self {
        self.set(|config| {
            if let Err(error) = config.realms.name(name) {
                config.error.get_or_insert(error);
            }
        })
    }

    /// Also opens the sessions of a former realm of this layer, so that changing the
    /// [`realm`](Self::realm) signs no user out. May be called up to three times.
    ///
    /// Existing sessions stay in their realm; new sessions get the layer's realm.
    /// [`SessionManager`](crate::SessionManager) lists and ends the sessions of all accepted
    /// realms; [`max_sessions`](Self::max_sessions) counts each realm separately. For a
    /// changed cookie name see [`accept_cookie`](Self::accept_cookie).
    ///
    /// Costs one more hash per load. Remove it once no older session is left: after the
    /// [`absolute_timeout`](Self::absolute_timeout), or after 400 days if there is none or
    /// sessions are remembered.
    ///
    /// # Default
    ///
    /// None.
    #[must_use]
    pub fn accept_realm(self, name: &str) -> Self {
        self.set(|config| {
            if let Err(error) = config.realms.accept(name) {
                config.error.get_or_insert(error);
            }
        })
    }

    /// Registers a schema before the first request. [`check`](Self::check) then rejects
    /// schemas that disagree on a field, and every [`SessionManager`](crate::SessionManager)
    /// of this layer, also an existing one, knows the schema's principal.
    ///
    /// A layer with two or more schemas needs this call for each that has a field marked
    /// `clear_on_login`, `carry_over`, `renew` or `secret`, because sign-ins and sign-outs
    /// affect these fields, even in a process that has not yet served their schema.
    /// Otherwise extracting the second schema fails with
    /// [`SessionError::Setup`](crate::SessionError::Setup).
    ///
    /// On a route with several nested layers, this call determines which one a handler
    /// uses: the session of `S` is that of the innermost layer that registers `S`. A schema
    /// that none of them registers belongs to the innermost layer, which is logged.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use session_runtime::{
    ///     Authenticated, CookieConfig, SessionLayer, SessionSchema, store::MemoryStore,
    /// };
    ///
    /// #[derive(SessionSchema)]
    /// struct Customer {
    ///     #[session(principal)]
    ///     number: Option<u64>,
    /// }
    ///
    /// #[derive(SessionSchema)]
    /// struct Employee {
    ///     #[session(principal)]
    ///     login: Option<String>,
    /// }
    ///
    /// /// A page of the shop, with an extra toolbar for employees.
    /// async fn page(customer: Authenticated<Customer>, staff: Option<Authenticated<Employee>>) {
    ///     # let _ = (customer, staff);
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = MemoryStore::new();
    /// let app: Router = Router::new()
    ///     .route("/", get(page))
    ///     .layer(SessionLayer::new(store.clone()).schema::<Customer>())
    ///     .layer(
    ///         SessionLayer::new(store)
    ///             .cookie(CookieConfig::builder().name("staff").build()?)
    ///             .schema::<Employee>(),
    ///     );
    /// # drop(app);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn schema<S: SessionSchema>(mut self) -> Self {
        self.schemas.push(S::SCHEMA);
        // Managers hold the engine that was built: it is kept if the schema fits it.
        let is_known = self.engine.get().is_some_and(|engine| engine.name(S::SCHEMA).is_ok());
        if !is_known {
            self.engine = Arc::default();
        }
        self
    }
}

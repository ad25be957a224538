//! Settings of which sessions are a layer's: its cookie, its realm and its schemas.

use std::sync::Arc;

use super::layer::SessionLayer;
use crate::config::CookieConfig;
use crate::schema::SessionSchema;

/// The cookie, and which sessions are this layer's.
impl SessionLayer {
    /// The cookie's name and attributes.
    ///
    /// # Default
    ///
    /// [`CookieConfig::default`].
    #[must_use]
    pub fn cookie(self, cookie: CookieConfig) -> Self {
        self.set(|config| config.cookie = cookie)
    }

    /// Reads the cookie that this layer had before, too, so that another
    /// [`cookie`](Self::cookie) signs nobody out: who comes with the former one is sent the
    /// same token in the new one, and the removal of the former. May be called several times.
    ///
    /// The name of a cookie is also the [`realm`](Self::realm) of its sessions, unless that
    /// was named; it is [accepted](Self::accept_realm) then. Once no browser comes with the
    /// former cookie any more, take this out; and leave `accept_realm` with its name as long
    /// as sessions from before may live.
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

    /// Names the realm of this layer's sessions: 1 to 64 visible ASCII characters
    /// without `:`.
    ///
    /// A session belongs to the realm of the layer that made it. In every other
    /// realm its token is unknown, and so are the token's signature, its encrypted
    /// fields and its user's number, whatever store the layers share. Layers, and
    /// applications, that are to share their sessions need the same realm.
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

    /// Opens the sessions of a realm that this layer had before, too, so that
    /// another [`realm`](Self::realm) signs nobody out. May be called three times.
    ///
    /// Such a session stays in its realm, and a new one gets that of the layer.
    /// [`SessionManager`](crate::SessionManager) lists and ends the sessions of both; a cap counts each
    /// realm by itself. For another name of the *cookie* see
    /// [`accept_cookie`](Self::accept_cookie).
    ///
    /// Every load costs one more hash. Take it out once no session is left from
    /// before: after the [`absolute_timeout`](Self::absolute_timeout), or 400 days
    /// where there is none or sessions are remembered.
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

    /// Makes a schema known before the first request: two schemas that disagree
    /// on a field are then refused by [`check`](Self::check), and a
    /// [`SessionManager`](crate::SessionManager) knows its principal, also one that was taken
    /// before.
    ///
    /// A layer with two or more schemas needs this call for each that has a field marked
    /// `clear_on_login`, `carry_over`, `renew` or `secret`: a sign-in or a sign-out is
    /// about all of them, also in a process that has not served them yet. Otherwise the
    /// second schema cannot be extracted
    /// ([`SessionError::Setup`](crate::SessionError::Setup)).
    ///
    /// Where a route has several layers, one around the other, this call says which of them
    /// a handler means: the session of `S` is that of the innermost layer that names `S`. A
    /// schema that none of them names belongs to the innermost layer, and the log says so.
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
    /// /// A page of the shop, with a bar above it for whoever works there.
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
        // What was built goes on, if the schema fits it: managers hold it.
        let is_known = self.engine.get().is_some_and(|engine| engine.name(S::SCHEMA).is_ok());
        if !is_known {
            self.engine = Arc::default();
        }
        self
    }
}

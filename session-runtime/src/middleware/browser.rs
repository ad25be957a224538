//! The settings that affect browsers beyond the session itself.

use super::layer::SessionLayer;
use crate::config::SiteData;

/// Responses to browsers.
impl SessionLayer {
    /// Drops `Secure` and the name prefix, so that browsers keep the cookie over plain http.
    /// Anyone who can read the network can then steal every session; this is logged once, at
    /// level `warn`. Test [`is_secure`](Self::is_secure) at start-up to rule it out in
    /// production.
    ///
    /// Browsers send a cookie to every port of a host: two applications on `localhost` with
    /// the same cookie name, by default `session`, sign each other's users out. Give each
    /// its own name:
    ///
    /// ```
    /// use session_runtime::{CookieConfig, SessionLayer, store::MemoryStore};
    ///
    /// let cookie = CookieConfig::builder().name(env!("CARGO_PKG_NAME")).build().unwrap();
    /// let layer = SessionLayer::new(MemoryStore::new()).cookie(cookie).insecure_for_development();
    /// ```
    #[doc(alias("secure", "with_secure"))]
    #[must_use]
    pub fn insecure_for_development(self) -> Self {
        self.set(|config| config.insecure = true)
    }

    /// Returns whether browsers send the cookie only over https: `false` if
    /// [`insecure_for_development`](Self::insecure_for_development) was called, or set in a
    /// configuration file.
    ///
    /// ```
    /// # use session_runtime::{SessionLayer, store::MemoryStore};
    /// # let layer = SessionLayer::new(MemoryStore::new());
    /// assert!(layer.is_secure() || cfg!(debug_assertions), "a release needs secure cookies");
    /// ```
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        !self.config.insecure
    }

    /// Sets whether responses to signed-in users are `Cache-Control: no-store`, if their
    /// request read the session, overriding the handler's header (OWASP ASVS 5.0, 14.3.2).
    /// Account data then stays in no cache, and the browser's *back* button does not show it
    /// after a sign-out. The cost: *back* always sends a request.
    ///
    /// # Default
    ///
    /// No: such a response is `private`, unless its handler sets another value. A response
    /// that sets the cookie is always `no-store`.
    #[must_use]
    pub fn no_store_when_signed_in(self, no_store: bool) -> Self {
        self.set(|config| config.no_store_when_signed_in = no_store)
    }

    /// Sets the `Clear-Site-Data` header of responses that sign the user out or end the
    /// session: usually [`SiteData::RECOMMENDED`], the cache and the storage (OWASP ASVS 5.0,
    /// 14.3.1). Browsers obey it only over https. A `Clear-Site-Data` header set by the
    /// handler is kept.
    ///
    /// ```
    /// use session_runtime::{SessionLayer, SiteData, store::MemoryStore};
    ///
    /// let layer = SessionLayer::new(MemoryStore::new()).clear_site_data(SiteData::RECOMMENDED);
    /// ```
    ///
    /// # Default
    ///
    /// Nothing.
    #[must_use]
    pub fn clear_site_data(self, what: impl IntoIterator<Item = SiteData>) -> Self {
        let header = SiteData::header(what);
        self.set(|config| config.clear_site_data = header)
    }

    /// Sets the login page to which [`Authenticated`](crate::Authenticated) redirects (303)
    /// visitors who are not signed in: a URL of visible ASCII characters.
    ///
    /// A GET or HEAD request passes its path and query along as `next`:
    /// `/login?next=/orders%3Fpage%3D2`. Read it with [`local_path`](crate::local_path). The
    /// path is the one that the layer sees, so apply the layer to the outermost router, not
    /// to a nested one. Nothing is added to a URL with a host, or if the address is longer
    /// than 2,048 bytes.
    ///
    /// If the request has a token that opens no session, its reason comes along as `ended`:
    /// `/login?next=/orders&ended=idle`. Read it with [`EndReason::named`](crate::EndReason::named).
    ///
    /// Requests that are not navigations (`fetch`, an image, a client that asks for JSON)
    /// are answered with 401 instead. `Sec-Fetch-Mode` decides; if it is missing,
    /// `X-Requested-With` and `Accept` do. A request without any of them counts as a
    /// navigation.
    ///
    /// # Default
    ///
    /// None: 401.
    #[must_use]
    pub fn login_redirect(self, location: &str) -> Self {
        self.set(|config| config.login = std::mem::take(&mut config.login).everywhere(location))
    }

    /// Sets another login page for `path` and everything below it; `None` answers with 401
    /// there. Of several matching paths, the longest applies.
    ///
    /// ```
    /// # use session_runtime::{SessionLayer, store::MemoryStore};
    /// let layer = SessionLayer::new(MemoryStore::new())
    ///     .login_redirect("/login")
    ///     .login_redirect_for("/admin", "/admin/login")
    ///     .login_redirect_for("/api", None);
    /// ```
    ///
    /// # Default
    ///
    /// [`login_redirect`](Self::login_redirect) applies everywhere.
    #[must_use]
    pub fn login_redirect_for<'p>(self, path: &str, location: impl Into<Option<&'p str>>) -> Self {
        let location = location.into();
        self.set(|config| {
            config.login = std::mem::take(&mut config.login).below(path, location);
        })
    }
}

//! Settings of what browsers are told beside the session itself.

use super::layer::SessionLayer;
use crate::config::SiteData;

/// What browsers are told.
impl SessionLayer {
    /// Drops `Secure` and the name prefix, so that browsers keep the cookie on plain http.
    /// Whoever can read the network can then steal every session; the log says so once, at
    /// the level `warn`. [`is_secure`](Self::is_secure) tells a check at start-up.
    ///
    /// Browsers send a cookie to every port of a host: two applications on one `localhost`
    /// with one name, by default `session`, sign each other out. Give each a name of its own:
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

    /// Whether browsers send the cookie over https alone: unless
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

    /// Whether responses to requests of a signed-in visitor that read the session are
    /// `Cache-Control: no-store`, whatever their handlers say (OWASP ASVS 5.0, 14.3.2).
    /// Nothing of an account is then left in a cache, nor shown by the browser's *back*
    /// after a sign-out; every such *back* is a request, for browsers do not keep the page.
    ///
    /// # Default
    ///
    /// No: such a response is `private`, unless its handler says otherwise. One that sets the
    /// cookie is `no-store` in any case.
    #[must_use]
    pub fn no_store_when_signed_in(self, no_store: bool) -> Self {
        self.set(|config| config.no_store_when_signed_in = no_store)
    }

    /// What the browser is asked to forget by the response that signs somebody out or ends
    /// the session, in a `Clear-Site-Data` header: usually [`SiteData::USUAL`], the cache and
    /// the storage (OWASP ASVS 5.0, 14.3.1). Browsers obey on https. A header of the
    /// handler's own stays.
    ///
    /// ```
    /// use session_runtime::{SessionLayer, SiteData, store::MemoryStore};
    ///
    /// let layer = SessionLayer::new(MemoryStore::new()).clear_site_data(SiteData::USUAL);
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

    /// Where [`Authenticated`](crate::Authenticated) redirects (303) a browser whose
    /// visitor is not signed in: a URL of visible ASCII characters.
    ///
    /// A GET brings the path and query that were asked for along, as `next`:
    /// `/login?next=/orders%3Fpage%3D2`, to be read back with
    /// [`local_path`](crate::local_path). They are those that the layer sees, so put it
    /// around the whole router, not into one that is nested. Nothing is added to the URL of
    /// another host.
    ///
    /// What is no navigation (`fetch`, an image, a program that asks for JSON) is answered
    /// with 401 instead: by `Sec-Fetch-Mode`, where it is missing by `X-Requested-With` and
    /// `Accept`. A request without any of them counts as a navigation.
    ///
    /// # Default
    ///
    /// None: 401.
    #[must_use]
    pub fn login_redirect(self, location: &str) -> Self {
        self.set(|config| config.login = std::mem::take(&mut config.login).everywhere(location))
    }

    /// The same for `path` and all below it, where that has a login page of its own; `None`
    /// answers 401 there. Of several paths the longest counts.
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
    /// [`login_redirect`](Self::login_redirect), everywhere.
    #[must_use]
    pub fn login_redirect_for<'p>(self, path: &str, location: impl Into<Option<&'p str>>) -> Self {
        let location = location.into();
        self.set(|config| {
            config.login = std::mem::take(&mut config.login).below(path, location);
        })
    }
}

//! The settings of the session cookie.

use super::error::SetupError;

/// Whether browsers send the cookie with cross-site requests (RFC 6265bis §5.6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Never.
    Strict,
    /// Only with top-level navigations by a safe method.
    Lax,
    /// Always. Browsers accept it only with `Secure`.
    None,
}

/// A name prefix for which browsers enforce attributes (RFC 6265bis §4.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookiePrefix {
    /// `__Host-`: requires `Secure`, `Path=/` and no `Domain`. No sibling domain can plant
    /// such a cookie.
    Host,
    /// `__Secure-`: requires `Secure`.
    Secure,
    /// No prefix.
    None,
}

/// The settings of the session cookie. Always valid: [`CookieConfigBuilder::build`]
/// rejects combinations that browsers drop.
///
/// # Default
///
/// `__Host-session=…; Path=/; Secure; HttpOnly; SameSite=Lax`, no `Domain`,
/// and no `Max-Age` unless [`remember`](crate::session::Handle::remember) was
/// called (OWASP Session Management Cheat Sheet; ASVS 5.0, 3.3.1–4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieConfig {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) domain: Option<String>,
    pub(crate) same_site: SameSite,
    pub(crate) secure: bool,
    pub(crate) partitioned: bool,
}

impl Default for CookieConfig {
    fn default() -> Self {
        Self {
            name: "__Host-session".to_owned(),
            path: "/".to_owned(),
            domain: None,
            same_site: SameSite::Lax,
            secure: true,
            partitioned: false,
        }
    }
}

impl CookieConfig {
    /// Returns a builder that starts from the default.
    pub fn builder() -> CookieConfigBuilder {
        CookieConfigBuilder {
            name: "session".to_owned(),
            prefix: CookiePrefix::Host,
            rest: Self::default(),
        }
    }

    /// Returns the name that browsers see, including the prefix.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the name of the marker cookie, which tells that a `SameSite=Strict` session
    /// cookie exists.
    pub(crate) fn marker(&self) -> String {
        format!("{}-here", self.name)
    }

    /// Returns the name without its prefix.
    pub(crate) fn bare_name(&self) -> &str {
        let prefixes = ["__Host-", "__Secure-"].into_iter();
        let bare = prefixes.filter_map(|prefix| self.name.strip_prefix(prefix)).next();
        bare.unwrap_or(&self.name)
    }

    /// Returns the same cookie for plain http: without `Secure` and prefix.
    pub(crate) fn insecure(mut self) -> Self {
        self.name = self.bare_name().to_owned();
        self.secure = false;
        self.partitioned = false;
        if self.same_site == SameSite::None {
            self.same_site = SameSite::Lax;
        }
        self
    }
}

/// Builds a [`CookieConfig`].
#[derive(Clone, Debug)]
#[must_use = "call `build()`"]
pub struct CookieConfigBuilder {
    name: String,
    prefix: CookiePrefix,
    rest: CookieConfig,
}

impl CookieConfigBuilder {
    /// Sets the name, without prefix.
    ///
    /// # Default
    ///
    /// `session`
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the prefix.
    ///
    /// # Default
    ///
    /// [`CookiePrefix::Host`]
    pub fn prefix(mut self, prefix: CookiePrefix) -> Self {
        self.prefix = prefix;
        self
    }

    /// Sets the path at and below which browsers send the cookie. A path other than `/`
    /// needs another prefix than `__Host-`.
    ///
    /// # Default
    ///
    /// `/`
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.rest.path = path.into();
        self
    }

    /// Sends the cookie to `domain` and all its sub-domains; every one of them can then
    /// read and replace it. Needs another prefix than `__Host-`.
    ///
    /// # Default
    ///
    /// None: only this host.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.rest.domain = Some(domain.into());
        self
    }

    /// Sets whether browsers send the cookie with cross-site requests.
    ///
    /// # Default
    ///
    /// [`SameSite::Lax`]
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.rest.same_site = same_site;
        self
    }

    /// Keeps a separate cookie per top-level site (CHIPS), for embedded pages.
    ///
    /// # Default
    ///
    /// No.
    pub fn partitioned(mut self, partitioned: bool) -> Self {
        self.rest.partitioned = partitioned;
        self
    }

    /// Builds the settings.
    ///
    /// ```
    /// use session_runtime::{CookieConfig, CookiePrefix};
    ///
    /// let shop = CookieConfig::builder().name("shop").domain("example.org");
    /// let error = shop.clone().build().unwrap_err(); // a `__Host-` cookie has no domain
    /// assert_eq!(error.entry(), Some("cookie.domain"));
    ///
    /// let cookie = shop.prefix(CookiePrefix::Secure).build()?;
    /// assert_eq!(cookie.name(), "__Secure-shop");
    /// # Ok::<(), session_runtime::SetupError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If browsers would reject or alter the cookie. The error names the setting and says
    /// what to write instead.
    pub fn build(self) -> Result<CookieConfig, SetupError> {
        let refuse = |entry, problem| Err(SetupError::setting(entry, problem));
        let Self { name, prefix, rest } = self;
        if !is_cookie_name(&name) {
            return refuse(
                "cookie.name",
                "a name has letters, digits and any of `!#$%&'*+-.^_`|~` (RFC 6265 §4.1.1)",
            );
        }
        let lower = name.to_ascii_lowercase();
        if lower.starts_with("__host-") || lower.starts_with("__secure-") {
            return refuse("cookie.name", "leave the prefix out, and choose it with `prefix`");
        }
        if let Some(problem) = problem_of_path(&rest.path) {
            return refuse("cookie.path", problem);
        }
        if let Some(problem) = rest.domain.as_deref().and_then(problem_of_domain) {
            return refuse("cookie.domain", problem);
        }
        if prefix == CookiePrefix::Host && rest.domain.is_some() {
            return refuse(
                "cookie.domain",
                "`__Host-` cookies have no domain: use `CookiePrefix::Secure`",
            );
        }
        if prefix == CookiePrefix::Host && rest.path != "/" {
            return refuse(
                "cookie.path",
                "`__Host-` cookies have the path `/`: use `CookiePrefix::Secure`",
            );
        }
        let name = match prefix {
            CookiePrefix::Host => format!("__Host-{name}"),
            CookiePrefix::Secure => format!("__Secure-{name}"),
            CookiePrefix::None => name,
        };
        if name.len() > 256 {
            return refuse("cookie.name", "at most 256 bytes: name and value share 4096");
        }
        Ok(CookieConfig { name, ..rest })
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Returns whether `name` is a valid cookie name (RFC 6265 §4.1.1).
pub(crate) fn is_cookie_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(is_token)
}

/// Browsers ignore longer attributes and use their defaults (RFC 6265bis §5.6).
const LONGEST: usize = 1_024;

fn problem_of_path(path: &str) -> Option<&'static str> {
    if !path.starts_with('/') {
        Some("a path starts with `/`")
    } else if path.contains(';') {
        Some("a `;` would end the path: write it as `%3B`")
    } else if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        Some(
            "a path has visible ASCII characters, as in a URL: write a space as `%20`, others likewise",
        )
    } else if path.len() > LONGEST {
        Some("at most 1024 bytes: browsers ignore a longer path")
    } else {
        None
    }
}

/// A domain is a host name (RFC 6265 §4.1.1, RFC 1123 §2.1), as written in URLs.
fn problem_of_domain(domain: &str) -> Option<&'static str> {
    let unbracketed = domain.trim_start_matches('[').trim_end_matches(']');
    let last = domain.rsplit('.').next().unwrap_or_default();
    // A host that ends in a number is an IPv4 address (WHATWG URL, "ends in a number").
    let is_address = unbracketed.parse::<std::net::IpAddr>().is_ok()
        || !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    let is_label = |label: &str| !label.starts_with('-') && !label.ends_with('-');
    if is_address {
        Some("an IP address has no sub-domains: leave `domain` out")
    } else if domain.len() > LONGEST {
        Some("at most 1024 bytes: browsers ignore a longer domain")
    } else if !domain.bytes().all(of_name) {
        Some("a domain has ASCII letters, digits, `-` and `.`: write others as `xn--…`")
    } else if domain.starts_with('.') || domain.ends_with('.') {
        Some("a domain has no `.` at its beginning or end: write `example.org`")
    } else if domain.split('.').any(|label| label.is_empty() || label.len() > 63) {
        Some("between the dots of a domain there are 1 to 63 characters: write `example.org`")
    } else if !domain.split('.').all(is_label) {
        Some("no part of a domain begins or ends with `-`")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(builder: CookieConfigBuilder) -> &'static str {
        builder.build().unwrap_err().entry().unwrap()
    }

    #[test]
    fn combinations_that_browsers_drop_are_refused_when_built() {
        assert_eq!(entry(CookieConfig::builder().domain("example.org")), "cookie.domain");
        assert_eq!(entry(CookieConfig::builder().path("/shop")), "cookie.path");
        assert_eq!(
            entry(CookieConfig::builder().path("shop").prefix(CookiePrefix::None)),
            "cookie.path"
        );
    }

    #[test]
    fn names_cannot_inject() {
        for name in ["", "a;b", "a b", "a=b", "a\r\nb", "ä", "__Host-x", "__secure-x", "a\"b"] {
            assert_eq!(entry(CookieConfig::builder().name(name)), "cookie.name", "{name:?}");
        }
        assert!(CookieConfig::builder().name("!#$%&'*+-.^_`|~a0").build().is_ok());
    }

    #[test]
    fn paths_and_domains_cannot_inject() {
        let builder = || CookieConfig::builder().prefix(CookiePrefix::Secure);
        let controls = (0..0x20).chain([0x7f]).map(char::from);
        for bad in controls.chain([';', 'ä', '\u{85}', '\u{2028}']) {
            for text in [format!("/a{bad}b"), format!("/{bad}"), format!("/a{bad}")] {
                assert_eq!(entry(builder().path(&text)), "cookie.path", "{text:?}");
                assert_eq!(entry(builder().domain(&text[1..])), "cookie.domain", "{text:?}");
            }
        }
        assert_eq!(entry(builder().path("/a;Domain=evil")), "cookie.path");
        assert_eq!(builder().path("/a/b_%20").domain("a.b").build().unwrap().path, "/a/b_%20");
    }

    #[test]
    fn a_path_that_browsers_would_cut_or_ignore_is_refused_with_what_to_write() {
        let long = format!("/{}", "a".repeat(1_024));
        for (path, said) in [
            ("", "starts with `/`"),
            ("shop", "starts with `/`"),
            ("/a;b", "write it as `%3B`"),
            ("/a\tb", "write a space as `%20`"),
            ("/a\r\nSet-Cookie: b", "write a space as `%20`"),
            ("/a\0", "write a space as `%20`"),
            ("/a\u{7f}", "write a space as `%20`"),
            ("/a b", "write a space as `%20`"),
            ("/bücher", "write a space as `%20`"),
            (&long, "at most 1024 bytes"),
        ] {
            let builder = CookieConfig::builder().prefix(CookiePrefix::Secure).path(path);
            let error = builder.build().unwrap_err();
            assert_eq!(error.entry().unwrap(), "cookie.path", "{path:?}");
            assert!(error.to_string().contains(said), "{path:?}: {error}");
        }
        let longest = &long[..1_024];
        for path in ["/", "/shop/a-b_c.d~e%20f=1,2", longest] {
            let builder = CookieConfig::builder().prefix(CookiePrefix::Secure).path(path);
            assert_eq!(builder.build().unwrap().path, path);
        }
    }

    #[test]
    fn a_domain_that_is_no_host_name_is_refused_with_what_to_write() {
        let long = format!("{}.org", "a".repeat(64));
        let longer = format!("{}org", "a.".repeat(520));
        let (ends, between) = ("at its beginning or end", "between the dots");
        for (domain, said) in [
            ("", between),
            (".", ends),
            ("..", ends),
            (".example.org", ends),
            ("example.org.", ends),
            ("a..b", between),
            (&long, between),
            (&longer, "at most 1024 bytes"),
            ("-x.org", "begins or ends with `-`"),
            ("x-.org", "begins or ends with `-`"),
            ("x.-", "begins or ends with `-`"),
            ("127.0.0.1", "an IP address"),
            ("1.2", "an IP address"),
            ("::1", "an IP address"),
            ("[2001:db8::1]", "an IP address"),
            ("bücher.example", "`xn--…`"),
            ("example.org:8080", "`xn--…`"),
            ("https://example.org", "`xn--…`"),
            ("a b.org", "`xn--…`"),
        ] {
            let builder = CookieConfig::builder().prefix(CookiePrefix::Secure).domain(domain);
            let error = builder.build().unwrap_err();
            assert_eq!(error.entry().unwrap(), "cookie.domain", "{domain:?}");
            assert!(error.to_string().contains(said), "{domain:?}: {error}");
        }
        for domain in ["example.org", "localhost", "a-b.xn--bcher-kva.example", "1a.org", "x.4a"] {
            let builder = CookieConfig::builder().prefix(CookiePrefix::Secure).domain(domain);
            assert_eq!(builder.build().unwrap().domain.as_deref(), Some(domain));
        }
    }

    #[test]
    fn valid_settings_build_and_the_plain_http_form_has_no_prefix() {
        let config =
            CookieConfig::builder().name("sid").same_site(SameSite::Strict).build().unwrap();
        assert_eq!(config.name(), "__Host-sid");
        let plain = config.insecure();
        assert_eq!(plain.name(), "sid");
        assert!(!plain.secure);
    }
}

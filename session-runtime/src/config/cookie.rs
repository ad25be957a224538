//! The session cookie's settings.

use super::error::ConfigError;

/// When the browser sends the cookie along with cross-site requests
/// (RFC 6265bis §5.6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Never.
    Strict,
    /// Only with top-level navigation by a safe method.
    Lax,
    /// Always. Browsers accept it with `Secure` only.
    None,
}

/// A name prefix that makes browsers enforce attributes (RFC 6265bis §4.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookiePrefix {
    /// `__Host-`: secure, for this host alone, for every path. No sibling
    /// domain can plant such a cookie.
    Host,
    /// `__Secure-`: secure.
    Secure,
    /// No prefix.
    None,
}

/// The settings of the session cookie. Always valid: a combination that
/// browsers would drop is refused by [`CookieConfigBuilder::build`].
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
    /// Starts from the default.
    pub fn builder() -> CookieConfigBuilder {
        CookieConfigBuilder {
            name: "session".to_owned(),
            prefix: CookiePrefix::Host,
            rest: Self::default(),
        }
    }

    /// The name that browsers see, prefix included.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name without its prefix.
    pub(crate) fn bare_name(&self) -> &str {
        let prefixes = ["__Host-", "__Secure-"].into_iter();
        let bare = prefixes.filter_map(|prefix| self.name.strip_prefix(prefix)).next();
        bare.unwrap_or(&self.name)
    }

    /// The same cookie for plain http: without `Secure` and prefix.
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
    /// The name, without prefix. # Default: `session`
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The prefix. # Default: [`CookiePrefix::Host`]
    pub fn prefix(mut self, prefix: CookiePrefix) -> Self {
        self.prefix = prefix;
        self
    }

    /// The path below which browsers send it. # Default: `/`
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.rest.path = path.into();
        self
    }

    /// Sends it to all sub-domains of `domain` too; every one of them can then
    /// read and replace it. Needs another prefix than `__Host-`.
    ///
    /// # Default
    ///
    /// None: this host alone.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.rest.domain = Some(domain.into());
        self
    }

    /// # Default: [`SameSite::Lax`]
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.rest.same_site = same_site;
        self
    }

    /// A cookie jar per top-level site (CHIPS), for embedded pages.
    /// # Default: no
    pub fn partitioned(mut self, partitioned: bool) -> Self {
        self.rest.partitioned = partitioned;
        self
    }

    /// The settings, if browsers would accept them.
    ///
    /// # Errors
    ///
    /// Names the setting at fault, and what to write instead.
    pub fn build(self) -> Result<CookieConfig, ConfigError> {
        let refuse = |entry, problem| Err(ConfigError::new(entry, problem));
        let Self { name, prefix, rest } = self;
        if name.is_empty() || !name.bytes().all(is_token) {
            return refuse("cookie.name", "use letters, digits, `-` and `_` (RFC 6265 §4.1.1)");
        }
        let lower = name.to_ascii_lowercase();
        if lower.starts_with("__host-") || lower.starts_with("__secure-") {
            return refuse("cookie.name", "leave the prefix out, and choose it with `prefix`");
        }
        if !rest.path.starts_with('/') || !rest.path.bytes().all(is_attribute) {
            return refuse(
                "cookie.path",
                "a path starts with `/` and has no `;` or control characters",
            );
        }
        if let Some(domain) = &rest.domain
            && (domain.is_empty()
                || !domain.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b)))
        {
            return refuse("cookie.domain", "a domain has letters, digits, `-` and `.`");
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

fn is_attribute(byte: u8) -> bool {
    (0x20..0x7f).contains(&byte) && byte != b';'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(builder: CookieConfigBuilder) -> &'static str {
        builder.build().unwrap_err().entry()
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
    fn valid_settings_build_and_the_plain_http_form_has_no_prefix() {
        let config =
            CookieConfig::builder().name("sid").same_site(SameSite::Strict).build().unwrap();
        assert_eq!(config.name(), "__Host-sid");
        let plain = config.insecure();
        assert_eq!(plain.name(), "sid");
        assert!(!plain.secure);
    }
}

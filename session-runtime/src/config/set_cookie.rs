//! The parts of the `Set-Cookie` header that depend on the settings alone.

use std::fmt::Write as _;

use cookie::{Cookie, SameSite as Site};

use super::cookie::{CookieConfig, SameSite};

/// The `Set-Cookie` templates of a layer, built once from its settings.
pub(crate) struct SetCookie {
    pub(crate) own: Template,
    /// The template of the marker of a `SameSite=Strict` cookie.
    pub(crate) marker: Option<Template>,
}

impl SetCookie {
    pub(crate) fn of(config: &CookieConfig) -> Self {
        let own = Template::of(config, config.name(), config.same_site);
        let marker = (config.same_site == SameSite::Strict)
            .then(|| Template::of(config, &config.marker(), SameSite::Lax));
        Self { own, marker }
    }
}

/// A cookie without its value and `Max-Age`.
pub(crate) struct Template {
    /// `name=`
    name: String,
    /// `; HttpOnly; …`
    attributes: String,
}

impl Template {
    fn of(config: &CookieConfig, name: &str, same_site: SameSite) -> Self {
        let mut cookie = Cookie::build((name, ""))
            .path(config.path.as_str())
            .secure(config.secure)
            .http_only(true)
            .partitioned(config.partitioned)
            .same_site(match same_site {
                SameSite::Strict => Site::Strict,
                SameSite::Lax => Site::Lax,
                SameSite::None => Site::None,
            });
        if let Some(domain) = &config.domain {
            cookie = cookie.domain(domain.as_str());
        }
        let mut name = cookie.build().to_string();
        let attributes = name.split_off(name.find('=').map_or(name.len(), |at| at + 1));
        Self { name, attributes }
    }

    /// Returns the header with the value that `write` appends, of which `length` is the
    /// length. Without `Max-Age` the string is then filled exactly, and a header value takes
    /// it over without copying.
    pub(crate) fn with(
        &self,
        length: usize,
        write: impl FnOnce(&mut String),
        max_age: Option<u64>,
    ) -> String {
        let Self { name, attributes } = self;
        let mut header = String::with_capacity(name.len() + length + attributes.len());
        header.push_str(name);
        write(&mut header);
        header.push_str(attributes);
        if let Some(seconds) = max_age {
            // Writing to a string cannot fail.
            let _ = write!(header, "; Max-Age={seconds}");
        }
        header
    }
}

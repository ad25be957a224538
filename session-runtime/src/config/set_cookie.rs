//! The header `Set-Cookie`, as far as the settings alone decide it.

use std::fmt::Write as _;

use cookie::{Cookie, SameSite as Site};

use super::cookie::{CookieConfig, SameSite};

/// What is sent of a session's cookie, made from its settings once.
pub(crate) struct SetCookie {
    pub(crate) own: Template,
    /// Of the cookie that says that there is a strict one.
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

/// A cookie without its value and without how long it lives.
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

    /// The header, with the value that `write` appends. `length` is that of the value: where
    /// there is no `Max-Age`, the string is then exactly full, and a header value takes it as
    /// it is instead of copying it.
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

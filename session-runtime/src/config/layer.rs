//! The layer's settings.

use std::time::Duration;

use http::StatusCode;

use super::cookie::CookieConfig;
use super::error::ConfigError;
use crate::session::Policy;

#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) policy: Policy,
    pub(crate) cookie: CookieConfig,
    /// The cookie goes over plain http, whatever its settings say.
    pub(crate) insecure: bool,
    /// How long one call of the store may take.
    pub(crate) store_timeout: Duration,
    /// Whether a response of this status keeps what its handler changed.
    pub(crate) keep_changes: fn(StatusCode) -> bool,
    /// Whether losing an explicit change makes the response a 409.
    pub(crate) conflict_on_lost_changes: bool,
    /// Where `Authenticated` sends those who are nobody.
    pub(crate) login_redirect: Option<&'static str>,
    pub(crate) error: Option<ConfigError>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            policy: Policy {
                idle: Some(Duration::from_secs(30 * 60)),
                absolute: Some(Duration::from_secs(12 * 60 * 60)),
            },
            cookie: CookieConfig::default(),
            insecure: false,
            store_timeout: Duration::from_secs(5),
            keep_changes: keep_unless_failed,
            conflict_on_lost_changes: true,
            login_redirect: None,
            error: None,
        }
    }
}

impl Config {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        for (entry, timeout) in
            [("idle_timeout", self.policy.idle), ("absolute_timeout", self.policy.absolute)]
        {
            if timeout.is_some_and(|timeout| timeout < Duration::from_secs(1)) {
                return Err(ConfigError::new(entry, "at least one second; `None` for no limit"));
            }
        }
        if self.login_redirect.is_some_and(|url| !url.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(ConfigError::new(
                "login_redirect",
                "a URL of visible ASCII characters; write others as `%C3%BC`",
            ));
        }
        if self.store_timeout.is_zero() {
            return Err(ConfigError::new("store_timeout", "longer than nothing"));
        }
        Ok(())
    }
}

/// The default of [`SessionLayer::keep_changes_if`]: every status but 5xx and
/// 408, after which the client will try again.
///
/// [`SessionLayer::keep_changes_if`]: crate::SessionLayer::keep_changes_if
#[must_use]
pub fn keep_unless_failed(status: StatusCode) -> bool {
    !status.is_server_error() && status != StatusCode::REQUEST_TIMEOUT
}

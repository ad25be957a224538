//! The settings of the layer.

use std::time::Duration;

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::cookie::{CookieConfig, is_cookie_name};
use super::error::SetupError;
use super::login::{LoginPages, is_below};
use super::realms::Realms;
use crate::event::Listener;
use crate::keys::Keys;
use crate::legacy::Adopt;
use crate::record::patch::Cap;
use crate::record::{MAX_LIFETIME, ROTATION_GRACE, TOMBSTONE};
use crate::token::SessionToken;
use crate::transport::{Transport, Transports, bearer};

/// The reaction to a replayed token: one that
/// [`renew_after`](crate::SessionLayer::renew_after), or the request after a
/// [`SessionManager::update`](crate::SessionManager::update), replaced and that is presented after
/// its grace period. One of two clients has stolen it, and it is unknown which
/// (RFC 9700 §4.14).
///
/// In all cases, the request that presents it gets a fresh, empty session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnReplay {
    /// Only [reports](crate::SecurityEventKind::Replayed) the replay; the session continues.
    Report,
    /// Also ends the session if its user is signed in or has authenticated: neither client
    /// has access any more.
    #[default]
    EndSession,
    /// Same as [`EndSession`](Self::EndSession), and ends all sessions of the session's user.
    EndAllOfPrincipal,
}

/// The limits for new and renewed sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) idle: Option<Duration>,
    pub(crate) absolute: Option<Duration>,
    /// Whether the cookie lasts until the idle timeout, and follows it.
    pub(crate) rolling: bool,
    /// The longest duration of `remember`.
    pub(crate) max_remember: Duration,
    /// The most sessions that a principal may have.
    pub(crate) cap: Option<Cap>,
}

impl Policy {
    /// Ends sessions this long after the last visit.
    pub(crate) const fn rolling(self, after: Duration) -> Self {
        Self { idle: Some(after), absolute: None, rolling: true, ..self }
    }

    fn check(&self) -> Result<(), SetupError> {
        for (entry, duration) in [
            ("idle_timeout", self.idle),
            ("absolute_timeout", self.absolute),
            ("max_remember", Some(self.max_remember)),
        ] {
            if duration.is_some_and(|duration| duration < Duration::from_secs(1)) {
                return Err(SetupError::setting(entry, "at least one second; `None` for no limit"));
            }
        }
        if let (Some(idle), Some(absolute)) = (self.idle, self.absolute)
            && idle > absolute
        {
            return Err(SetupError::setting(
                "idle_timeout",
                "longer than `absolute_timeout`, which ends every session first: set that to `None`, or to more",
            ));
        }
        if self.cap.is_some_and(|cap| cap.max.get() > Cap::MOST) {
            return Err(SetupError::setting(
                "max_sessions",
                "at most 1000; leave it out for no limit",
            ));
        }
        Ok(())
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) policy: Policy,
    pub(crate) cookie: CookieConfig,
    /// How clients send their tokens.
    pub(crate) transports: Transports,
    /// The response header with a new bearer token.
    pub(crate) token_header: HeaderName,
    /// Former cookies that are still read.
    pub(crate) former_cookies: Vec<CookieConfig>,
    /// The realms whose sessions this layer opens.
    pub(crate) realms: Realms,
    /// Sends the cookie over plain http, whatever its settings.
    pub(crate) insecure: bool,
    /// The age at which a token is renewed.
    pub(crate) renew_after: Option<Duration>,
    /// How long a request counts as late after its own browser ended the session or
    /// replaced the token.
    pub(crate) late_grace: Duration,
    /// The reaction to a replayed token.
    pub(crate) on_replay: OnReplay,
    /// Receives security events.
    pub(crate) listener: Option<Listener>,
    /// How long conflicting changes are retried.
    pub(crate) conflict_timeout: Duration,
    /// Paths without sessions.
    pub(crate) excluded: Vec<Box<str>>,
    /// Paths whose requests are no activity.
    pub(crate) passive: Vec<Box<str>>,
    /// A request with this header is no activity.
    pub(crate) passive_header: Option<HeaderName>,
    /// The longest time until a change by another process is noticed by who waits for it.
    pub(crate) watch_interval: Duration,
    /// The timeout of one store call.
    pub(crate) store_timeout: Duration,
    /// Whether a response of this status keeps its handler's changes.
    pub(crate) keep_changes: fn(StatusCode) -> bool,
    /// Whether losing an explicit change makes the response a 409.
    pub(crate) conflict_on_lost_changes: bool,
    /// Where `Authenticated` redirects visitors who are not signed in.
    pub(crate) login: LoginPages,
    /// Whether responses to signed-in users are `no-store`.
    pub(crate) no_store_when_signed_in: bool,
    /// The `Clear-Site-Data` header of a sign-out.
    pub(crate) clear_site_data: Option<HeaderValue>,
    /// The keys that encrypt fields and sign tokens.
    pub(crate) keys: Keys,
    /// The library whose sessions are taken over.
    pub(crate) adopt: Option<Adopt>,
    pub(crate) error: Option<SetupError>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            policy: Policy {
                idle: Some(Duration::from_secs(30 * 60)),
                absolute: Some(Duration::from_secs(12 * 60 * 60)),
                rolling: false,
                max_remember: MAX_LIFETIME,
                cap: None,
            },
            cookie: CookieConfig::default(),
            transports: Transports::Cookie,
            token_header: HeaderName::from_static("session-token"),
            former_cookies: Vec::new(),
            realms: Realms::default(),
            insecure: false,
            renew_after: None,
            late_grace: Duration::from_secs(5),
            on_replay: OnReplay::EndSession,
            listener: None,
            conflict_timeout: Duration::from_secs(2),
            excluded: Vec::new(),
            passive: Vec::new(),
            passive_header: None,
            watch_interval: Duration::from_secs(5),
            store_timeout: Duration::from_secs(5),
            keep_changes: keep_unless_failed,
            conflict_on_lost_changes: true,
            login: LoginPages::default(),
            no_store_when_signed_in: false,
            clear_site_data: None,
            keys: Keys::default(),
            adopt: None,
            error: None,
        }
    }
}

impl Config {
    /// Returns the bearer token of a request, if it is well-formed.
    pub(crate) fn bearer_token(&self, headers: &HeaderMap) -> Option<SessionToken> {
        Some(self.token_in(bearer(headers)?)?.sent_by(Transport::Bearer))
    }

    /// Parses the token in a cookie's value.
    pub(crate) fn token_in(&self, text: &str) -> Option<SessionToken> {
        self.realms.all().find_map(|realm| self.keys.token_in(realm, text))
    }

    /// Appends the text of a token, as the client is to send it.
    pub(crate) fn write_text_of(&self, token: &SessionToken, text: &mut String) {
        self.keys.write_text_of(self.realms.own(), token, text);
    }

    pub(crate) fn check(&self) -> Result<(), SetupError> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        self.policy.check()?;
        self.login.check()?;
        if self.renew_after.is_some_and(|after| after < ROTATION_GRACE) {
            return Err(SetupError::setting("renew_after", "at least a minute; `None` for never"));
        }
        if self.late_grace > TOMBSTONE {
            return Err(SetupError::setting(
                "late_grace",
                "at most a minute: ended sessions are remembered no longer",
            ));
        }
        if self.watch_interval < Duration::from_millis(100) {
            return Err(SetupError::setting("watch_interval", "at least 100 ms"));
        }
        if self.conflict_timeout.is_zero() {
            return Err(SetupError::setting("conflict_timeout", "greater than zero"));
        }
        for (entry, paths) in [("exclude", &self.excluded), ("passive", &self.passive)] {
            if paths.iter().any(|path| !path.starts_with('/')) {
                return Err(SetupError::setting(
                    entry,
                    "a path begins with `/`, such as `/static`",
                ));
            }
        }
        if self.excluded.iter().any(|path| &**path == "/") {
            return Err(SetupError::setting(
                "exclude",
                "`/` would leave every path without sessions: name those that are to have none, such as `/static`, or add their routes after the layer",
            ));
        }
        if let Some(adopt) = &self.adopt {
            self.check_legacy_cookie(adopt.legacy.cookie_name())?;
        }
        if self.former_cookies.iter().any(|former| former.name() == self.cookie.name()) {
            return Err(SetupError::setting(
                "accept_cookie",
                "the layer's own cookie is read anyway: name those that it had before",
            ));
        }
        self.realms.clone().settled(&self.cookie, &self.former_cookies)?;
        self.check_keys()?;
        if self.store_timeout.is_zero() {
            return Err(SetupError::setting("store_timeout", "greater than zero"));
        }
        Ok(())
    }

    /// The legacy cookie needs a valid name that differs from the layer's: removing it must
    /// not remove the layer's cookie.
    fn check_legacy_cookie(&self, name: &str) -> Result<(), SetupError> {
        if !is_cookie_name(name) {
            return Err(SetupError::setting(
                "adopt",
                "the old cookie has a name that no browser sends: a name has letters, digits and any of `!#$%&'*+-.^_`|~` (RFC 6265 §4.1.1)",
            ));
        }
        let ours = if self.insecure { self.cookie.bare_name() } else { self.cookie.name() };
        if name == ours {
            return Err(SetupError::setting(
                "adopt",
                "the old cookie has the name of this layer's, which its removal would remove: give this layer's another name",
            ));
        }
        Ok(())
    }

    fn check_keys(&self) -> Result<(), SetupError> {
        #[cfg(feature = "keys")]
        if self.keys.ring.is_none() {
            let problem = "add `.keys(…)`, which has the key for it";
            for (on, entry) in [
                (self.keys.sign_tokens, "sign_tokens"),
                (self.keys.accept_unsigned_tokens, "accept_unsigned_tokens"),
                (self.keys.accept_plain_fields, "accept_plain_secrets"),
            ] {
                if on {
                    return Err(SetupError::setting(entry, problem));
                }
            }
        }
        #[cfg(feature = "keys")]
        if self.keys.accept_unsigned_tokens && !self.keys.sign_tokens {
            return Err(SetupError::setting(
                "accept_unsigned_tokens",
                "goes with `.sign_tokens()`; without it no token is signed",
            ));
        }
        Ok(())
    }

    /// Returns whether a request is no activity.
    pub(crate) fn is_passive(&self, path: &str, headers: &HeaderMap) -> bool {
        self.passive.iter().any(|passive| is_below(passive, path))
            || self.passive_header.as_ref().is_some_and(|name| headers.contains_key(name))
    }

    /// Returns whether `path` is an excluded path, or below one.
    pub(crate) fn excludes(&self, path: &str) -> bool {
        self.excluded.iter().any(|excluded| is_below(excluded, path))
    }
}

/// Returns `true` for every status but 5xx and 408, after which clients retry. The
/// default of [`SessionLayer::keep_changes_if`].
///
/// [`SessionLayer::keep_changes_if`]: crate::SessionLayer::keep_changes_if
#[must_use]
pub fn keep_unless_failed(status: StatusCode) -> bool {
    !status.is_server_error() && status != StatusCode::REQUEST_TIMEOUT
}

/// Returns the header `name`, which setting `entry` has.
pub(crate) fn header_named(entry: &'static str, name: &str) -> Result<HeaderName, SetupError> {
    let named = HeaderName::try_from(name).ok().filter(|name| *name != SET_COOKIE);
    named.ok_or_else(|| {
        SetupError::setting(entry, "the name of a header of your own, such as `session-token`")
    })
}

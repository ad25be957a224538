//! How long sessions live, and which requests are activity.

use std::time::Duration;

use super::layer::SessionLayer;
use crate::config::header_named;

/// Timeouts and activity.
impl SessionLayer {
    /// Ends a session after `timeout` without a request that reads it. At least one second.
    ///
    /// The effective timeout is 0.9 to 1.0 times this, because activity is written only
    /// once a tenth of it has passed. `None` means no idle limit; a session still ends
    /// after 400 days without requests.
    ///
    /// ```
    /// use std::time::Duration;
    /// use session_runtime::{SessionLayer, store::MemoryStore};
    ///
    /// let layer = SessionLayer::new(MemoryStore::new())
    ///     .idle_timeout(Duration::from_secs(15 * 60))
    ///     .absolute_timeout(None);
    /// ```
    ///
    /// # Default
    ///
    /// 30 minutes (OWASP: 15–30 minutes for low-risk applications).
    #[must_use]
    pub fn idle_timeout(self, timeout: impl Into<Option<Duration>>) -> Self {
        self.set(|config| {
            (config.policy.idle, config.policy.rolling) = (timeout.into(), false);
        })
    }

    /// Ends a session `timeout` after its creation or its user's last authentication,
    /// regardless of activity. At least one second.
    ///
    /// `None` means no absolute limit; a session still ends after 400 days without
    /// requests.
    ///
    /// # Default
    ///
    /// 12 hours (NIST SP 800-63B-4 §5.2, AAL2: 24 hours at most).
    #[must_use]
    pub fn absolute_timeout(self, timeout: impl Into<Option<Duration>>) -> Self {
        self.set(|config| config.policy.absolute = timeout.into())
    }

    /// Ends a session `after` the last visit, and lets the cookie last as long: "signed in until
    /// 30 days after the last visit". At least one second.
    ///
    /// The same as [`idle_timeout`](Self::idle_timeout) with `absolute_timeout(None)`, and the
    /// cookie outlives the browser: it has a `Max-Age`, and is sent again whenever activity is
    /// recorded. There is no absolute timeout, and of these three settings the last call counts. A session that asks to be [remembered](crate::Handle::remember) ends as it asks.
    ///
    /// ```
    /// use std::time::Duration;
    /// use session_runtime::{SessionLayer, store::MemoryStore};
    ///
    /// let month = Duration::from_secs(30 * 86_400);
    /// let layer = SessionLayer::new(MemoryStore::new()).rolling(month);
    /// ```
    ///
    /// # Default
    ///
    /// Off: the cookie lasts until the browser is closed.
    #[doc(alias("sliding", "expire_on_browser_close", "with_expiry"))]
    #[must_use]
    pub fn rolling(self, after: Duration) -> Self {
        self.set(|config| config.policy = config.policy.rolling(after))
    }

    /// Limits how long a session may ask to be [remembered](crate::Handle::remember). At least one
    /// second.
    ///
    /// # Default
    ///
    /// 400 days, the longest that browsers keep a cookie.
    #[must_use]
    pub fn max_remember(self, duration: Duration) -> Self {
        self.set(|config| config.policy.max_remember = duration)
    }

    /// Requests to `path` and everything below it do not count as activity: they have the session,
    /// and are authenticated, but do not extend it. For what a page asks for by itself, such as polling
    /// for messages. The path is the one that the layer sees, as with [`exclude`](Self::exclude).
    /// May be called several times.
    ///
    /// # Default
    ///
    /// None: every request that reads the session is activity.
    #[must_use]
    pub fn passive(self, path: impl Into<String>) -> Self {
        let path = path.into().into_boxed_str();
        self.set(|config| config.passive.push(path))
    }

    /// Requests with this header do not count as activity, whatever its value, as
    /// [`passive`](Self::passive) does with paths. A client can only shorten its own session with
    /// it.
    ///
    /// ```
    /// use session_runtime::{SessionLayer, store::MemoryStore};
    ///
    /// // fetch("/messages", { headers: { "x-poll": "1" } })
    /// let layer = SessionLayer::new(MemoryStore::new()).passive_header("x-poll");
    /// ```
    ///
    /// # Default
    ///
    /// None.
    #[must_use]
    pub fn passive_header(self, name: &str) -> Self {
        self.set(|config| match header_named("passive_header", name) {
            Ok(name) => config.passive_header = Some(name),
            Err(error) => drop(config.error.get_or_insert(error)),
        })
    }

    /// Sets how soon [`Handle::ended`](crate::Handle::ended) and
    /// [`changed_elsewhere`](crate::Handle::changed_elsewhere) notice what *another* layer or
    /// process has done, at the latest. What this layer does is noticed at once, and so is what a
    /// [`coherent`](crate::store::CachedStore::coherent) cache is told, or a `PostgresStore` with
    /// `push`, while their connections are up. At least 100 milliseconds.
    ///
    /// Each waiting socket asks the store once in this time: a read of one session, which a
    /// [`CachedStore`](crate::store::CachedStore) answers from memory. A coherent one asks the store
    /// only for sessions that have changed.
    ///
    /// # Default
    ///
    /// 5 seconds. With a coherent cache or `push` too: it is the bound for what they miss.
    #[must_use]
    pub fn watch_interval(self, interval: Duration) -> Self {
        self.set(|config| config.watch_interval = interval)
    }
}

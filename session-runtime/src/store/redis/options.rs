//! The settings of a [`RedisStore`].

use std::fmt;
use std::time::Duration;

use super::RedisStore;
use super::failure::Failure;
use super::target::{RedisClient, Target};
use crate::clock::Clock;
use crate::store::error::StoreError;
use crate::store::limits::Limits;

/// The settings of a [`RedisStore`], from [`RedisStore::options`].
///
/// ```no_run
/// # async fn open() -> Result<(), session_runtime::store::StoreError> {
/// use std::time::Duration;
/// use session_runtime::store::RedisStore;
///
/// let store = RedisStore::options()
///     .prefix("shop:")
///     .deadline(Duration::from_secs(1))
///     .require_noeviction(true)
///     .connect("redis://127.0.0.1:6379")
///     .await?;
/// # let _ = store; Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "options do nothing until `connect`"]
pub struct RedisOptions {
    pub(super) prefix: String,
    pub(super) clock: Clock,
    pub(super) limits: Limits,
    pub(super) deadline: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) split: bool,
    pub(super) require_noeviction: bool,
    pub(super) silence: Duration,
    pub(super) wait_replicas: usize,
    #[cfg(feature = "redis-tls")]
    pub(super) certificates: Option<redis::TlsCertificates>,
}

impl RedisOptions {
    pub(super) fn new() -> Self {
        Self {
            prefix: "session:".to_owned(),
            clock: Clock::system(),
            limits: Limits::default(),
            deadline: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(1),
            split: false,
            require_noeviction: false,
            silence: Duration::from_secs(2),
            wait_replicas: 0,
            #[cfg(feature = "redis-tls")]
            certificates: None,
        }
    }

    /// Sets the prefix of the names of all keys: a session is `{prefix}{id}`, the index of a
    /// principal `{prefix}p:{hash}`. (The fields of a large session are stored under the name of
    /// its session in braces, followed by `b`.) Two stores with different prefixes share nothing.
    /// The prefix must not contain braces: they would put all sessions of a cluster on one server.
    ///
    /// # Default
    ///
    /// `session:`
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets the clock that decides expiry.
    ///
    /// # Default
    ///
    /// The system clock: expiry is then decided by the clock of the **server** that holds the
    /// session, so that nodes with different clocks agree. New records get their times from the
    /// node's clock: keep both synchronised (NTP). A frozen clock, for tests, decides by itself.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the largest size of a field and of a record. A write through this store that would
    /// exceed it is refused, and nothing is stored. Another process may have other limits for the
    /// same data.
    ///
    /// # Default
    ///
    /// 256 KiB a field, 1 MiB a record ([`Limits::default`]).
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how long a call may take, including reconnecting and retries.
    ///
    /// # Default
    ///
    /// 2 seconds. Zero is refused by [`connect`](Self::connect); [`Duration::MAX`] means no
    /// deadline.
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets how long making a connection may take.
    ///
    /// # Default
    ///
    /// 1 second. Zero is refused by [`connect`](Self::connect). The operating system's own limit
    /// applies too.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets whether one endpoint may have several servers behind it, such as a sharding proxy. If
    /// so, sessions and principals are assumed to be on different servers, and every session is
    /// kept in one value.
    ///
    /// # Default
    ///
    /// `false`. With a `redis+cluster:` URL, sessions and principals are always assumed to be on
    /// different servers. A sign-in then costs two more round trips.
    pub const fn sharding_proxy(mut self, sharding: bool) -> Self {
        self.split = sharding;
        self
    }

    /// Sets whether a server that evicts keys when it is full (`maxmemory-policy` other than
    /// `noeviction`) is refused: it could end live sessions, and forget logouts and revocations.
    ///
    /// # Default
    ///
    /// `false`: it is only reported as a warning, because a server that is also used as a cache has
    /// to evict.
    pub const fn require_noeviction(mut self, require: bool) -> Self {
        self.require_noeviction = require;
        self
    }

    /// Sets how long a [coherent cache](crate::store::CachedStore::coherent) in front of this store
    /// remains in use while the servers are silent.
    ///
    /// Changes by other processes are normally visible within a round trip; if the network fails
    /// silently, within this bound. Each server is sent a heartbeat every half of it.
    ///
    /// # Default
    ///
    /// 2 seconds. At least 100 milliseconds, without an upper limit.
    pub const fn silence(mut self, bound: Duration) -> Self {
        self.silence = bound;
        self
    }

    /// Sets how many replicas must have the end of a session, or a renewal with a change of
    /// privilege, before it is acknowledged (`WAIT`, on separate connections).
    ///
    /// If they do not have it before the deadline, the call fails (a patch is
    /// [`Uncertain`](crate::record::patch::Outcome::Uncertain)): it is done, but may be undone if
    /// the primary is lost at that moment. Revoking all sessions or all others waits for each
    /// session, and for the mark that refuses earlier login tickets. No other write waits: a
    /// session that a sign-in evicted may be back after a failover only if that sign-in is lost
    /// too. In a cluster, evictions wait as well.
    ///
    /// # Default
    ///
    /// 0: a logout that was acknowledged just before a failover may be undone by it.
    pub const fn wait_replicas(mut self, replicas: usize) -> Self {
        self.wait_replicas = replicas;
        self
    }

    /// Sets the certificates for `rediss:` and the other TLS schemes: the root certificate that
    /// signed those of the servers, in PEM, and the client certificate if the servers require one.
    /// Sentinels are verified with them too.
    ///
    /// # Default
    ///
    /// The public web roots (`webpki-roots`), and no client certificate.
    #[cfg(feature = "redis-tls")]
    pub fn certificates(mut self, certificates: redis::TlsCertificates) -> Self {
        self.certificates = Some(certificates);
        self
    }

    /// Connects to a URL (see [`RedisStore::connect`]) and tests on each primary what the store
    /// does, with a script that calls its commands on a temporary key under the prefix. Warns once
    /// of a server on another host that is reached without TLS, and of one that evicts keys.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Config`] for a permanent problem: the URL or a setting is invalid, the
    /// server is not what the URL says, is a replica, refuses the password, has an untrusted
    /// certificate, or does not allow this user a command, which the error names.
    /// [`StoreErrorKind::Unavailable`] or [`StoreErrorKind::Timeout`] for a temporary one: nothing
    /// answers at that address, or the server is loading its data. The source says which, without
    /// the URL.
    ///
    /// [`StoreErrorKind::Config`]: crate::store::StoreErrorKind::Config
    /// [`StoreErrorKind::Unavailable`]: crate::store::StoreErrorKind::Unavailable
    /// [`StoreErrorKind::Timeout`]: crate::store::StoreErrorKind::Timeout
    pub async fn connect(self, url: &str) -> Result<RedisStore, StoreError> {
        let target = Target::parse(url, &self)?;
        Ok(RedisStore::open(target, self).await?)
    }

    /// Connects with your own client: a `redis::Client`, a `ClusterClient` or a `SentinelClient`.
    /// The store opens its own connections with it, so that your commands do not delay sessions.
    ///
    /// # Errors
    ///
    /// Same as [`connect`](Self::connect).
    pub async fn with_client(
        self,
        client: impl Into<RedisClient>,
    ) -> Result<RedisStore, StoreError> {
        Ok(RedisStore::open(client.into().0, self).await?)
    }

    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.prefix.contains(['{', '}']) {
            let text = "prefix: no braces; they put all sessions of a cluster on one server";
            return Err(Failure::config(text));
        }
        if self.silence < Duration::from_millis(100) {
            return Err(Failure::config("silence: at least 100 milliseconds"));
        }
        if self.deadline.is_zero() || self.connect_timeout.is_zero() {
            return Err(Failure::config("deadline, connect_timeout: greater than zero"));
        }
        Ok(())
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("prefix", &self.prefix)
            .field("clock", &self.clock)
            .field("limits", &self.limits)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

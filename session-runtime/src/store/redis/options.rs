//! The settings of a [`RedisStore`].

use std::fmt;
use std::time::Duration;

use super::RedisStore;
use super::failure::Failure;
use super::target::{RedisClient, Target};
use crate::clock::Clock;
use crate::store::error::StoreError;
use crate::store::limits::Limits;

/// The settings of a [`RedisStore`]: [`RedisStore::options`], then
/// [`connect`](Self::connect).
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

    /// What the names of all keys begin with: a session is
    /// `{prefix}{id}`, the index of a principal `{prefix}p:{hash}`. (The fields of a
    /// large session are under the name of its session in braces, with a `b` behind.)
    /// No `{`: it would put all sessions of a cluster on one server.
    ///
    /// # Default
    ///
    /// `session:`
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The clock that decides expiry.
    ///
    /// # Default
    ///
    /// The system clock. It only stamps new records and is what
    /// [`clock`](crate::store::SessionStore::clock) answers: what has expired is
    /// decided by the clock of the server that holds the session, so nodes with
    /// different clocks agree. Keep both on NTP.
    /// A frozen clock decides everything itself; for tests.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// How large fields and records may become, through this store. Another
    /// process may have other limits for the same data.
    ///
    /// # Default
    ///
    /// [`Limits::default`].
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How long a call may take, reconnecting and asking again included.
    ///
    /// # Default
    ///
    /// 2 seconds. Zero is refused by [`connect`](Self::connect); [`Duration::MAX`]
    /// means that it never comes.
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How long making a connection may take.
    ///
    /// # Default
    ///
    /// 1 second. Zero is refused by [`connect`](Self::connect), and whatever is
    /// longer than the operating system's own bound is as long as that.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Treats one endpoint as if sessions and principals were on different
    /// servers, and keeps every session in one value: for a proxy that shards behind
    /// it.
    ///
    /// # Default
    ///
    /// `false`; of a `redis+cluster:` URL it is always so. A sign-in then costs
    /// two more round trips.
    pub const fn sharding_proxy(mut self, sharding: bool) -> Self {
        self.split = sharding;
        self
    }

    /// Refuses a server that evicts keys when it is full
    /// (`maxmemory-policy` other than `noeviction`): it would log people out,
    /// and forget logouts and revocations.
    ///
    /// # Default
    ///
    /// `false`: it is only reported, as a warning, for a server that serves as
    /// a cache too cannot do otherwise.
    pub const fn require_noeviction(mut self, require: bool) -> Self {
        self.require_noeviction = require;
        self
    }

    /// For how long a [coherent cache](crate::store::CachedStore::coherent) in
    /// front of this store goes on while the servers are silent: what another
    /// process changes is shown within a round trip, and where the network
    /// stops without a word, within this. Every half of it each server is asked
    /// for a sign of life.
    ///
    /// # Default
    ///
    /// 2 seconds. At least 100 milliseconds, and as much more as you like.
    pub const fn silence(mut self, bound: Duration) -> Self {
        self.silence = bound;
        self
    }

    /// How many replicas must have the end of a session, or a renewal with a
    /// change of privilege, before it is acknowledged (`WAIT`, on connections
    /// of its own). If they do not have it before the deadline the call fails
    /// (a patch is [`Uncertain`](crate::record::patch::Outcome::Uncertain)): it is done,
    /// and may be undone if the primary is lost just then. Revoking all or
    /// others waits for each session, and for the mark that refuses tickets
    /// from before. Nothing else is waited for: a session that a sign-in
    /// evicted may be back after a failover only if that sign-in is lost too,
    /// or in a cluster, where it is waited for.
    ///
    /// # Default
    ///
    /// 0: a logout that was acknowledged within the last moments before a
    /// failover may be undone by it.
    pub const fn wait_replicas(mut self, replicas: usize) -> Self {
        self.wait_replicas = replicas;
        self
    }

    /// The certificates that `rediss:` and its like go by: the root that signed
    /// the servers', in PEM, and this program's own where the servers ask for
    /// one. Those of Sentinels are verified by them, too.
    ///
    /// # Default
    ///
    /// The roots of the public web (`webpki-roots`), and none of our own.
    #[cfg(feature = "redis-tls")]
    pub fn certificates(mut self, certificates: redis::TlsCertificates) -> Self {
        self.certificates = Some(certificates);
        self
    }

    /// Connects, see [`RedisStore::connect`] for the URLs, and tries on each
    /// primary what the store does: a script that calls its commands on a key
    /// below the prefix that is gone with the script. Warns, once each, of a
    /// server on another host that is reached without TLS, and of one that
    /// evicts keys.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Config`] for what stays as it is: the URL or a setting
    /// makes no sense, the server is not what the URL says, is a replica,
    /// refuses the password, cannot prove who it is, or does not let this user
    /// run a command, which it names. [`StoreErrorKind::Unavailable`] or
    /// [`StoreErrorKind::Timeout`] for what passes: nothing answers there, or
    /// the server is loading its data. The source says which, without the URL.
    ///
    /// [`StoreErrorKind::Config`]: crate::store::StoreErrorKind::Config
    /// [`StoreErrorKind::Unavailable`]: crate::store::StoreErrorKind::Unavailable
    /// [`StoreErrorKind::Timeout`]: crate::store::StoreErrorKind::Timeout
    pub async fn connect(self, url: &str) -> Result<RedisStore, StoreError> {
        let target = Target::parse(url, &self)?;
        Ok(RedisStore::open(target, self).await?)
    }

    /// Connects with a client of your own: a `redis::Client`, a
    /// `ClusterClient` or a `SentinelClient`. The store makes connections of its
    /// own with it, so that nothing of yours stands before a session.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn connect_with(
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
            return Err(Failure::config("deadline, connect_timeout: longer than nothing"));
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

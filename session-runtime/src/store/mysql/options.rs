//! The settings of a [`MySqlStore`].

use std::time::Duration;

use sqlx::MySqlPool;

use super::layout::Tables;
use super::{MySqlStore, connect};
use crate::clock::Clock;
use crate::store::error::StoreError;
use crate::store::limits::Limits;

/// The settings of a [`MySqlStore`]: [`MySqlStore::options`], then
/// [`connect`](Self::connect) or [`with_pool`](Self::with_pool).
#[derive(Clone, Debug)]
#[must_use = "options do nothing until `connect` or `with_pool`"]
pub struct MySqlOptions {
    pub(super) table_prefix: String,
    pub(super) clock: Clock,
    pub(super) limits: Limits,
    pub(super) deadline: Duration,
    pub(super) connections: u32,
    pub(super) migrate: bool,
    pub(super) sweep_interval: Option<Duration>,
}

impl MySqlOptions {
    pub(super) fn new() -> Self {
        Self {
            table_prefix: String::new(),
            clock: Clock::system(),
            limits: Limits::default(),
            deadline: Duration::from_secs(5),
            connections: 10,
            migrate: true,
            sweep_interval: Some(Duration::from_secs(30)),
        }
    }

    /// What the names of the tables begin with: at most 40 characters of a-z,
    /// 0-9 and `_`. Anything else is refused when connecting.
    ///
    /// # Default
    ///
    /// Nothing: the tables are `session`, `session_field` and so on.
    pub fn table_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.table_prefix = prefix.into();
        self
    }

    /// The clock of this process. A frozen one decides expiry, for tests.
    ///
    /// # Default
    ///
    /// The system clock. Then the *server's* clock decides expiry, read after
    /// the row is locked, so that nodes whose clocks differ agree; the node's
    /// own stamps new records. Keep both set by NTP.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// How large fields and records may become, through this store.
    ///
    /// # Default
    ///
    /// [`Limits::default`]. A record has to fit into one packet of the server
    /// twice (`max_allowed_packet`), which is checked when connecting.
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How long a call may take, from the wait for a connection to the last
    /// try. Then the answer is an error, or
    /// [`Outcome::Uncertain`](crate::patch::Outcome::Uncertain) for a patch
    /// that may have been stored.
    ///
    /// # Default
    ///
    /// 5 seconds. Less than 100 milliseconds is refused when connecting.
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How many connections there are at most. Says nothing about the pool of
    /// [`with_pool`](Self::with_pool).
    ///
    /// # Default
    ///
    /// Ten. Each call has one for its two round trips or so. Zero is refused
    /// when connecting.
    pub const fn connections(mut self, connections: u32) -> Self {
        self.connections = connections;
        self
    }

    /// Whether to make the tables if they are not there.
    ///
    /// # Default
    ///
    /// Yes; any number of processes may do so at once. Without it, tables that
    /// are missing or of another layout are an error of kind
    /// [`Config`](crate::store::StoreErrorKind::Config) when connecting.
    pub const fn migrate(mut self, migrate: bool) -> Self {
        self.migrate = migrate;
        self
    }

    /// How often to look for what is due for removal, give or take a quarter.
    /// It is removed 200 records at a time. `None`: only when
    /// [`sweep`](crate::store::SessionStore::sweep) is called. Less than a
    /// millisecond is refused when connecting.
    ///
    /// Expired sessions are never seen, swept or not; this is about space.
    ///
    /// # Default
    ///
    /// 30 seconds, on every node: they do not get into each other's way.
    pub fn sweep_interval(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.sweep_interval = interval.into();
        self
    }

    /// The statements that make the tables, to be run by hand by somebody who
    /// may do that, in the database of the sessions. They change nothing that
    /// is there.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::store::StoreErrorKind::Config) if the prefix is not
    /// valid.
    pub fn migration_sql(&self) -> Result<String, StoreError> {
        let tables = Tables::new(&self.table_prefix)?;
        Ok(tables.migration().map(|statement| statement + ";\n").concat())
    }

    /// Connects to `mysql://user:password@host:3306/database` (or
    /// `mariadb://`; `?socket=/path` for a socket), and makes the tables where
    /// they are missing.
    ///
    /// # Errors
    ///
    /// At once, if nothing answers there
    /// ([`Unavailable`](crate::store::StoreErrorKind::Unavailable)), or if the
    /// database, its tables or a right is missing, the server is too old, or a
    /// setting makes no sense ([`Config`](crate::store::StoreErrorKind::Config)).
    /// The source says which, and never repeats the URL.
    pub async fn connect(self, url: &str) -> Result<MySqlStore, StoreError> {
        Ok(connect::connect(self, url).await?)
    }

    /// Uses a pool that is there already, among others.
    ///
    /// Its connections get `autocommit = 1` and an `innodb_lock_wait_timeout`
    /// of this store's deadline. Turn off the log of its statements
    /// (`ConnectOptions::disable_statement_logging`): sqlx writes slow ones
    /// into the log as a warning, and there are field values in them.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn with_pool(self, pool: MySqlPool) -> Result<MySqlStore, StoreError> {
        Ok(connect::with_pool(self, pool).await?)
    }
}

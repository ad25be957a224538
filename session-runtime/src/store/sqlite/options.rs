//! The settings of a [`SqliteStore`](super::SqliteStore).

use std::time::Duration;

use super::sql::Sql;
use crate::clock::Clock;
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::limits::Limits;

/// When a write is acknowledged.
///
/// With either setting, a process that dies (`kill -9`, panic, out of memory) loses nothing that
/// was acknowledged, and the file is never corrupted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// When it is on disk: it survives a power failure too. Costs one `fsync` per group of writes
    /// (`synchronous = FULL`).
    #[default]
    Full,
    /// When the operating system has it (`synchronous = NORMAL`). Much faster on slow disks. A
    /// power failure or a crash of the operating system may undo the writes since the last
    /// checkpoint, including logouts.
    Relaxed,
}

/// Who owns the file.
#[derive(Clone, Debug)]
pub(super) enum Owner {
    /// The store: the file contains nothing but sessions.
    Sessions,
    /// The application: the names of our tables begin with `table`.
    Shared { table: String },
}

impl Owner {
    pub(super) fn table(&self) -> &str {
        match self {
            Self::Sessions => "session",
            Self::Shared { table } => table,
        }
    }
}

/// The settings of a [`SqliteStore`](super::SqliteStore), from
/// [`SqliteStore::options`](super::SqliteStore::options).
///
/// ```no_run
/// # async fn open() -> Result<(), session_runtime::store::StoreError> {
/// use std::time::Duration;
/// use session_runtime::store::SqliteStore;
///
/// let store = SqliteStore::options()
///     .readers(4)
///     .sweep_interval(Duration::from_secs(60))
///     .open("sessions.db")
///     .await?;
/// # let _ = store; Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "options do nothing until `open`"]
pub struct SqliteOptions {
    pub(super) durability: Durability,
    pub(super) clock: Clock,
    pub(super) readers: usize,
    pub(super) busy_timeout: Duration,
    pub(super) sweep_interval: Option<Duration>,
    pub(super) limits: Limits,
    pub(super) owner: Owner,
}

impl SqliteOptions {
    pub(super) fn new() -> Self {
        Self {
            durability: Durability::Full,
            clock: Clock::system(),
            readers: 2,
            busy_timeout: Duration::from_secs(5),
            sweep_interval: Some(Duration::from_secs(5)),
            limits: Limits::default(),
            owner: Owner::Sessions,
        }
    }

    /// Sets when a write is acknowledged.
    ///
    /// # Default
    ///
    /// [`Durability::Full`]: an acknowledged logout survives a power failure.
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets the clock that decides expiry.
    ///
    /// # Default
    ///
    /// The system clock. The clocks of processes that share a file should agree.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets how many threads read, each with its own connection. A read waits for a free thread; it
    /// waits for the writer only while the same session's last activity is being written, for at
    /// most 250 ms.
    ///
    /// # Default
    ///
    /// 2, so that a long listing does not delay loads. A load takes about ten microseconds, so more
    /// threads help only if the records do not fit in the page cache. Zero is refused by
    /// [`open`](Self::open).
    pub const fn readers(mut self, threads: usize) -> Self {
        self.readers = threads;
        self
    }

    /// Sets how long a write waits for another process that is writing to the same file. After that
    /// it fails with [`StoreErrorKind::Timeout`].
    ///
    /// # Default
    ///
    /// 5 seconds: longer than any checkpoint takes, but shorter than a client waits. If no other
    /// process uses the file, nothing ever waits. More than an hour is refused by
    /// [`open`](Self::open).
    pub const fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// Sets how often expired sessions are removed. With `None`, they are removed only when
    /// [`sweep`] is called. Zero is refused by [`open`](Self::open).
    ///
    /// Expired sessions are never visible, removed or not; this setting only affects space. The
    /// writer removes at most 64 in one transaction and continues while more are due; requests come
    /// first.
    ///
    /// # Default
    ///
    /// 5 seconds. Each check costs one index lookup and writes nothing.
    ///
    /// [`sweep`]: crate::store::SessionStore::sweep
    pub fn sweep_interval(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.sweep_interval = interval.into();
        self
    }

    /// Sets the largest size of a field and of a record. A write through this store that would
    /// exceed it is refused, and nothing is stored. Another process may have other limits for the
    /// same file.
    ///
    /// # Default
    ///
    /// 256 KiB a field, 1 MiB a record ([`Limits::default`]). The check compares the sizes of the
    /// fields of one session; with [`Limits::NONE`] it costs nothing.
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Keeps the sessions in a file that has other tables too, such as the application's own: in
    /// the table `table`, and in others whose names begin with it (`…_revocation`, `…_layout`, and
    /// the view `…_readable`). Nothing else in the file is read or changed, including its
    /// `application_id`, its `user_version` and, unless the file is new, its journal mode.
    ///
    /// `table` consists of `a` to `z`, `0` to `9` and `_`, and begins with a letter; at most 48
    /// characters.
    ///
    /// Other connections, of this process or of others, may use their tables at the same time.
    /// While one of their transactions writes, sessions cannot be written; after
    /// [`busy_timeout`](Self::busy_timeout) those writes fail. In a file that is not in WAL mode,
    /// loads wait for writes too, and [`Durability::Relaxed`] is the same as [`Durability::Full`].
    ///
    /// # Default
    ///
    /// A file of its own: a file of another program is refused.
    ///
    /// ```no_run
    /// # async fn open() -> Result<(), session_runtime::store::StoreError> {
    /// use session_runtime::store::SqliteStore;
    ///
    /// let store = SqliteStore::options().shared_file("web_session").open("app.db").await?;
    /// # Ok(()) }
    /// ```
    pub fn shared_file(mut self, table: impl Into<String>) -> Self {
        self.owner = Owner::Shared { table: table.into() };
        self
    }

    pub(super) fn sql(&self) -> Sql {
        Sql::new(self.owner.table())
    }

    /// Checks the settings that can be checked without the file.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let refused = |text: &str| Err(StoreError::because(StoreErrorKind::Config, text));
        if self.readers == 0 {
            return refused("readers(0): at least one thread must read");
        }
        if self.busy_timeout > Duration::from_secs(60 * 60) {
            return refused("busy_timeout: at most an hour; a request does not wait that long");
        }
        if self.sweep_interval.is_some_and(|interval| interval.is_zero()) {
            return refused("sweep_interval: greater than zero; `None` for never");
        }
        if !is_name(self.owner.table()) {
            return refused(
                "shared_file: the name of a table, of a to z, 0 to 9 and _, beginning with a \
                 letter, at most 48 characters; names that begin with sqlite_ are SQLite's",
            );
        }
        Ok(())
    }
}

fn is_name(table: &str) -> bool {
    table.len() <= 48
        && table.starts_with(|first: char| first.is_ascii_lowercase())
        && !table.starts_with("sqlite_")
        && table.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
}

//! The stores, and what can be seen of them from outside.

use std::path::PathBuf;
use std::time::Duration;

use session_runtime::clock::{Clock, Timestamp};
use session_runtime::store::{AnyStore, Durability, MemoryStore, SqliteStore};
use tempfile::TempDir;

use crate::ALLOCATOR;

pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) store: AnyStore,
    pub(crate) clock: Clock,
    file: Option<(SqliteStore, TempDir)>,
}

fn clock() -> Clock {
    Clock::frozen(Timestamp::from_millis(1_780_000_000_000))
}

pub(crate) fn memory() -> Subject {
    let clock = clock();
    let store = AnyStore::new(MemoryStore::with_clock(clock.clone()));
    Subject { name: "memory", store, clock, file: None }
}

pub(crate) async fn sqlite() -> Subject {
    let (clock, dir) = (clock(), tempfile::tempdir().unwrap());
    // What is looked for is order, not power failures.
    let options = SqliteStore::options().clock(clock.clone()).durability(Durability::Relaxed);
    let options = options.sweep_interval(Duration::from_millis(200));
    let store = options.open(dir.path().join("sessions.db")).await.unwrap();
    Subject { name: "sqlite", store: AnyStore::new(store.clone()), clock, file: Some((store, dir)) }
}

/// Bytes that were asked for and not given back.
pub(crate) fn heap() -> isize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated as isize - stats.bytes_deallocated as isize
}

impl Subject {
    fn path(&self) -> Option<PathBuf> {
        Some(self.file.as_ref()?.1.path().join("sessions.db"))
    }

    /// Bytes of the database, whether they are in its file or still in the log.
    pub(crate) fn file_size(&self) -> Option<u64> {
        let pages =
            "SELECT (page_count * page_size) || '' FROM pragma_page_count, pragma_page_size";
        Some(self.ask(pages)?.parse().unwrap())
    }

    /// Bytes of the log.
    pub(crate) fn log_size(&self) -> Option<u64> {
        let log = self.path()?.with_extension("db-wal");
        Some(std::fs::metadata(log).map_or(0, |file| file.len()))
    }

    fn ask(&self, sql: &str) -> Option<String> {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let db = rusqlite::Connection::open_with_flags(self.path()?, flags).unwrap();
        db.busy_timeout(Duration::from_secs(60)).unwrap();
        Some(db.query_row(sql, [], |row| row.get(0)).unwrap())
    }

    /// Records that are stored, expired or not; `None` where nobody can see.
    pub(crate) fn stored(&self) -> Option<u64> {
        Some(
            self.ask("SELECT count(*) || '' FROM session WHERE substr(form, 2, 1) <> x'74'")?
                .parse()
                .unwrap(),
        )
    }

    /// Every record ends, in time.
    pub(crate) fn check_rows(&self, ends_by: Timestamp) {
        let by = ends_by.as_millis();
        let endless = format!(
            "SELECT count(*) || '' FROM session WHERE expires IS NULL OR expires <= 0 OR expires > {by}"
        );
        assert!(self.ask(&endless).is_none_or(|count| count == "0"), "a session never ends");
    }

    /// Closes the file, and asks SQLite whether it is whole.
    pub(crate) async fn check_file(self) {
        if let Some((store, _dir)) = &self.file {
            store.close().await.unwrap();
            assert_eq!(self.ask("PRAGMA integrity_check").unwrap(), "ok");
        }
    }
}

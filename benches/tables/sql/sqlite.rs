//! Files of SQLite.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;

/// A directory for each name. Whoever closes a file removes its log by name, perhaps
/// after the next one was opened, so that one lies elsewhere.
#[derive(Default)]
pub(crate) struct Files(Mutex<Vec<(String, TempDir)>>);

impl Files {
    pub(super) fn empty(&self, name: &str) -> PathBuf {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("sessions.db");
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(other, _)| other != name);
        all.push((name.to_owned(), directory));
        file
    }
}

/// What this process has written, into whatever: nothing else in it writes much.
pub(super) fn written() -> f64 {
    let status = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("wchar: "));
    line.and_then(|line| line.parse().ok()).unwrap_or(f64::NAN)
}

/// Of the file, once all of the log is in it.
pub(super) fn size(file: &Path) -> f64 {
    let db = Connection::open(file).expect("a file");
    let is_busy = || {
        let moved = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
        moved.unwrap_or(true)
    };
    while is_busy() {
        sleep(Duration::from_millis(20));
    }
    std::fs::metadata(file).map_or(f64::NAN, |file| file.len() as f64)
}

//! Opening the file: the connections and their settings.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::db::Db;
use super::failure::Failure;
use super::layout::Found;
use super::options::{Durability, Owner, SqliteOptions};
use super::watch::Watch;
use super::{layout, path as location};

/// More than this store has distinct statements.
const STATEMENTS: usize = 48;
/// The writer's page cache, in KiB. Writes touch pages all over the file; with SQLite's 2 MB, the
/// steps of a long revocation would read most of them again.
const CACHE: u32 = 16 << 10;
/// Bytes of the WAL that are kept for reuse.
const WAL: u32 = 16 << 20;
/// The pause between two attempts to switch a new file to WAL. SQLite itself does not wait while
/// another process does the same.
const PAUSE: Duration = Duration::from_millis(5);

/// Opens the connection that writes, and creates the tables in a new file.
pub(super) fn open_writer(path: &Path, options: &SqliteOptions) -> Result<(Db, Watch), Failure> {
    // One at a time, because `path::prepare` must not run concurrently.
    static OPENING: Mutex<()> = Mutex::new(());
    let _opening = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    location::prepare(path)?;
    let mut db = connection(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .map_err(|failure| failure.at(path, "it must be a file that this process may write"))?;
    configure(&db, options)
        .map_err(|failure| failure.at(path, "the settings were not accepted"))?;
    let mode = set_up(&mut db, path, options)?;
    let synchronous = match (options.durability, mode) {
        (Durability::Relaxed, Mode::Wal) => "NORMAL",
        // Without a WAL, NORMAL could corrupt the file.
        (Durability::Full, _) | (Durability::Relaxed, Mode::Rollback) => "FULL",
    };
    // The limit shrinks the WAL again after a burst.
    let settings = format!(
        "PRAGMA synchronous = {synchronous}; PRAGMA journal_size_limit = {WAL}; \
         PRAGMA cache_size = -{CACHE}"
    );
    db.execute_batch(&settings)?;
    let mut files = vec![path.to_owned()];
    if mode == Mode::Wal {
        files.push(beside(path, "-wal"));
    }
    Ok((Db::new(db, options.sql()), Watch::new(files)?))
}

/// Returns the path of the file that SQLite keeps beside `path`.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Opens a read-only connection. The file must exist and have been checked.
pub(super) fn open_reader(path: &Path, options: &SqliteOptions) -> Result<Db, Failure> {
    let open = || {
        let db = connection(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        configure(&db, options)?;
        Ok(Db::new(db, options.sql()))
    };
    open().map_err(|failure: Failure| {
        failure.at(path, "it could be opened for writing but not for reading")
    })
}

fn connection(path: &Path, access: OpenFlags) -> Result<Connection, Failure> {
    Ok(Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?)
}

fn configure(db: &Connection, options: &SqliteOptions) -> Result<(), Failure> {
    db.busy_timeout(options.busy_timeout)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    // Without this guarantee, SQLite recompiles some statements, including the load, whenever a
    // parameter changes: four times the cost of the load.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // The schema of an untrusted file must not call functions with side effects.
    db.execute_batch("PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF")?;
    Ok(())
}

fn check_writable(db: &Connection, path: &Path) -> Result<(), Failure> {
    // If SQLite may not write, it opens the file for reading and only fails later.
    db.execute_batch("BEGIN IMMEDIATE; ROLLBACK").map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::ReadOnly) => {
            Failure::config(path, "the file cannot be written; this process needs to own it")
        }
        _ => Failure::from(error).during("opening for writing"),
    })
}

/// How changes are written to the file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// To a write-ahead log: readers and the writer do not wait for each other.
    Wal,
    /// In place, with a rollback journal: they do.
    Rollback,
}

fn set_up(db: &mut Connection, path: &Path, options: &SqliteOptions) -> Result<Mode, Failure> {
    let found = layout::check(db, path, &options.owner)?;
    check_writable(db, path)?;
    let mode = match (&options.owner, found) {
        // The journal mode of a shared file is the application's choice.
        (Owner::Shared { .. }, Found::Others | Found::Ours) => current_mode(db)?,
        (Owner::Sessions, _) | (Owner::Shared { .. }, Found::Empty) => {
            switch_to_wal(db, path, options)?
        }
    };
    if mode == Mode::Rollback {
        tracing::info!(
            file = %path.display(),
            "the session database is not in WAL mode: its readers and writers wait for each other; \
             `PRAGMA journal_mode = WAL` ends that"
        );
    }
    layout::create(db, path, &options.owner)
        .map_err(|failure| failure.during("creating the tables"))?;
    Ok(mode)
}

fn current_mode(db: &Connection) -> Result<Mode, Failure> {
    let mode: String = db.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    Ok(if mode == "wal" { Mode::Wal } else { Mode::Rollback })
}

fn switch_to_wal(db: &Connection, path: &Path, options: &SqliteOptions) -> Result<Mode, Failure> {
    let mode = wal(db, options.busy_timeout)
        .map_err(|failure| failure.at(path, "it could not be switched to WAL"))?;
    if mode != "wal" {
        let text = format!("WAL is not possible here (mode {mode}); put the file on a local disk");
        return Err(Failure::config(path, text));
    }
    Ok(Mode::Wal)
}

fn wal(db: &Connection, patience: Duration) -> Result<String, Failure> {
    let mut waited = Duration::ZERO;
    loop {
        let result = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0));
        let busy = matches!(&result, Err(error)
            if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy));
        if !busy || waited >= patience {
            return Ok(result?);
        }
        std::thread::sleep(PAUSE);
        waited += PAUSE;
    }
}

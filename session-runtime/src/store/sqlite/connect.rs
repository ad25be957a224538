//! Opening the file: the settings of a connection, and clear words about what
//! is wrong with a path.

use std::io::ErrorKind;
use std::path::{self, Path};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::failure::Failure;
use super::layout;
use super::options::{Durability, SqliteOptions};
use crate::store::error::StoreErrorKind;

/// More than the distinct statements of this store.
const STATEMENTS: usize = 48;
/// Bytes of the WAL that are kept for reuse.
const WAL: u32 = 16 << 20;
/// Between two attempts to switch a new file to WAL, which SQLite does not
/// wait for by itself when another process does the same.
const PAUSE: Duration = Duration::from_millis(5);

/// Opens the connection that writes, and creates the tables in a new file.
pub(super) fn open_writer(path: &Path, options: &SqliteOptions) -> Result<Connection, Failure> {
    // One at a time, for the sake of `check_path`.
    static OPENING: Mutex<()> = Mutex::new(());
    let _opening = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    check_path(path)?;
    let mut db = connection(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .map_err(|error| refused(path, error, "it must be a file that this process may write"))?;
    check_writable(&db, path)?;
    configure(&db, options)
        .map_err(|error| refused(path, error, "the settings were not accepted"))?;
    set_up(&mut db, path, options)?;
    let synchronous = match options.durability {
        Durability::Full => "FULL",
        Durability::Relaxed => "NORMAL",
    };
    // After a burst the WAL shrinks again.
    let settings = format!("PRAGMA synchronous = {synchronous}; PRAGMA journal_size_limit = {WAL}");
    db.execute_batch(&settings)?;
    Ok(db)
}

/// Opens a connection that only reads. The file exists and was checked.
pub(super) fn open_reader(path: &Path, options: &SqliteOptions) -> Result<Connection, Failure> {
    let open = || {
        let db = connection(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        configure(&db, options)?;
        Ok(db)
    };
    open()
        .map_err(|error| refused(path, error, "it could be opened for writing but not for reading"))
}

fn connection(path: &Path, access: OpenFlags) -> Result<Connection, Failure> {
    // Absolute, so that SQLite does not read a name such as `file:x` as a URI.
    let path = path::absolute(path).unwrap_or_else(|_| path.to_owned());
    Ok(Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?)
}

fn configure(db: &Connection, options: &SqliteOptions) -> Result<(), Failure> {
    db.busy_timeout(options.busy_timeout)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    // Without this guarantee SQLite compiles some statements, the load among
    // them, anew whenever a parameter changes: four times the cost of the load.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // A file that somebody else prepared must not run functions of ours.
    db.execute_batch("PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF")?;
    Ok(())
}

/// Says what is wrong with a path before SQLite says "unable to open", and
/// creates a new file so that only its owner may read it.
fn check_path(path: &Path) -> Result<(), Failure> {
    let refused = |text: &str| Err(config(path, text));
    if path.as_os_str().is_empty() || path == Path::new(":memory:") {
        return refused("this store needs a file; for sessions in memory there is MemoryStore");
    }
    if path.is_dir() {
        return refused("this is a directory; name a file in it, such as sessions.db");
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(missing) = directory.filter(|parent| !parent.is_dir()) {
        let text = format!("the directory {} does not exist; create it first", missing.display());
        return refused(&text);
    }
    // Only a new file is opened here. Closing an existing one would drop the
    // POSIX locks that another store of this process may hold on it.
    let mut new = std::fs::OpenOptions::new();
    new.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut new, 0o600);
    match new.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => {
            let text = format!("the file cannot be created ({error}); make its directory writable");
            refused(&text)
        }
    }
}

fn check_writable(db: &Connection, path: &Path) -> Result<(), Failure> {
    // SQLite falls back to reading when it may not write.
    if db.is_readonly("main")? {
        return Err(config(path, "the file cannot be written; this process needs to own it"));
    }
    Ok(())
}

pub(super) fn config(path: &Path, text: &str) -> Failure {
    Failure::new(StoreErrorKind::Config, format!("{}: {text}", path.display()))
}

fn set_up(db: &mut Connection, path: &Path, options: &SqliteOptions) -> Result<(), Failure> {
    layout::check(db, path)?;
    let mode = wal(db, options.busy_timeout)
        .map_err(|error| refused(path, error, "it could not be switched to WAL"))?;
    if mode != "wal" {
        let text = format!("WAL is not possible here (mode {mode}); put the file on a local disk");
        return Err(config(path, &text));
    }
    layout::create(db, path).map_err(|error| error.during("creating the tables"))
}

fn wal(db: &Connection, patience: Duration) -> Result<String, Failure> {
    let mut waited = Duration::ZERO;
    loop {
        let result = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0));
        let busy = matches!(&result, Err(error)
            if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy));
        if !busy || waited >= patience {
            return Ok(result?);
        }
        std::thread::sleep(PAUSE);
        waited += PAUSE;
    }
}

pub(super) fn refused(path: &Path, failure: Failure, advice: &str) -> Failure {
    failure.during(format_args!("{} ({advice})", path.display()))
}

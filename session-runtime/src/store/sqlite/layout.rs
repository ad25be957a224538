//! The file: what is in it, and how that is recognised.
//!
//! The database is one file in WAL mode (`FILE`, and while it is open
//! `FILE-wal` and `FILE-shm` beside it), of `application_id` 0x73657373
//! (`sess`) and with the version of this layout in `user_version`. All of it
//! is readable with the `sqlite3` command:
//!
//! ```sql
//! SELECT id, datetime(last_seen / 1000, 'unixepoch') FROM session;
//! SELECT name, value FROM session_field WHERE session_id = '…';
//! ```
//!
//! **`session`**: one row per record.
//!
//! | column | type | meaning |
//! |---|---|---|
//! | `id` | TEXT, key | 22 characters of URL-safe base64, as in the logs |
//! | `secret` | BLOB | SHA-256 of the current secret, 32 bytes |
//! | `secret_since` | INTEGER | since when it is the current one, milliseconds since 1970 |
//! | `next_secret`, `next_nonce` | BLOB | SHA-256 of the secret that a renewal by age sent and nobody has presented yet, and the 16 bytes it is derived with; or both NULL |
//! | `previous_secret`, `previous_at` | BLOB, INTEGER | the secret before, and when the current one was presented first; or both NULL |
//! | `epoch`, `rev` | INTEGER | grow with privilege, and with every data change |
//! | `created`, `last_seen`, `authenticated` | INTEGER | milliseconds since 1970; `authenticated` may be NULL |
//! | `idle` | INTEGER | idle timeout in milliseconds, or NULL |
//! | `absolute` | INTEGER | the end whatever happens, milliseconds since 1970, or NULL |
//! | `expires` | INTEGER | `Meta::expires_at` of the row, for sweeps and listings; indexed |
//! | `remember` | INTEGER | how long the user asked to be remembered: the cookie outlives the browser |
//! | `principal` | TEXT | `namespace:json`, or NULL; indexed |
//! | `patches` | BLOB | the last patch ids, oldest first, 8 bytes each, little endian |
//! | `retired` | BLOB | replaced secrets, oldest first: 32 bytes of hash, 8 of time, little endian |
//! | `versions` | TEXT | JSON: namespace → version of the schema that wrote its fields, where that is not 1; or NULL |
//!
//! **`session_field`**: one row per stored field, `(session_id, name, value)`.
//! `value` is TEXT and holds the JSON byte for byte as it was written. (Bytes
//! that are not UTF-8, which no codec of ours writes, are kept as BLOB.)
//!
//! **`session_tombstone`**: `(id, secret, until)`, one row per secret of a
//! record that was destroyed lately; indexed by `until`.
//!
//! **`session_revocation`**: `(principal, at)`, one row per principal whose
//! sessions were all revoked lately, with the time; indexed by `at`.
//!
//! Rows of one session lie side by side (`WITHOUT ROWID`), so that a load
//! touches few pages. No foreign keys, triggers or views: the writer does it
//! all in one transaction.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::failure::Failure;

/// `sess`
const APPLICATION: i32 = 0x7365_7373;
const VERSION: i32 = 1;

const TABLES: &str = "
CREATE TABLE session (
    id            TEXT    NOT NULL PRIMARY KEY,
    secret        BLOB    NOT NULL,
    epoch         INTEGER NOT NULL,
    rev           INTEGER NOT NULL,
    created       INTEGER NOT NULL,
    last_seen     INTEGER NOT NULL,
    authenticated INTEGER,
    idle          INTEGER,
    absolute      INTEGER,
    expires       INTEGER NOT NULL,
    remember      INTEGER,
    principal     TEXT,
    patches       BLOB    NOT NULL,
    retired       BLOB    NOT NULL,
    secret_since  INTEGER NOT NULL,
    next_secret   BLOB,
    next_nonce    BLOB,
    previous_secret BLOB,
    previous_at   INTEGER,
    versions      TEXT
) WITHOUT ROWID;
CREATE INDEX session_expires ON session (expires);
CREATE INDEX session_principal ON session (principal) WHERE principal IS NOT NULL;
CREATE TABLE session_field (
    session_id TEXT NOT NULL,
    name       TEXT NOT NULL,
    value      TEXT NOT NULL,
    PRIMARY KEY (session_id, name)
) WITHOUT ROWID;
CREATE TABLE session_tombstone (
    id     TEXT    NOT NULL,
    secret BLOB    NOT NULL,
    until  INTEGER NOT NULL,
    PRIMARY KEY (id, secret)
) WITHOUT ROWID;
CREATE INDEX session_tombstone_until ON session_tombstone (until);
CREATE TABLE session_revocation (
    principal TEXT    NOT NULL PRIMARY KEY,
    at        INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX session_revocation_at ON session_revocation (at);
";

/// What is in a file.
#[derive(PartialEq)]
pub(super) enum Layout {
    /// Nothing yet.
    Empty,
    /// These tables.
    Ours,
}

/// Looks, and changes nothing: the file may be somebody else's.
///
/// # Errors
///
/// If it is another program's, or of another layout.
pub(super) fn check(db: &Connection, path: &Path) -> Result<Layout, Failure> {
    // One statement: another process may be creating the tables just now.
    let sql = "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema) \
               FROM pragma_application_id, pragma_user_version";
    let read = db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let (application, version, tables): (i32, i32, i64) = read.map_err(|error| {
        Failure::from(error).at(path, "name another file unless this one was a session database")
    })?;
    if application == APPLICATION {
        if version == VERSION {
            return Ok(Layout::Ours);
        }
        let text = format!(
            "the file has layout {version}, this program knows layout {VERSION}; \
             run the program that wrote it, or move the file away to start empty"
        );
        return Err(Failure::config(path, text));
    }
    if application == 0 && version == 0 && tables == 0 {
        return Ok(Layout::Empty);
    }
    Err(Failure::config(path, "this database belongs to another program; name another file"))
}

/// Creates the tables in an empty file.
pub(super) fn create(db: &mut Connection, path: &Path) -> Result<(), Failure> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster: look again under the lock.
    if check(&transaction, path)? == Layout::Empty {
        transaction.execute_batch(TABLES)?;
        let marks =
            format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}");
        transaction.execute_batch(&marks)?;
    }
    Ok(transaction.commit()?)
}

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
//! | `realm` | TEXT | the realm of the layer, or NULL for the default one |
//! | `last_principal` | BLOB | half of the SHA-256 of the principal who signed out, or NULL |
//!
//! **`session_field`**: one row per stored field, `(session_id, name, value)`.
//! `value` is TEXT and holds the JSON byte for byte as it was written. (Bytes
//! that are not UTF-8, which no codec of ours writes, are kept as BLOB.)
//!
//! **`session_tombstone`**: `(id, secret, until, ended_by, ended_at)`, one row
//! per secret of a record that was destroyed lately; `ended_by` is 0 for its own
//! browser and 1 for elsewhere; indexed by `until`.
//!
//! **`session_revocation`**: `(principal, at)`, one row per principal whose
//! sessions were all revoked lately, with the time; indexed by `at`.
//!
//! A file of layout 1 has neither that table nor `secret_since`, `next_…`,
//! `previous_…` and `versions`. It gets them when it is opened, in one
//! transaction; `secret_since` is then the time of the record's creation. A
//! program that knows layout 1 alone does not open it any more; one that has
//! it open at that moment must be stopped first: it would change secrets and
//! leave the new columns as they are.
//!
//! Rows of one session lie side by side (`WITHOUT ROWID`), so that a load
//! touches few pages. No foreign keys, triggers or views: the writer does it
//! all in one transaction.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::connect::{config, refused};
use super::failure::Failure;

/// `sess`
const APPLICATION: i32 = 0x7365_7373;
const VERSION: i32 = 2;

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
    secret_since  INTEGER NOT NULL DEFAULT 0,
    next_secret   BLOB,
    next_nonce    BLOB,
    previous_secret BLOB,
    previous_at   INTEGER,
    versions      TEXT,
    realm         TEXT,
    last_principal BLOB
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
    ended_by INTEGER NOT NULL DEFAULT 0,
    ended_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (id, secret)
) WITHOUT ROWID;
CREATE INDEX session_tombstone_until ON session_tombstone (until);
CREATE TABLE session_revocation (
    principal TEXT    NOT NULL PRIMARY KEY,
    at        INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX session_revocation_at ON session_revocation (at);
";

/// What makes layout 2 of layout 1: the columns and the table above.
const FROM_1: &str = "
ALTER TABLE session ADD COLUMN secret_since INTEGER NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN next_secret BLOB;
ALTER TABLE session ADD COLUMN next_nonce BLOB;
ALTER TABLE session ADD COLUMN previous_secret BLOB;
ALTER TABLE session ADD COLUMN previous_at INTEGER;
ALTER TABLE session ADD COLUMN versions TEXT;
ALTER TABLE session ADD COLUMN realm TEXT;
ALTER TABLE session ADD COLUMN last_principal BLOB;
ALTER TABLE session_tombstone ADD COLUMN ended_by INTEGER NOT NULL DEFAULT 0;
ALTER TABLE session_tombstone ADD COLUMN ended_at INTEGER NOT NULL DEFAULT 0;
UPDATE session SET secret_since = created;
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
    /// The tables of layout 1.
    One,
    /// These tables.
    Ours,
}

/// Looks, and changes nothing: the file may be somebody else's.
///
/// # Errors
///
/// If it is another program's, or of a newer layout.
pub(super) fn check(db: &Connection, path: &Path) -> Result<Layout, Failure> {
    // One statement: another process may be creating the tables just now.
    let sql = "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema) \
               FROM pragma_application_id, pragma_user_version";
    let read = db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let (application, version, tables): (i32, i32, i64) = read.map_err(|error| {
        refused(path, error.into(), "name another file unless this one was a session database")
    })?;
    if application == APPLICATION {
        match version {
            VERSION => return Ok(Layout::Ours),
            1 => return Ok(Layout::One),
            _ => {}
        }
        let text = format!(
            "the file has layout {version}, this program knows layout {VERSION}; \
             run the newer program, or move the file away to start empty"
        );
        return Err(config(path, &text));
    }
    if application == 0 && version == 0 && tables == 0 {
        return Ok(Layout::Empty);
    }
    Err(config(path, "this database belongs to another program; name another file"))
}

/// Creates the tables in an empty file, or those that an older one lacks.
pub(super) fn create(db: &mut Connection, path: &Path) -> Result<(), Failure> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster: look again under the lock.
    let tables = match check(&transaction, path)? {
        Layout::Empty => TABLES,
        Layout::One => FROM_1,
        Layout::Ours => return Ok(transaction.commit()?),
    };
    transaction.execute_batch(tables)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    Ok(transaction.commit()?)
}

//! The layout of the file, and how it is recognised. `docs/sqlite.md` describes it.
//!
//! **`session`**: one row per session, or per tombstone of one.
//!
//! | column | type | meaning |
//! |---|---|---|
//! | `id` | TEXT, key | 22 characters of URL-safe base64, as in the logs |
//! | `expires` | INTEGER | when the session ends, or when it was ended; milliseconds since 1970; indexed |
//! | `principal` | TEXT | `realm:namespace:json`, or NULL; indexed with the next two and `expires` |
//! | `authenticated` | INTEGER | when its user last proved who they are, or -1 |
//! | `created` | INTEGER | when it was created |
//! | `form` | BLOB | everything: the [form](crate::record::form), always whole |
//! All other columns repeat what the form says, so that they can be indexed. Only the form
//! determines what a session is.
//!
//! **`session_revocation`**: `(principal, at)`, one row per principal whose sessions were all
//! revoked within the last quarter of an hour; indexed by `at`.
//!
//! **`session_readable`**: a human-readable view.
//!
//! A file of its own has the `application_id` 0x73657373 (`sess`), and the version of this layout
//! in `user_version`. In a file that is shared with other tables, both belong to the application:
//! there, **`session_layout`** holds the version, and all names begin with the prefix that the
//! application chose.
//!
//! Sessions are ordered by id (`WITHOUT ROWID`), so that a load searches one tree. There are no
//! foreign keys and no triggers: the writer does everything in one transaction.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use super::failure::Failure;
use super::options::Owner;

/// `sess`
const APPLICATION: i32 = 0x7365_7373;
const VERSION: i32 = 1;

/// What a file contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing.
    Empty,
    /// Other tables, but none with our names.
    Others,
    /// These tables.
    Ours,
}

/// Determines what the file contains, without changing it: it may belong to another program.
///
/// # Errors
///
/// If it does and must not be shared, if it has another layout, or if a name is taken.
pub(super) fn check(db: &Connection, path: &Path, owner: &Owner) -> Result<Found, Failure> {
    let found = match owner {
        Owner::Sessions => own(db, path),
        Owner::Shared { table } => shared(db, path, table),
    };
    found.map_err(|failure| match failure.is_config() {
        true => failure,
        false => failure.at(path, "name another file unless this one was a session database"),
    })
}

fn own(db: &Connection, path: &Path) -> Result<Found, Failure> {
    // One statement, because another process may be creating the tables at the same time.
    let sql = "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema) \
               FROM pragma_application_id, pragma_user_version";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let (application, version, tables): (i32, i32, i64) = db.query_row(sql, [], read)?;
    match (application, version, tables) {
        (APPLICATION, VERSION, _) => Ok(Found::Ours),
        (APPLICATION, ..) => Err(another_layout(path, version)),
        (0, 0, 0) => Ok(Found::Empty),
        _ => Err(Failure::config(
            path,
            "this database belongs to another program; name another file, or keep the sessions \
             beside its tables with SqliteOptions::shared_file",
        )),
    }
}

fn shared(db: &Connection, path: &Path, table: &str) -> Result<Found, Failure> {
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        return Ok(Found::Empty);
    }
    let version = format!("SELECT version FROM \"{table}_layout\"");
    if is_there(db, &format!("{table}_layout"))? {
        let version: Option<i32> = db.query_row(&version, [], |row| row.get(0)).optional()?;
        return match version {
            Some(VERSION) => Ok(Found::Ours),
            other => Err(another_layout(path, other.unwrap_or(0))),
        };
    }
    for suffix in ["", "_revocation", "_readable", "_expires", "_principal", "_revocation_at"] {
        let name = format!("{table}{suffix}");
        if is_there(db, &name)? {
            let text = format!(
                "`{name}` is there already and belongs to another program; choose another name \
                 for SqliteOptions::shared_file"
            );
            return Err(Failure::config(path, text));
        }
    }
    Ok(Found::Others)
}

fn is_there(db: &Connection, name: &str) -> Result<bool, Failure> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE)";
    Ok(db.query_row(sql, [name], |row| row.get(0))?)
}

fn another_layout(path: &Path, version: i32) -> Failure {
    let text = format!(
        "the file has layout {version}, this program knows layout {VERSION}; run the program \
         that wrote it, or move the file away to start empty"
    );
    Failure::config(path, text)
}

/// Creates the tables if they are missing.
pub(super) fn create(db: &mut Connection, path: &Path, owner: &Owner) -> Result<(), Failure> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have created them meanwhile: check again under the lock.
    if check(&transaction, path, owner)? != Found::Ours {
        transaction.execute_batch(&tables(owner.table()))?;
        let mark = match owner {
            Owner::Sessions => {
                format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}")
            }
            Owner::Shared { table } => format!(
                "CREATE TABLE \"{table}_layout\" (version INTEGER NOT NULL); \
                 INSERT INTO \"{table}_layout\" VALUES ({VERSION})"
            ),
        };
        transaction.execute_batch(&mark)?;
    }
    Ok(transaction.commit()?)
}

fn tables(table: &str) -> String {
    format!(
        r#"
CREATE TABLE "{table}" (
    id            TEXT    NOT NULL PRIMARY KEY,
    expires       INTEGER NOT NULL,
    principal     TEXT,
    authenticated INTEGER NOT NULL,
    created       INTEGER NOT NULL,
    form          BLOB    NOT NULL
) WITHOUT ROWID;
CREATE INDEX "{table}_expires" ON "{table}" (expires);
CREATE INDEX "{table}_principal" ON "{table}" (principal, authenticated, created, expires)
    WHERE principal IS NOT NULL;
CREATE TABLE "{table}_revocation" (
    principal TEXT    NOT NULL PRIMARY KEY,
    at        INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX "{table}_revocation_at" ON "{table}_revocation" (at);
CREATE VIEW "{table}_readable" AS
SELECT
    id,
    CASE substr(form, 2, 1) WHEN x'74' THEN 'ended' ELSE 'session' END AS kind,
    principal,
    datetime(created / 1000, 'unixepoch') AS created,
    datetime(expires / 1000, 'unixepoch') AS expires,
    CAST(CAST(substr(form, 15, 10) AS TEXT) AS INTEGER) AS epoch,
    CAST(CAST(substr(form, 25, 10) AS TEXT) AS INTEGER) AS rev,
    (WITH RECURSIVE item (number, content, rest) AS (
        SELECT 0, NULL, substr(form, 1 + CAST(CAST(substr(form, 10, 5) AS TEXT) AS INTEGER))
        UNION ALL
        SELECT
            number + 1,
            substr(
                rest,
                instr(rest, x'3a') + 1,
                CAST(CAST(substr(rest, 1, instr(rest, x'3a') - 1) AS TEXT) AS INTEGER)
            ),
            substr(
                rest,
                instr(rest, x'3a') + 1
                    + CAST(CAST(substr(rest, 1, instr(rest, x'3a') - 1) AS TEXT) AS INTEGER)
            )
        FROM item WHERE instr(rest, x'3a') > 0
    )
    SELECT group_concat(
        CAST(content AS TEXT) || CASE number % 2 WHEN 1 THEN ' = ' ELSE char(10) END, ''
    ) FROM item WHERE number > 0) AS fields
FROM "{table}";
"#
    )
}

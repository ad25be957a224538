//! The tables: how they are created and recognised, and the checks of the server before that.
//!
//! **`session`**: one row per session, or per tombstone of one.
//!
//! | column | type | meaning |
//! |---|---|---|
//! | `id` | VARBINARY, key | 22 characters of URL-safe base64, as in the logs |
//! | `form` | LONGBLOB | the [form](crate::record::form): head, meta and what follows |
//! | `base` | LONGBLOB | the base of a large session, which a change leaves as it is |
//! | `expires` | BIGINT | when the session ends, or when it was ended; milliseconds since 1970 |
//! | `due` | BIGINT, indexed | when the sweep looks at it; never later than `expires` |
//! | `principal` | BINARY | half the SHA-256 of the principal, or NULL |
//! | `place` | VARBINARY | its place among the sessions of the principal; indexed with that |
//!
//! All columns but the first three repeat what the form says, so that they can be indexed. All
//! texts are stored as bytes, so that no collation treats two of them as equal.
//!
//! **`session_revocation`**: `(principal, at)`, one row per principal whose sessions were all
//! revoked, or who signed in with a condition, within the last quarter of an hour.
//!
//! **`session_view`**: a human-readable view of the sessions. **`session_layout`**: the version of
//! the layout.

use std::time::Duration;

use sqlx::mysql::MySqlRow;
use sqlx::{Executor as _, MySqlConnection, Row as _};
use tokio::time::sleep;

use super::failure::{DUPLICATE, NO_COLUMN, NO_TABLE, fault, number};
use crate::store::engine::Failure;
use crate::store::limits::Limits;
use crate::store::sql::Fault;
use crate::token::random_below;

/// Must be incremented with every change of [`Tables::migration`].
const VERSION: i64 = 2;
/// The longest name of an InnoDB table, less our own part.
const LONGEST_PREFIX: usize = 40;
/// Bytes of a statement other than the values of a record.
const AROUND: usize = 64 << 10;
/// Access to a table is denied, or creating a view.
const DENIED: u16 = 1142;

/// The names of the tables.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    pub(super) session: String,
    pub(super) revocation: String,
    layout: String,
    view: String,
}

impl Tables {
    /// Creates the names. They are lower case only, because some servers do not distinguish case.
    ///
    /// # Errors
    ///
    /// If the prefix is not a valid beginning of a name.
    pub(super) fn new(prefix: &str) -> Result<Self, Failure> {
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !prefix.chars().all(valid) || prefix.len() > LONGEST_PREFIX {
            let text = "prefix: at most 40 characters of a-z, 0-9 and `_`";
            return Err(Failure::config(text));
        }
        let name = |table: &str| format!("{prefix}session{table}");
        Ok(Self {
            session: name(""),
            revocation: name("_revocation"),
            layout: name("_layout"),
            view: name("_view"),
        })
    }

    /// Returns the statements that create the tables if they are missing.
    pub(super) fn migration(&self) -> [String; 5] {
        let Self { session, revocation, layout, view } = self;
        let options = "ENGINE = InnoDB ROW_FORMAT = DYNAMIC";
        [
            format!(
                "CREATE TABLE IF NOT EXISTS {session} (
    id        VARBINARY(22) NOT NULL,
    form      LONGBLOB NOT NULL,
    base      LONGBLOB,
    expires   BIGINT NOT NULL,
    due       BIGINT NOT NULL,
    principal BINARY(16),
    place     VARBINARY(32),
    PRIMARY KEY (id),
    KEY session_due (due),
    KEY session_place (principal, place)
) {options}"
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS {revocation} (
    principal BINARY(16) NOT NULL,
    at        BIGINT NOT NULL,
    PRIMARY KEY (principal),
    KEY session_revocation_at (at)
) {options}"
            ),
            format!(
                "CREATE OR REPLACE SQL SECURITY INVOKER VIEW {view} AS SELECT
    CONVERT(id USING utf8mb4) AS id,
    CASE SUBSTRING(form, 2, 1) WHEN 't' THEN 'ended' ELSE 'session' END AS kind,
    CAST(CONVERT(SUBSTRING(form, 15, 10) USING utf8mb4) AS UNSIGNED) AS epoch,
    CAST(CONVERT(SUBSTRING(form, 25, 10) USING utf8mb4) AS UNSIGNED) AS rev,
    CAST(CONVERT(SUBSTRING(form, 35, 10) USING utf8mb4) AS UNSIGNED) AS stamp,
    TIMESTAMP'1970-01-01 00:00:00' + INTERVAL expires * 1000 MICROSECOND AS expires_utc,
    CONVERT(form USING utf8mb4) AS form,
    CONVERT(base USING utf8mb4) AS base
FROM {session}"
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS {layout} (
    version BIGINT NOT NULL,
    PRIMARY KEY (version)
) {options}"
            ),
            // Written last: if it exists, everything does.
            format!(
                "INSERT INTO {layout} (version) SELECT {VERSION} FROM DUAL \
                 WHERE NOT EXISTS (SELECT 1 FROM {layout} l)"
            ),
        ]
    }

    /// Checks the server and the tables, creates the tables if `may_make` allows it, and returns
    /// the largest packet that the server accepts.
    pub(super) async fn prepare(
        &self,
        db: &mut MySqlConnection,
        limits: Limits,
        may_make: bool,
    ) -> Result<usize, Failure> {
        let packet = check_server(db, limits).await?;
        let found = self.version(db).await?;
        if found.is_none() && may_make {
            self.check_foreign(db).await?;
            self.make(db).await?;
            self.judge(self.version(db).await?)?;
        } else {
            self.judge(found)?;
        }
        Ok(packet)
    }

    /// Creates what is missing; other processes may do so at the same time.
    async fn make(&self, db: &mut MySqlConnection) -> Result<(), Failure> {
        for statement in self.migration() {
            loop {
                let error = match ask(db, &statement).await {
                    Ok(_) => break,
                    Err(error) => error,
                };
                match number(&error) {
                    // Another process has created it first.
                    Some(DUPLICATE) => break,
                    Some(DENIED) if statement.contains(" VIEW ") => {
                        tracing::info!("the user may not make a view: {} is left out", self.view);
                        break;
                    }
                    _ => match fault(error) {
                        // Another process is creating it at the same time. Connecting has a
                        // deadline, so this loop ends.
                        Fault::Again(_) => sleep(random_below(Duration::from_millis(20))).await,
                        fault => return Err(fault.failure().during("creating the tables")),
                    },
                }
            }
        }
        Ok(())
    }

    /// Checks the version of the layout.
    ///
    /// # Errors
    ///
    /// If the tables are not those that this program knows.
    fn judge(&self, found: Option<i64>) -> Result<(), Failure> {
        let Self { session, layout, .. } = self;
        let cure = match found {
            Some(VERSION) => return Ok(()),
            None => {
                return Err(Failure::config(format!(
                    "the tables of the sessions are missing (`{session}`, …); run what \
                     `MySqlOptions::migration_sql` gives, or let this store do it \
                     (`migrate(true)`)"
                )));
            }
            Some(..VERSION) => "drop them",
            Some(_) => "run the newer program",
        };
        Err(Failure::config(format!(
            "the tables beside `{layout}` have layout {}, this program knows layout {VERSION}; \
             {cure}",
            found.unwrap_or_default()
        )))
    }

    /// Returns the version of the layout, if there is one.
    async fn version(&self, db: &mut MySqlConnection) -> Result<Option<i64>, Failure> {
        let found = match ask(db, &format!("SELECT version FROM {}", self.layout)).await {
            Ok(rows) => rows.first().map(|row| row.try_get_unchecked(0)).transpose(),
            Err(error) if number(&error) == Some(NO_TABLE) => return Ok(None),
            Err(error) => Err(error),
        };
        found.map_err(|error| fault(error).failure().during("looking for the tables"))
    }

    /// Checks, if there is no layout of ours, that no other program has tables with our names.
    async fn check_foreign(&self, db: &mut MySqlConnection) -> Result<(), Failure> {
        let Self { session, revocation, .. } = self;
        let looks = [
            (session, format!("SELECT id, form, base, due, place FROM {session} LIMIT 0")),
            (revocation, format!("SELECT principal, at FROM {revocation} LIMIT 0")),
        ];
        for (table, look) in looks {
            match ask(db, &look).await {
                Err(error) if number(&error) == Some(NO_TABLE) => {}
                Err(error) if number(&error) == Some(NO_COLUMN) => {
                    return Err(Failure::config(format!(
                        "the table `{table}` belongs to another program; choose another \
                         `prefix`"
                    )));
                }
                Err(error) => return Err(fault(error).failure().during("looking for the tables")),
                Ok(_) => {}
            }
        }
        Ok(())
    }
}

/// Runs a statement that contains no external input.
async fn ask(db: &mut MySqlConnection, sql: &str) -> Result<Vec<MySqlRow>, sqlx::Error> {
    // Called as a method of the connection, its future is `Send`.
    db.fetch_all(sqlx::raw_sql(sql)).await
}

/// Checks the server, and returns the largest packet that it accepts.
///
/// # Errors
///
/// If the server is too old, no database is selected, or a record does not fit into a packet.
async fn check_server(db: &mut MySqlConnection, limits: Limits) -> Result<usize, Failure> {
    let failed = |error| fault(error).failure().during("looking at the server");
    let rows = ask(db, "SELECT VERSION(), @@max_allowed_packet, DATABASE()").await;
    let rows = rows.map_err(failed)?;
    let server =
        rows.first().ok_or_else(|| Failure::corrupt("the server did not report its version"))?;
    let version: String = server.try_get_unchecked(0).map_err(failed)?;
    if !is_known(&version) {
        let text = format!("this store needs MySQL 8.0.1 or MariaDB 10.6, the server is {version}");
        return Err(Failure::config(text));
    }
    let database: Option<Vec<u8>> = server.try_get_unchecked(2).map_err(failed)?;
    if database.is_none() {
        return Err(Failure::config("the connections of this pool use no database"));
    }
    let packet: i64 = server.try_get_unchecked(1).map_err(failed)?;
    let packet = usize::try_from(packet).unwrap_or(0);
    let needed = limits.record.saturating_add(AROUND);
    if limits != Limits::NONE && needed > packet {
        return Err(Failure::config(format!(
            "a record of {} bytes needs a `max_allowed_packet` of {needed}, the server has \
             {packet}; raise it, or lower `limits`",
            limits.record
        )));
    }
    Ok(packet)
}

/// Whether the version is supported. Older ones lack `FOR UPDATE SKIP LOCKED`.
fn is_known(version: &str) -> bool {
    let mut numbers =
        version.split(|c: char| !c.is_ascii_digit()).map(|it| it.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    let version_is = (next(), next(), next());
    match version.contains("MariaDB") {
        true => version_is >= (10, 6, 0),
        false => version_is >= (8, 0, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_without_skip_locked_are_told_apart() {
        for version in [
            "8.0.36",
            "8.4.0",
            "9.1.0-debug",
            "10.6.0-MariaDB",
            "10.11.14-MariaDB-0+deb12u2",
            "11.4.2-MariaDB",
        ] {
            assert!(is_known(version), "{version}");
        }
        for version in ["5.7.44", "8.0.0", "10.5.25-MariaDB", "", "5.5.5"] {
            assert!(!is_known(version), "{version}");
        }
    }

    #[test]
    fn every_table_has_the_prefix() {
        let tables = Tables::new("shop_").unwrap();
        for made in tables.migration() {
            let name = made.split(' ').find(|word| word.contains("session")).unwrap();
            assert!(name.starts_with("shop_session"), "{made}");
        }
    }
}

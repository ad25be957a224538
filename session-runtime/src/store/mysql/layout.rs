//! The tables: what is in them, how they are made and recognised.
//!
//! In full, with what it means, in `docs/mysql.md`. Five tables, whose names
//! begin with the prefix of the options: `session`, `session_field`,
//! `session_tombstone`, `session_revocation` and `session_layout`, which says
//! the version of this layout.
//!
//! Nothing is compared by a collation that takes two texts for the same: ids
//! are ASCII and compared by bytes, and names and principals are found by a
//! [key](super::sql::Key) of bytes. The columns that show them, `name`,
//! `value` and `principal`, are never compared at all.

use std::time::Duration;

use sqlx::mysql::MySqlRow;
use sqlx::{Executor as _, MySqlConnection, Row as _};

use tokio::time::sleep;

use super::failure::{DUPLICATE, Failure, NO_COLUMN, NO_TABLE};
use crate::token::random_below;

/// The version of this layout.
const VERSION: i64 = 1;
/// As long as an InnoDB table's name may be, less our own part.
const LONGEST_PREFIX: usize = 40;

/// The names of the tables.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    pub(super) session: String,
    pub(super) field: String,
    pub(super) tombstone: String,
    pub(super) revocation: String,
    pub(super) layout: String,
}

impl Tables {
    /// Lower case only: some servers take upper case for the same.
    pub(super) fn new(prefix: &str) -> Result<Self, Failure> {
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !prefix.chars().all(valid) || prefix.len() > LONGEST_PREFIX {
            let text = "table_prefix: at most 40 characters of a-z, 0-9 and `_`";
            return Err(Failure::config(text));
        }
        let name = |table: &str| format!("{prefix}{table}");
        Ok(Self {
            session: name("session"),
            field: name("session_field"),
            tombstone: name("session_tombstone"),
            revocation: name("session_revocation"),
            layout: name("session_layout"),
        })
    }

    /// The statements that make the tables, where they are not there yet.
    pub(super) fn migration(&self) -> [String; 6] {
        let Self { session, field, tombstone, revocation, layout } = self;
        let options =
            "ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin";
        let id = "CHAR(22) CHARACTER SET ascii COLLATE ascii_bin NOT NULL";
        [
            format!(
                "CREATE TABLE IF NOT EXISTS {session} (
    id              {id},
    secret          BINARY(32) NOT NULL,
    secret_since    BIGINT NOT NULL,
    next_secret     BINARY(32),
    next_nonce      BINARY(16),
    previous_secret BINARY(32),
    previous_at     BIGINT,
    epoch           BIGINT NOT NULL,
    rev             BIGINT NOT NULL,
    created         BIGINT NOT NULL,
    last_seen       BIGINT NOT NULL,
    authenticated   BIGINT,
    idle            BIGINT,
    absolute        BIGINT,
    expires         BIGINT NOT NULL,
    remember        BIGINT,
    principal       LONGTEXT,
    principal_key   VARBINARY(32),
    patches         VARBINARY(255) NOT NULL,
    retired         VARBINARY(1024) NOT NULL,
    versions        LONGTEXT,
    realm           VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
    last_principal  BINARY(16),
    PRIMARY KEY (id),
    KEY session_expires (expires),
    KEY session_principal (principal_key)
) {options}"
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS {field} (
    session_id {id},
    name_key   VARBINARY(32) NOT NULL,
    name       LONGTEXT NOT NULL,
    value      LONGTEXT,
    raw        LONGBLOB,
    PRIMARY KEY (session_id, name_key)
) {options}"
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS {tombstone} (
    id         {id},
    secret     BINARY(32) NOT NULL,
    kept_until BIGINT NOT NULL,
    elsewhere  BOOLEAN NOT NULL,
    ended_at   BIGINT NOT NULL,
    PRIMARY KEY (id, secret),
    KEY session_tombstone_until (kept_until)
) {options}"
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS {revocation} (
    principal_key VARBINARY(32) NOT NULL,
    revoked_at    BIGINT NOT NULL,
    PRIMARY KEY (principal_key),
    KEY session_revocation_at (revoked_at)
) {options}"
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS {layout} (
    version BIGINT NOT NULL,
    PRIMARY KEY (version)
) {options}"
            ),
            // Last: whoever finds it finds everything.
            format!(
                "INSERT INTO {layout} (version) SELECT {VERSION} FROM DUAL \
                 WHERE NOT EXISTS (SELECT 1 FROM {layout} l)"
            ),
        ]
    }

    /// Makes what is missing, whoever else does so at the same time.
    pub(super) async fn migrate(&self, db: &mut MySqlConnection) -> Result<(), Failure> {
        if self.version(db).await? == Some(VERSION) {
            return Ok(());
        }
        self.check(db, true).await?;
        for statement in self.migration() {
            loop {
                match run(db, &statement).await {
                    // Somebody else was faster.
                    Err(failure) if failure.number == Some(DUPLICATE) => break,
                    // Or as fast: connecting has a deadline.
                    Err(failure) if failure.passing && failure.answered => {
                        sleep(random_below(Duration::from_millis(20))).await;
                    }
                    Err(failure) => return Err(failure.during("creating the tables")),
                    Ok(_) => break,
                }
            }
        }
        Ok(())
    }

    /// Whether the tables are there, with this layout. `missing`: whether they
    /// may be missing too.
    pub(super) async fn check(
        &self,
        db: &mut MySqlConnection,
        missing: bool,
    ) -> Result<(), Failure> {
        match self.version(db).await? {
            Some(VERSION) => self.check_columns(db).await,
            Some(other) => Err(Failure::config(format!(
                "the table `{}` is of layout {other}, this program knows layout {VERSION}",
                self.layout
            ))),
            None if missing => Ok(()),
            None => Err(Failure::config(format!(
                "the tables of the sessions are missing (`{}`, …); run what \
                 `MySqlOptions::migration_sql` gives, or let this store do it (`migrate(true)`)",
                self.session
            ))),
        }
    }

    async fn version(&self, db: &mut MySqlConnection) -> Result<Option<i64>, Failure> {
        match run(db, &format!("SELECT version FROM {}", self.layout)).await {
            Ok(rows) => match rows.first() {
                Some(row) => Ok(Some(row.try_get_unchecked(0)?)),
                None => Ok(None),
            },
            Err(failure) if failure.number == Some(NO_TABLE) => Ok(None),
            Err(failure) => Err(failure.during("looking for the tables")),
        }
    }

    /// Somebody else may have tables of these names.
    async fn check_columns(&self, db: &mut MySqlConnection) -> Result<(), Failure> {
        let Self { session, field, tombstone, revocation, .. } = self;
        let looks = [
            (session, format!("SELECT id, principal_key, last_principal FROM {session} LIMIT 0")),
            (field, format!("SELECT session_id, name_key, raw FROM {field} LIMIT 0")),
            (tombstone, format!("SELECT id, secret, ended_at FROM {tombstone} LIMIT 0")),
            (revocation, format!("SELECT principal_key, revoked_at FROM {revocation} LIMIT 0")),
        ];
        for (table, look) in looks {
            match run(db, &look).await {
                Err(failure) if matches!(failure.number, Some(NO_COLUMN | NO_TABLE)) => {
                    return Err(Failure::config(format!(
                        "the table `{table}` is missing or something else; choose another `table_prefix`"
                    )));
                }
                result => drop(result?),
            }
        }
        Ok(())
    }
}

/// Runs one statement in which nothing comes from outside.
pub(super) async fn run(db: &mut MySqlConnection, sql: &str) -> Result<Vec<MySqlRow>, Failure> {
    // As the method of the connection its future can be sent to other threads.
    Ok(db.fetch_all(sqlx::raw_sql(sql)).await?)
}

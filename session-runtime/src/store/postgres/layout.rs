//! The tables: where they are, how they are created, and whether they are those that this program
//! knows.
//!
//! **`session`**: one row per session, or per tombstone of one.
//!
//! | column | type | meaning |
//! |---|---|---|
//! | `id` | text, key | 22 characters of URL-safe base64, as in the logs |
//! | `form` | bytea | the [form](crate::record::form): head, meta and what follows |
//! | `base` | bytea | the base of a large session, which a change leaves as it is |
//! | `expires` | bigint | when the session ends, or when it was ended; milliseconds since 1970 |
//! | `due` | bigint, indexed | when the sweep looks at it; never later than `expires` |
//! | `principal` | bytea | half the SHA-256 of the principal, or NULL |
//! | `place` | bytea | its place among the sessions of the principal; indexed with that |
//!
//! All columns but the first three repeat what the form says, so that they can be indexed.
//!
//! **`session_revocation`**: `(principal, at)`, one row per principal whose sessions were all
//! revoked within the last quarter of an hour.
//!
//! **`session_view`**: a human-readable view of the sessions. **`session_layout`**: the version of
//! the layout.

use std::fmt::Write as _;

use sqlx::pool::PoolConnection;
use sqlx::{Executor as _, Postgres, Row as _};

use super::failure::{FORBIDDEN, code, fault};
use crate::store::engine::Failure;

/// Must be incremented with every change of [`Layout::script`].
const VERSION: i32 = 2;

/// The longest prefix: leaves room for our own names within PostgreSQL's 63 bytes.
const PREFIX: usize = 40;

/// Where the tables are.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    schema: String,
    prefix: String,
}

impl Layout {
    /// Creates the names.
    ///
    /// # Errors
    ///
    /// If a name would need quoting, or is too long.
    pub(super) fn new(schema: &str, prefix: &str) -> Result<Self, Failure> {
        let plain = |name: &str| {
            name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
                && !name.starts_with(|c: char| c.is_ascii_digit())
        };
        let wrong = |what, most| {
            let text = format!(
                "{what}: lower-case letters, digits and `_`, not a digit first, at most {most} bytes"
            );
            Err(Failure::config(text))
        };
        if schema.is_empty() || !plain(schema) || schema.len() > 63 || schema.starts_with("pg_") {
            return wrong("schema", 63);
        }
        if !plain(prefix) || prefix.len() > PREFIX {
            return wrong("prefix", PREFIX);
        }
        Ok(Self { schema: schema.to_owned(), prefix: prefix.to_owned() })
    }

    /// Returns the quoted name of a table.
    pub(super) fn table(&self, name: &str) -> String {
        format!("\"{}\".\"{}{name}\"", self.schema, self.prefix)
    }

    /// Returns the name of a table in all schemas, without quotes.
    pub(super) fn name(&self, table: &str) -> String {
        format!("{}.{}{table}", self.schema, self.prefix)
    }

    /// Returns the script that creates the tables, without a transaction around it. Running it
    /// again changes nothing.
    pub(super) fn script(&self, makes_schema: bool) -> String {
        let Self { schema, prefix } = self;
        let [session, revocation, layout, view] =
            ["session", "session_revocation", "session_layout", "session_view"]
                .map(|name| self.table(name));
        // If two programs start at once, one of them creates the tables and the other finds them.
        let mut sql = format!(
            "SELECT pg_advisory_xact_lock(hashtextextended('session layout {schema}', 0));\n"
        );
        if makes_schema && schema != "public" {
            let _ = writeln!(sql, "CREATE SCHEMA IF NOT EXISTS \"{schema}\";");
        }
        let _ = write!(
            sql,
            r#"-- COLLATE "C": ids are compared byte for byte, whatever the database's language.
-- fillfactor: every change of a session rewrites its row. With room left on the page, and
-- no indexed column changed, the new version stays there (a HOT update): indexes are not
-- touched and the old version is reclaimed by the next visitor of the page, without
-- waiting for a vacuum. That is why a visit, which moves expires, leaves due behind. The
-- sweep looks at what is due, and moves due where the session lives on.
-- EXTERNAL: a large base lies beside the table, and stays there when the form changes.
-- autovacuum_*: rows come and go all day; 2 % dead ones are enough to begin.
CREATE TABLE IF NOT EXISTS {session} (
    id        text COLLATE "C" NOT NULL,
    form      bytea  NOT NULL,
    base      bytea,
    expires   bigint NOT NULL,
    due       bigint NOT NULL,
    principal bytea,
    place     bytea,
    CONSTRAINT "{prefix}session_key" PRIMARY KEY (id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
ALTER TABLE {session} ALTER COLUMN base SET STORAGE EXTERNAL;
CREATE INDEX IF NOT EXISTS "{prefix}session_due" ON {session} (due);
CREATE INDEX IF NOT EXISTS "{prefix}session_place" ON {session} (principal, place) WHERE principal IS NOT NULL;
CREATE TABLE IF NOT EXISTS {revocation} (
    principal bytea  NOT NULL,
    at        bigint NOT NULL,
    CONSTRAINT "{prefix}session_revocation_key" PRIMARY KEY (principal)
) WITH (autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX IF NOT EXISTS "{prefix}session_revocation_at" ON {revocation} (at);
CREATE OR REPLACE VIEW {view} AS
SELECT
    id,
    CASE encode(substr(form, 2, 1), 'escape') WHEN 't' THEN 'ended' ELSE 'session' END AS kind,
    encode(substr(form, 15, 10), 'escape')::bigint AS epoch,
    encode(substr(form, 25, 10), 'escape')::bigint AS rev,
    encode(substr(form, 35, 10), 'escape')::bigint AS stamp,
    to_timestamp(expires / 1000.0) AS expires,
    encode(form, 'escape') AS form,
    encode(base, 'escape') AS base
FROM {session};
CREATE TABLE IF NOT EXISTS {layout} (
    one     boolean NOT NULL DEFAULT true PRIMARY KEY CHECK (one),
    version integer NOT NULL
);
INSERT INTO {layout} (version) VALUES ({VERSION}) ON CONFLICT DO NOTHING;
"#
        );
        sql
    }

    /// Checks the tables, and creates them if `may_make` allows it.
    pub(super) async fn prepare(
        &self,
        connection: &mut PoolConnection<Postgres>,
        may_make: bool,
    ) -> Result<(), Failure> {
        match self.version(connection).await? {
            None if may_make => self.make(connection).await?,
            found => return self.judge(found),
        }
        let found = self.version(connection).await?;
        self.judge(found)
    }

    async fn make(&self, connection: &mut PoolConnection<Postgres>) -> Result<(), Failure> {
        // One message without parameters, so that it works behind a pooler.
        let has_schema = self.has_schema(connection).await.map_err(|it| self.looking(it))?;
        let sql = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;\nSET LOCAL lock_timeout = 0;\n\
             {}COMMIT",
            self.script(!has_schema)
        );
        let made = connection.execute(sqlx::raw_sql(&sql)).await;
        let Err(error) = made else { return Ok(()) };
        // Otherwise the connection would stay in the failed transaction.
        let _ = connection.execute(sqlx::raw_sql("ROLLBACK")).await;
        let cure = match (code(&error).as_deref(), has_schema) {
            (Some(FORBIDDEN), true) => format!(" (it takes CREATE on schema `{}`)", self.schema),
            (Some(FORBIDDEN), false) => {
                format!(" (schema `{}` is missing: it takes CREATE on the database)", self.schema)
            }
            _ => String::new(),
        };
        Err(fault(error).failure().during(format_args!("creating the tables{cure}")))
    }

    /// Whether the schema exists. `CREATE SCHEMA IF NOT EXISTS` requires the privilege to create
    /// one even if it exists.
    async fn has_schema(
        &self,
        connection: &mut PoolConnection<Postgres>,
    ) -> Result<bool, sqlx::Error> {
        let sql = format!("SELECT pg_catalog.to_regnamespace('{}') IS NOT NULL", self.schema);
        connection.fetch_one(sqlx::raw_sql(&sql)).await?.try_get(0)
    }

    /// Returns the failure of a check of the tables.
    fn looking(&self, error: sqlx::Error) -> Failure {
        let cure = match code(&error).as_deref() {
            Some(FORBIDDEN) => format!(
                " (it takes USAGE on schema `{}`, and SELECT on {})",
                self.schema,
                self.table("session_layout")
            ),
            _ => String::new(),
        };
        fault(error).failure().during(format_args!("looking at the tables{cure}"))
    }

    /// Checks the version of the layout.
    ///
    /// # Errors
    ///
    /// If the tables are not those that this program knows.
    fn judge(&self, found: Option<i32>) -> Result<(), Failure> {
        let Self { schema, prefix } = self;
        let cure = match found {
            Some(VERSION) => return Ok(()),
            None => {
                return Err(Failure::config(format!(
                    "the tables are missing in schema `{schema}` (prefix `{prefix}`); run \
                     `migrate()`, or the script that `PostgresOptions::migration_sql` gives"
                )));
            }
            Some(..VERSION) => "drop them",
            Some(_) => "run the newer program",
        };
        Err(Failure::config(format!(
            "the tables in schema `{schema}` (prefix `{prefix}`) have layout {}, this program \
             knows layout {VERSION}; {cure}",
            found.unwrap_or_default()
        )))
    }

    /// Returns the version of the layout, if there is one.
    async fn version(
        &self,
        connection: &mut PoolConnection<Postgres>,
    ) -> Result<Option<i32>, Failure> {
        match self.ask_version(connection).await.map_err(|error| self.looking(error))? {
            Found::Layout(version) => Ok(Some(version)),
            Found::Nothing => Ok(None),
            Found::Foreign => Err(Failure::config(format!(
                "the table {} belongs to another program; choose another `schema` or `prefix`",
                self.table("session")
            ))),
        }
    }

    async fn ask_version(
        &self,
        connection: &mut PoolConnection<Postgres>,
    ) -> Result<Found, sqlx::Error> {
        let [session, layout] = ["session", "session_layout"].map(|name| self.table(name));
        // In this order, because a migration that was committed in between creates both.
        let sql = format!(
            "SELECT pg_catalog.to_regclass('{session}') IS NOT NULL, \
             pg_catalog.to_regclass('{layout}') IS NOT NULL"
        );
        let row = connection.fetch_one(sqlx::raw_sql(&sql)).await?;
        match (row.try_get(0)?, row.try_get(1)?) {
            (_, true) => {
                let sql = format!("SELECT version FROM {layout}");
                let row = connection.fetch_one(sqlx::raw_sql(&sql)).await?;
                row.try_get(0).map(Found::Layout)
            }
            (true, false) => Ok(Found::Foreign),
            (false, false) => Ok(Found::Nothing),
        }
    }
}

/// What exists under the names of the tables.
enum Found {
    Nothing,
    /// A table that is not ours.
    Foreign,
    Layout(i32),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_need_quoting_are_refused() {
        for (schema, prefix) in [
            ("", ""),
            ("a\"b", ""),
            ("Web", ""),
            ("1a", ""),
            ("pg_x", ""),
            ("web", "a-"),
            ("web", "a;"),
        ] {
            assert!(Layout::new(schema, prefix).is_err(), "{schema:?} {prefix:?}");
        }
        assert!(Layout::new("web", &"p".repeat(PREFIX)).is_ok());
        assert!(Layout::new("web", &"p".repeat(PREFIX + 1)).is_err());
    }

    #[test]
    fn every_name_of_the_script_is_in_the_schema_and_has_the_prefix() {
        let script = Layout::new("web", "my_").unwrap().script(true);
        for made in ["CREATE TABLE IF NOT EXISTS", "CREATE OR REPLACE VIEW"] {
            assert!(script.contains(made));
            let names = script.split(made).skip(1);
            assert!(names.into_iter().all(|it| it.starts_with(" \"web\".\"my_session")), "{made}");
        }
    }
}

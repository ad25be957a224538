//! The tables and functions: where they are, how they come there, and whether
//! they are the ones that this program knows.

use std::fmt::Write as _;

use sqlx::postgres::PgPool;
use sqlx::{Connection as _, Executor as _, Row as _};

use super::failure::{Failure, Meaning, code};

/// Stands at the end of every function's name and in the table
/// `session_layout`. Whoever changes anything in `sql/` raises it.
pub(super) const VERSION: i32 = 1;

const PARTS: [&str; 5] = [
    include_str!("sql/tables.sql"),
    include_str!("sql/common.sql"),
    include_str!("sql/read.sql"),
    include_str!("sql/write.sql"),
    include_str!("sql/apply.sql"),
];

/// Room for our own names within PostgreSQL's 63 bytes.
const PREFIX: usize = 63 - "session_revocation_key".len();

/// Where the tables and functions are.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    schema: String,
    prefix: String,
}

impl Layout {
    /// # Errors
    ///
    /// If a name is none that needs no quoting, or too long.
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
            return wrong("table_prefix", PREFIX);
        }
        Ok(Self { schema: schema.to_owned(), prefix: prefix.to_owned() })
    }

    /// The quoted name of a function.
    pub(super) fn function(&self, name: &str) -> String {
        format!("\"{}\".\"{}session_{name}_{VERSION}\"", self.schema, self.prefix)
    }

    fn table(&self, name: &str) -> String {
        format!("\"{}\".\"{}{name}\"", self.schema, self.prefix)
    }

    /// The script, without a transaction around it. Run again it changes
    /// nothing.
    pub(super) fn script(&self) -> String {
        // Two programs that start at once: one does it, the other finds it done.
        let mut sql = format!(
            "SELECT pg_advisory_xact_lock(hashtextextended('session layout {}', 0));\n",
            self.schema
        );
        if self.schema != "public" {
            let _ = writeln!(sql, "CREATE SCHEMA IF NOT EXISTS \"{}\";", self.schema);
        }
        for part in PARTS {
            self.expand(part, &mut sql);
        }
        let layout = self.table("session_layout");
        let _ = write!(
            sql,
            "INSERT INTO {layout} (version) VALUES ({VERSION})\n\
             ON CONFLICT (one) DO UPDATE SET version = greatest({layout}.version, excluded.version);\n",
        );
        sql
    }

    /// `{t:…}` tables, `{f:…}` functions, `{i:…}` names without a schema.
    fn expand(&self, part: &str, sql: &mut String) {
        let mut rest = part;
        while let Some((before, after)) = rest.split_once('{') {
            sql.push_str(before);
            let name = after.split_once('}').and_then(|(inside, after)| {
                let (kind, name) = inside.split_once(':')?;
                let name = match kind {
                    "t" => self.table(name),
                    "f" => self.function(name),
                    "i" => format!("\"{}{name}\"", self.prefix),
                    _ => return None,
                };
                Some((name, after))
            });
            match name {
                Some((name, after)) => {
                    sql.push_str(&name);
                    rest = after;
                }
                None => {
                    sql.push('{');
                    rest = after;
                }
            }
        }
        sql.push_str(rest);
    }

    /// Creates what is missing, in one transaction.
    pub(super) async fn migrate(&self, pool: &PgPool) -> Result<(), Failure> {
        if self.version(pool).await? == Some(VERSION) {
            return Ok(());
        }
        let run = async {
            let mut connection = pool.acquire().await?;
            let mut transaction =
                connection.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
            // One message without parameters: a pooler does not mind.
            transaction.execute(sqlx::raw_sql(&self.script())).await?;
            transaction.commit().await
        };
        run.await.map_err(|error| Meaning::from(error).failure().during("creating the tables"))?;
        self.check(pool).await
    }

    /// # Errors
    ///
    /// If the tables and functions are not those that this program knows.
    pub(super) async fn check(&self, pool: &PgPool) -> Result<(), Failure> {
        let (schema, prefix) = (&self.schema, &self.prefix);
        match self.version(pool).await? {
            Some(VERSION) => Ok(()),
            Some(version) => Err(Failure::config(format!(
                "the tables in schema `{schema}` (prefix `{prefix}`) have layout {version}, this \
                 program knows layout {VERSION}; run `migrate()`"
            ))),
            None => Err(Failure::config(format!(
                "the tables are missing in schema `{schema}` (prefix `{prefix}`); run `migrate()`, \
                 or the script that `PostgresStore::migration_sql` gives"
            ))),
        }
    }

    /// Which layout is there.
    async fn version(&self, pool: &PgPool) -> Result<Option<i32>, Failure> {
        let failed = |error| Meaning::from(error).failure().during("looking at the tables");
        let sql = format!("SELECT version FROM {}", self.table("session_layout"));
        let row = match pool.fetch_optional(sqlx::raw_sql(&sql)).await {
            Err(error) if matches!(code(&error).as_deref(), Some("42P01" | "3F000")) => {
                return self.foreign(pool).await;
            }
            row => row.map_err(failed)?,
        };
        let Some(row) = row else { return Ok(None) };
        let version: i32 = row.try_get(0).map_err(|_| Failure::corrupt("layout"))?;
        if version > VERSION {
            return Err(Failure::config(format!(
                "the tables in schema `{}` (prefix `{}`) have layout {version}, this program knows \
                 layout {VERSION}; run the newer program",
                self.schema, self.prefix
            )));
        }
        // The version, and a function of it: somebody may have dropped those.
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
             WHERE n.nspname = '{}' AND p.proname = '{}session_apply_{VERSION}')",
            self.schema, self.prefix
        );
        let row = pool.fetch_one(sqlx::raw_sql(&sql)).await.map_err(failed)?;
        let there = row.try_get(0).map_err(|_| Failure::corrupt("layout"))?;
        Ok(if there { Some(version) } else { None })
    }

    /// No layout of ours: nor must there be tables of somebody else by our names.
    async fn foreign(&self, pool: &PgPool) -> Result<Option<i32>, Failure> {
        // In this order: a migration that was committed since brought both.
        let sql = format!(
            "SELECT CASE WHEN to_regclass('{}') IS NULL THEN false \
             ELSE to_regclass('{}') IS NULL END",
            self.table("session"),
            self.table("session_layout")
        );
        let row = pool.fetch_one(sqlx::raw_sql(&sql)).await;
        let taken = row.and_then(|row| row.try_get(0));
        match taken.map_err(|error| Meaning::from(error).failure())? {
            false => Ok(None),
            true => Err(Failure::config(format!(
                "the table {} belongs to another program; choose another `schema` or `table_prefix`",
                self.table("session")
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::millis;
    use crate::record::{
        COMMIT_LEEWAY, MAX_LIFETIME, PatchLog, ROTATION_GRACE, RetiredSecrets, TICKET_LIFETIME,
        TOMBSTONE,
    };

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
        let script = Layout::new("web", "my_").unwrap().script();
        assert!(script.contains("CREATE TABLE IF NOT EXISTS \"web\".\"my_session_field\" ("));
        assert!(script.contains("FUNCTION \"web\".\"my_session_apply_1\"("));
        for kind in ["{t:", "{f:", "{i:", "{n:"] {
            assert!(!script.contains(kind), "{kind}");
        }
    }

    /// The script has them as numbers, for whoever reads it.
    #[test]
    fn the_numbers_of_the_script_are_those_of_the_record() {
        let numbers = [MAX_LIFETIME, COMMIT_LEEWAY, ROTATION_GRACE, TOMBSTONE, TICKET_LIFETIME];
        assert_eq!(numbers.map(millis), [34_560_000_000, 60_000, 60_000, 60_000, 900_000]);
        assert_eq!((PatchLog::LEN, RetiredSecrets::LEN), (4, 6));
    }
}

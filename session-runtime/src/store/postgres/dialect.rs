//! Statements and answers in the dialect of PostgreSQL.

use std::fmt::Write as _;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgPool, PgRow};
use sqlx::{
    Arguments as _, Column as _, Either, Executor as _, Postgres, Row as _, TypeInfo as _,
    ValueRef as _,
};

use super::failure::{code, fault, too_large};
use super::layout::Layout;
use super::literal::literal;
use crate::store::engine::Failure;
use crate::store::sql::{Answer, Arg, Cell, Dialect, Fault, Row, Scope, Sql, Words};

pub(super) struct PostgreSql {
    pool: PgPool,
    layout: Layout,
    sql: Sql,
    pooler: Option<Pooler>,
}

/// What messages begin with behind a pooler, where each transaction may use another connection of
/// the server.
struct Pooler {
    alone: String,
    begun: &'static str,
}

/// Who set up the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pool {
    /// This store.
    Own,
    /// The application: they may be in any state.
    Lent,
}

/// Rolls back a transaction that was left open, without a warning in the log if there was none.
const RESET: &str = "BEGIN; ROLLBACK";
/// The error code "in failed transaction".
const IN_FAILED_TRANSACTION: &str = "25P02";

/// `EXTRACT` would compute it as `numeric`: 0.8 µs of the server's time instead of 0.2.
const CLOCK: &str = "pg_catalog.floor(\
    pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) * 1000)::bigint";

impl PostgreSql {
    /// `wait` is how long the server may wait for a lock.
    pub(super) fn new(
        pool: PgPool,
        whose: Pool,
        layout: Layout,
        wait: Duration,
        is_pooled: bool,
    ) -> Self {
        let wait = format!("SET LOCAL lock_timeout = {}", lock_timeout(wait));
        let hex = "SET LOCAL bytea_output = 'hex'; ";
        let level = "ISOLATION LEVEL READ COMMITTED";
        let pooler = is_pooled.then(|| Pooler {
            alone: format!("SET TRANSACTION {level}, READ WRITE; {wait}; {hex}"),
            begun: hex,
        });
        let (session, revocation) = (layout.table("session"), layout.table("session_revocation"));
        let words = Words {
            session: &session,
            revocation: &revocation,
            reset: (whose == Pool::Lent).then(|| RESET.to_owned()),
            begin: format!("BEGIN {level} READ WRITE; {wait}"),
            clock: CLOCK,
            now: format!("COALESCE(?, {CLOCK})"),
            substring: "pg_catalog.substr",
            length: "CAST(? AS integer)",
            or_nothing: " ON CONFLICT DO NOTHING",
            // In the same query as the lock, the time would be read before the wait for it.
            lock: format!(
                "SELECT form, base, {CLOCK} FROM \
                 (SELECT form, base FROM {session} WHERE id = ? FOR UPDATE) locked"
            ),
            // An advisory lock rather than a row, because each sign-in would leave a dead row
            // behind.
            hold: format!(
                "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(\
                 '{session} ' || pg_catalog.encode(?, 'hex'), 0))"
            ),
            mark: format!(
                "INSERT INTO {revocation} AS stored (principal, at) VALUES (?, ?) \
                 ON CONFLICT (principal) DO UPDATE SET at = GREATEST(stored.at, excluded.at)"
            ),
        };
        let sql = Sql::new(words, |sql| if is_pooled { sql } else { numbered(&sql) });
        Self { pool, layout, sql, pooler }
    }
}

/// Returns the setting for `lock_timeout`. Zero would mean no limit.
pub(super) fn lock_timeout(wait: Duration) -> i32 {
    i32::try_from(wait.as_millis()).unwrap_or(i32::MAX).max(1)
}

/// Replaces each `?` by `$1`, `$2` and so on.
fn numbered(template: &str) -> String {
    let mut parts = template.split('?');
    let mut sql = parts.next().unwrap_or_default().to_owned();
    for (index, part) in parts.enumerate() {
        let _ = write!(sql, "${}{part}", index + 1);
    }
    sql
}

fn bind(args: &[Arg<'_>]) -> Result<PgArguments, Fault> {
    let mut bound = PgArguments::default();
    for arg in args {
        match *arg {
            Arg::Int(it) => bound.add(it),
            Arg::MaybeInt(it) => bound.add(it),
            Arg::Text(it) => bound.add(it),
            Arg::Bytes(it) => bound.add(it),
            Arg::MaybeBytes(it) => bound.add(it),
        }
        .map_err(|_| too_large())?;
    }
    Ok(bound)
}

fn row(row: &PgRow) -> Result<Row, sqlx::Error> {
    let cell = |column: &sqlx::postgres::PgColumn| {
        let at = column.ordinal();
        if row.try_get_raw(at)?.is_null() {
            return Ok(Cell::Null);
        }
        Ok(match column.type_info().name() {
            "INT8" => Cell::Int(row.try_get(at)?),
            "BYTEA" => Cell::Bytes(row.try_get(at)?),
            "TEXT" => Cell::Text(row.try_get(at)?),
            // The result of a function that returns void.
            _ => Cell::Null,
        })
    };
    row.columns().iter().map(cell).collect::<Result<_, _>>().map(Row)
}

impl Dialect for PostgreSql {
    type Connection = PoolConnection<Postgres>;

    const NAME: &'static str = "postgres";

    fn sql(&self) -> &Sql {
        &self.sql
    }

    async fn acquire(&self) -> Result<Self::Connection, Fault> {
        self.pool.acquire().await.map_err(fault)
    }

    async fn run(
        &self,
        connection: &mut Self::Connection,
        scope: Scope,
        sql: &str,
        args: &[Arg<'_>],
    ) -> Result<Answer, Fault> {
        let message;
        let mut results = match &self.pooler {
            None => connection.fetch_many(sqlx::query_with(sql, bind(args)?)),
            Some(pooler) => {
                let first = match scope {
                    Scope::Alone => &pooler.alone,
                    Scope::Transaction => pooler.begun,
                };
                message = format!("{first}{}", literal(sql, args));
                connection.fetch_many(sqlx::raw_sql(&message))
            }
        };
        let mut answer = Answer::default();
        while let Some(result) = results.try_next().await.map_err(fault)? {
            match result {
                Either::Left(done) => answer.affected = done.rows_affected(),
                Either::Right(found) => answer.rows.push(row(&found).map_err(fault)?),
            }
        }
        Ok(answer)
    }

    async fn say(&self, connection: &mut Self::Connection, sql: &str) -> Result<(), Fault> {
        let mut said = connection.execute(sqlx::raw_sql(sql)).await;
        if let Err(error) = &said
            && code(error).as_deref() == Some(IN_FAILED_TRANSACTION)
        {
            connection.execute(sqlx::raw_sql("ROLLBACK")).await.map_err(fault)?;
            said = connection.execute(sqlx::raw_sql(sql)).await;
        }
        said.map(drop).map_err(fault)
    }

    fn close(connection: Self::Connection) {
        drop(connection.detach());
    }

    async fn prepare(
        &self,
        connection: &mut Self::Connection,
        may_make: bool,
    ) -> Result<(), Failure> {
        self.layout.prepare(connection, may_make).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_in_their_order() {
        assert_eq!(numbered("a = ? AND b = ? "), "a = $1 AND b = $2 ");
        assert_eq!(numbered("SELECT 1"), "SELECT 1");
    }
}

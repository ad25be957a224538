//! Statements and answers in the dialect of MySQL and MariaDB.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::TryStreamExt as _;
use sqlx::mysql::{MySqlArguments, MySqlColumn, MySqlPool, MySqlRow};
use sqlx::pool::PoolConnection;
use sqlx::{
    Arguments as _, Column as _, Either, Executor as _, Row as _, TypeInfo as _, ValueRef as _,
};

use super::failure::{DUPLICATE, fault, number, too_large};
use super::layout::Tables;
use crate::store::engine::Failure;
use crate::store::limits::Limits;
use crate::store::sql::{Answer, Arg, Cell, Dialect, Fault, Row, Scope, Sql, Words};

pub(super) struct MySql {
    pool: MySqlPool,
    tables: Tables,
    limits: Limits,
    sql: Sql,
    /// The largest packet that the server accepts.
    packet: AtomicUsize,
}

/// The server's time in milliseconds since 1970, independent of the connection's time zone. It does
/// not advance within a statement; after a statement that may wait for a lock, another one has to
/// ask for it.
const CLOCK: &str = "CAST(TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', \
                     UTC_TIMESTAMP(3)) DIV 1000 AS SIGNED)";

/// Returns the settings that statements need, whatever the server or the pool has set.
pub(super) fn set_up(wait: Duration) -> String {
    // In whole seconds; the deadline ends a call that has less time.
    let wait = wait.as_secs().clamp(1, 1_000_000);
    format!(
        "SET autocommit = 1, innodb_lock_wait_timeout = {wait}, sql_select_limit = DEFAULT, \
         sql_safe_updates = 0"
    )
}

impl MySql {
    /// `set_up` resets a connection that comes from the application's own pool.
    pub(super) fn new(
        pool: MySqlPool,
        tables: Tables,
        limits: Limits,
        set_up: Option<String>,
    ) -> Self {
        let Tables { session, revocation, .. } = &tables;
        let words = Words {
            session,
            revocation,
            reset: set_up.map(|set_up| format!("ROLLBACK; {set_up}")),
            begin: "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION READ WRITE"
                .to_owned(),
            clock: CLOCK,
            now: format!("CAST(COALESCE(?, {CLOCK}) AS SIGNED)"),
            substring: "SUBSTRING",
            length: "?",
            or_nothing: "",
            lock: format!("SELECT form, base, NULL FROM {session} WHERE id = ? FOR UPDATE"),
            // A second sign-in waits for the row of the first. The row is swept like a revocation.
            hold: format!(
                "INSERT INTO {revocation} (principal, at) VALUES (?, 0) \
                 ON DUPLICATE KEY UPDATE at = at"
            ),
            mark: format!(
                "INSERT INTO {revocation} (principal, at) VALUES (?, ?) \
                 ON DUPLICATE KEY UPDATE at = GREATEST(at, VALUES(at))"
            ),
        };
        let sql = Sql::new(words, |sql| sql);
        Self { pool, tables, limits, sql, packet: AtomicUsize::new(usize::MAX) }
    }
}

/// Binds the arguments. Texts are sent as bytes, so that neither the character set nor the
/// collation of the connection matters.
fn bind(args: &[Arg<'_>]) -> Result<MySqlArguments, Fault> {
    let mut bound = MySqlArguments::default();
    for arg in args {
        match *arg {
            Arg::Int(it) => bound.add(it),
            Arg::MaybeInt(it) => bound.add(it),
            Arg::Text(it) => bound.add(it.as_bytes()),
            Arg::Bytes(it) => bound.add(it),
            Arg::MaybeBytes(it) => bound.add(it),
        }
        .map_err(|_| too_large())?;
    }
    Ok(bound)
}

fn size(args: &[Arg<'_>]) -> usize {
    let size = |arg: &Arg<'_>| match arg {
        Arg::Int(_) | Arg::MaybeInt(_) => 9,
        Arg::Text(it) => it.len(),
        Arg::Bytes(it) => it.len(),
        Arg::MaybeBytes(it) => it.map_or(0, <[u8]>::len),
    };
    args.iter().map(size).sum()
}

fn row(row: &MySqlRow) -> Result<Row, sqlx::Error> {
    let cell = |column: &MySqlColumn| {
        let at = column.ordinal();
        if row.try_get_raw(at)?.is_null() {
            return Ok(Cell::Null);
        }
        Ok(match column.type_info().name() {
            "BIGINT" | "INT" => Cell::Int(row.try_get_unchecked(at)?),
            _ => Cell::Bytes(row.try_get_unchecked(at)?),
        })
    };
    row.columns().iter().map(cell).collect::<Result<_, _>>().map(Row)
}

impl Dialect for MySql {
    type Connection = PoolConnection<sqlx::MySql>;

    const NAME: &'static str = "mysql";

    fn sql(&self) -> &Sql {
        &self.sql
    }

    async fn acquire(&self) -> Result<Self::Connection, Fault> {
        self.pool.acquire().await.map_err(fault)
    }

    async fn run(
        &self,
        connection: &mut Self::Connection,
        _: Scope,
        sql: &str,
        args: &[Arg<'_>],
    ) -> Result<Answer, Fault> {
        /// Bytes of a packet other than the arguments.
        const AROUND: usize = 4 << 10;
        // The server would close the connection, which would look like a lost connection.
        if size(args) + AROUND > self.packet.load(Ordering::Relaxed) {
            return Err(Fault::Final(too_large()));
        }
        let mut results = connection.fetch_many(sqlx::query_with(sql, bind(args)?));
        let mut answer = Answer::default();
        loop {
            match results.try_next().await {
                Ok(Some(Either::Left(done))) => answer.affected = done.rows_affected(),
                Ok(Some(Either::Right(found))) => answer.rows.push(row(&found).map_err(fault)?),
                Ok(None) => return Ok(answer),
                // The insert is ignored if the row exists.
                Err(error) if number(&error) == Some(DUPLICATE) => return Ok(Answer::default()),
                Err(error) => return Err(fault(error)),
            }
        }
    }

    async fn say(&self, connection: &mut Self::Connection, sql: &str) -> Result<(), Fault> {
        connection.execute(sqlx::raw_sql(sql)).await.map(drop).map_err(fault)
    }

    fn close(connection: Self::Connection) {
        drop(connection.detach());
    }

    async fn prepare(
        &self,
        connection: &mut Self::Connection,
        may_make: bool,
    ) -> Result<(), Failure> {
        let packet = self.tables.prepare(connection, self.limits, may_make).await?;
        self.packet.store(packet, Ordering::Relaxed);
        Ok(())
    }
}

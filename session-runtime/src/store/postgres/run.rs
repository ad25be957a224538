//! One call, one statement, within the deadline.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{Executor as _, Postgres};
use tokio::time::{Instant, timeout_at};

use super::arg::Arg;
use super::call::{bind, literal, prepared};
use super::failure::{Failure, Meaning, Unacknowledged};
use super::layout::Layout;

/// Between two attempts, at most.
const PAUSE: Duration = Duration::from_millis(40);

/// The way to the server.
pub(super) struct Server {
    pub(super) pool: PgPool,
    pub(super) layout: Layout,
    pub(super) deadline: Duration,
    /// Every call is one message: it may meet another connection each time.
    pub(super) pooler: bool,
    /// The server's default isolation is not READ COMMITTED.
    isolate: AtomicBool,
}

/// What one attempt is told.
#[derive(Clone, Copy)]
pub(super) struct Attempt {
    /// An earlier attempt may have been stored.
    pub(super) again: bool,
    /// How long the server may wait for locks, in milliseconds: as long as
    /// somebody here waits for it.
    pub(super) wait: i32,
}

impl Server {
    pub(super) fn new(pool: PgPool, layout: Layout, deadline: Duration, pooler: bool) -> Self {
        Self { pool, layout, deadline, pooler, isolate: AtomicBool::new(false) }
    }

    /// Calls `function`. After a lost connection it asks again: the functions
    /// are such that a second time does no harm.
    pub(super) async fn call<'a>(
        &self,
        function: &str,
        args: impl Fn(Attempt) -> Vec<Arg<'a>>,
    ) -> Result<Vec<PgRow>, Unacknowledged> {
        let end = Instant::now() + self.deadline;
        let mut lost: Option<Failure> = None;
        loop {
            let left = end.saturating_duration_since(Instant::now()).as_millis();
            let wait = i32::try_from(left).unwrap_or(i32::MAX).max(1);
            let args = args(Attempt { again: lost.is_some(), wait });
            let isolate = self.isolate.load(Ordering::Relaxed);
            let meaning = match self.attempt(function, &args, end, isolate).await {
                Ok(rows) => return Ok(rows),
                Err(meaning) => meaning,
            };
            let failure = match meaning {
                Meaning::Isolation if isolate => {
                    return Err(unacknowledged(lost, Meaning::Isolation.failure()));
                }
                Meaning::Isolation => {
                    // Of several calls that find out at once, one says so.
                    if !self.isolate.swap(true, Ordering::Relaxed) {
                        tracing::warn!(
                            "the default isolation of the session database is not READ COMMITTED: \
                             every call takes three round trips"
                        );
                    }
                    continue;
                }
                Meaning::Final(failure) => return Err(unacknowledged(lost, failure)),
                Meaning::Again(failure) => failure,
                Meaning::Broken(failure) => {
                    lost = Some(failure.clone());
                    failure
                }
            };
            let pause = crate::token::random_below(PAUSE);
            if Instant::now() + pause >= end {
                return Err(unacknowledged(lost, failure));
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(
        &self,
        function: &str,
        args: &[Arg<'_>],
        end: Instant,
        isolate: bool,
    ) -> Result<Vec<PgRow>, Meaning> {
        let connection = match timeout_at(end, self.pool.acquire()).await {
            Ok(Ok(connection)) => connection,
            // Nothing was sent.
            Ok(Err(error)) => return Err(Meaning::Final(Meaning::from(error).failure())),
            Err(_) => return Err(Meaning::from(sqlx::Error::PoolTimedOut)),
        };
        let mut connection = Lent(Some(connection));
        let Some(open) = &mut connection.0 else { return Err(Meaning::Final(Failure::deadline())) };
        let work = self.execute(open, isolate, function, args);
        match timeout_at(end, work).await {
            Ok(Ok(rows)) => {
                connection.give_back();
                Ok(rows)
            }
            Ok(Err(meaning)) => {
                // Not in the middle of a transaction.
                if !matches!(meaning, Meaning::Broken(_)) && !isolate {
                    connection.give_back();
                }
                Err(meaning)
            }
            Err(_) => Err(Meaning::Broken(Failure::deadline())),
        }
    }

    async fn execute(
        &self,
        connection: &mut PoolConnection<Postgres>,
        isolate: bool,
        function: &str,
        args: &[Arg<'_>],
    ) -> Result<Vec<PgRow>, Meaning> {
        if isolate {
            let begin = "BEGIN ISOLATION LEVEL READ COMMITTED";
            connection.execute(sqlx::raw_sql(begin)).await?;
        }
        let function = self.layout.function(function);
        let rows = if self.pooler {
            let sql = literal(&function, args);
            connection.fetch_all(sqlx::raw_sql(&sql)).await?
        } else {
            let sql = prepared(&function, args.len());
            let args = bind(args).map_err(Meaning::Final)?;
            connection.fetch_all(sqlx::query_with(&sql, args)).await?
        };
        if isolate {
            connection.execute(sqlx::raw_sql("COMMIT")).await?;
        }
        Ok(rows)
    }
}

/// A connection that is closed unless it is given back: one on which a call
/// was given up half-way still has that call's answer in it.
struct Lent(Option<PoolConnection<Postgres>>);

impl Lent {
    fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(connection.detach());
        }
    }
}

fn unacknowledged(lost: Option<Failure>, now: Failure) -> Unacknowledged {
    match lost {
        Some(_) => Unacknowledged::Unknown(now),
        None => Unacknowledged::NotWritten(now),
    }
}

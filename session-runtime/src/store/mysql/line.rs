//! One connection while a call has it.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use sqlx::mysql::MySqlRow;
use sqlx::pool::PoolConnection;
use sqlx::{Either, MySql, MySqlPool, Row as _};

use super::failure::Failure;
use super::sql::Batch;
use crate::clock::Timestamp;

/// A connection of the pool, which gets it back only if the call ended as it
/// should. Dropped before that, in the middle of a transaction or of an answer,
/// it is closed, and the server rolls back.
pub(super) struct Line {
    connection: Option<PoolConnection<MySql>>,
    /// A transaction may be open.
    open: bool,
    /// `max_allowed_packet`
    packet: usize,
    patience: Duration,
}

/// The rows of each statement of a batch.
pub(super) struct Answers(Vec<Vec<MySqlRow>>);

impl Answers {
    pub(super) fn rows(&self, statement: usize) -> &[MySqlRow] {
        self.0.get(statement).map_or(&[], Vec::as_slice)
    }

    /// The time that [`Batch::clock`] asked for.
    pub(super) fn time(&self, statement: usize) -> Result<Timestamp, Failure> {
        let row = self.rows(statement).first().ok_or_else(|| Failure::corrupt("time"))?;
        let millis: i64 = row.try_get_unchecked(0)?;
        Ok(Timestamp::from_millis(u64::try_from(millis).unwrap_or(0)))
    }
}

impl Line {
    pub(super) async fn open(
        pool: &MySqlPool,
        packet: usize,
        patience: Duration,
    ) -> Result<Self, Failure> {
        let connection = Some(pool.acquire().await?);
        Ok(Self { connection, open: false, packet, patience })
    }

    /// The beginning of a transaction, to be sent together with what it does
    /// first. READ COMMITTED: a statement after a lock sees what was committed
    /// before that lock was got, and nobody locks gaps.
    pub(super) fn begin(&self) -> Batch {
        let mut batch = Batch::default();
        let patience = self.patience.as_secs().max(1);
        batch.push(format_args!("SET autocommit = 1, innodb_lock_wait_timeout = {patience}"));
        batch.push(format_args!("SET TRANSACTION ISOLATION LEVEL READ COMMITTED"));
        batch.push(format_args!("START TRANSACTION"));
        batch
    }

    /// Sends statements that begin a transaction, or stay within it.
    pub(super) async fn run(&mut self, batch: Batch) -> Result<Answers, Failure> {
        self.open = true;
        self.send(&batch).await.map_err(|(failure, _)| failure)
    }

    /// Sends statements of which each is its own transaction.
    pub(super) async fn alone(&mut self, batch: Batch) -> Result<Answers, Failure> {
        let answers = self.send(&batch).await;
        answers.map_err(|(failure, _)| failure)
    }

    /// Sends the last statements of a transaction, and commits it.
    pub(super) async fn commit(&mut self, mut batch: Batch) -> Result<(), Failure> {
        let commit = batch.push(format_args!("COMMIT"));
        match self.send(&batch).await {
            Ok(_) => {
                self.open = false;
                Ok(())
            }
            Err((failure, done)) => Err(failure.of_commit(done >= commit)),
        }
    }

    /// The answers, or the failure and how many statements went well before it.
    async fn send(&mut self, batch: &Batch) -> Result<Answers, (Failure, usize)> {
        let sql = batch.sql.as_str();
        if sql.len() >= self.packet {
            return Err((Failure::too_large(sql.len()), 0));
        }
        let Some(connection) = &mut self.connection else {
            return Err((Failure::late(), 0));
        };
        let mut done = Vec::with_capacity(batch.len());
        let mut rows = Vec::new();
        let mut answers = sqlx::raw_sql(sql).fetch_many(&mut **connection);
        loop {
            match answers.try_next().await {
                Ok(Some(Either::Right(row))) => rows.push(row),
                Ok(Some(Either::Left(_))) => done.push(std::mem::take(&mut rows)),
                Ok(None) => return Ok(Answers(done)),
                Err(error) => return Err((error.into(), done.len())),
            }
        }
    }

    /// Gives the connection back after `ended`: rolls back what was begun and
    /// not committed, or closes it where that is not known.
    pub(super) async fn close(mut self, in_order: bool) {
        if !in_order {
            return;
        }
        if self.open {
            let mut batch = Batch::default();
            batch.push(format_args!("ROLLBACK"));
            if self.send(&batch).await.is_err() {
                return;
            }
        }
        drop(self.connection.take());
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(connection.detach());
        }
    }
}

//! The one thread that writes.
//!
//! It takes all steps that wait in its queue, runs them in one transaction, commits, and only then
//! answers. So all callers that arrived during the previous commit share the cost of the next one,
//! which is a wait for the disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::db::Db;
use super::failure::{Failure, Unacknowledged};
use super::options::SqliteOptions;
use super::readers::Readers;
use super::step::{BoxedStep, savepoint};
use super::watch::Watch;
use super::{connect, sweep};
use crate::clock::{Clock, Timestamp};
use crate::store::error::StoreErrorKind;

/// How many steps one transaction contains at most: bounds the latency of the first of them, and
/// the growth of the WAL.
const BATCH: usize = 512;

/// How long to wait for more steps while there are fewer than in the last batch: the callers of
/// that batch are probably just being woken by its answers. Without this, half the commits would
/// carry a single step.
const LINGER: Duration = Duration::from_micros(100);

/// How often to check that the file is still there when nothing is written or swept.
const LOOK: Duration = Duration::from_secs(5);

pub(super) struct Thread {
    db: Db,
    watch: Watch,
    steps: Receiver<BoxedStep>,
    readers: Vec<JoinHandle<()>>,
    clock: Clock,
    /// `None`: never.
    sweep_interval: Option<Duration>,
    swept: Timestamp,
    /// How long nothing has happened.
    idle: Duration,
    backlog: bool,
    last_batch: usize,
}

impl Thread {
    pub(super) fn open(
        path: &Path,
        options: SqliteOptions,
        steps: Receiver<BoxedStep>,
    ) -> Result<(Self, Readers), Failure> {
        let (db, watch) = connect::open_writer(path, &options)?;
        let (handle, readers) = Readers::open(path, &options, watch.lost())?;
        let SqliteOptions { clock, sweep_interval, .. } = options;
        let swept = clock.now();
        let thread = Self {
            db,
            watch,
            steps,
            readers,
            clock,
            sweep_interval,
            swept,
            idle: Duration::ZERO,
            backlog: false,
            last_batch: 0,
        };
        Ok((thread, handle))
    }

    /// Works until its queue is closed; returns the result of closing the file.
    pub(super) fn run(mut self) -> Result<(), Failure> {
        let mut batch = Vec::new();
        loop {
            let pause = match self.sweep_interval {
                Some(_) if self.backlog => Duration::ZERO,
                Some(interval) => interval.min(LOOK),
                None => LOOK,
            };
            match self.steps.recv_timeout(pause) {
                Ok(first) => {
                    self.collect(first, &mut batch);
                    self.idle = Duration::ZERO;
                }
                Err(RecvTimeoutError::Timeout) => self.idle += pause,
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let there = self.watch.check();
            if there.is_err() {
                // Nothing can be swept: try again after a pause, not at once.
                self.backlog = false;
            }
            let sweep = there.is_ok() && self.sweep_is_due();
            if sweep || !batch.is_empty() {
                self.commit(&mut batch, sweep, there);
            }
        }
        self.close()
    }

    fn collect(&mut self, first: BoxedStep, batch: &mut Vec<BoxedStep>) {
        batch.push(first);
        loop {
            batch.extend(self.steps.try_iter().take(BATCH - batch.len()));
            if batch.len() >= self.last_batch.min(BATCH) {
                break;
            }
            match self.steps.recv_timeout(LINGER) {
                Ok(next) => batch.push(next),
                Err(_) => break,
            }
        }
        self.last_batch = batch.len();
    }

    /// Runs a batch and answers it. `there` is whether the file is still there.
    fn commit(&mut self, batch: &mut Vec<BoxedStep>, sweep: bool, there: Result<(), Failure>) {
        let there = there.map_err(Unacknowledged::NotWritten);
        let committed = there.and_then(|()| self.transact(batch, sweep));
        if let (true, Err(Unacknowledged::NotWritten(failure) | Unacknowledged::Unknown(failure))) =
            (sweep, &committed)
        {
            // Try again after the next interval, not at once.
            self.backlog = false;
            tracing::warn!(%failure, "sweeping expired sessions failed");
        }
        for step in batch.drain(..) {
            step.answer(committed.as_ref().err());
        }
    }

    fn transact(&mut self, batch: &mut [BoxedStep], sweep: bool) -> Result<(), Unacknowledged> {
        let not_written = |failure: Failure| Unacknowledged::NotWritten(failure);
        if !self.db.is_autocommit() {
            // An earlier ROLLBACK has failed.
            self.db.run("ROLLBACK").map_err(not_written)?;
        }
        // The lock is taken at once: what is read afterwards is up to date, and `now` is later than
        // the wait for it.
        self.db.run("BEGIN IMMEDIATE").map_err(|e| not_written(e.during("waiting to write")))?;
        for step in batch {
            // A bug triggered by one record must not end all sessions: the transaction is rolled
            // back, but the thread goes on.
            if catch_unwind(AssertUnwindSafe(|| step.run(&self.db, self.clock.now()))).is_err() {
                let _ = self.db.run("ROLLBACK");
                let text = "a write in the same transaction panicked; nothing was written";
                return Err(not_written(Failure::new(StoreErrorKind::Unavailable, text)));
            }
            // Some errors, such as a full disk, roll back the whole transaction.
            if self.db.is_autocommit() {
                let text = "the transaction was rolled back: the disk is full or failing";
                return Err(not_written(Failure::new(StoreErrorKind::Unavailable, text)));
            }
        }
        if sweep {
            self.sweep();
        }
        self.db.run("COMMIT").map_err(|failure| {
            if !self.db.is_autocommit() {
                let _ = self.db.run("ROLLBACK");
            }
            let failure = failure.during("committing");
            if failure.is_io() { Unacknowledged::Unknown(failure) } else { not_written(failure) }
        })
    }

    /// Whether it is time to sweep (by the clock, or because nothing has happened for the length of
    /// the interval) and there is something to remove.
    fn sweep_is_due(&mut self) -> bool {
        let Some(interval) = self.sweep_interval else { return false };
        let now = self.clock.now();
        let idle = self.idle >= interval;
        let time = idle || self.backlog || now < self.swept || now.since(self.swept) >= interval;
        if !time {
            return false;
        }
        (self.swept, self.idle) = (now, Duration::ZERO);
        let due = sweep::is_due(&self.db, now).unwrap_or_else(|failure| {
            tracing::warn!(%failure, "looking for expired sessions failed");
            false
        });
        self.backlog = due;
        due
    }

    fn sweep(&mut self) {
        let now = self.clock.now();
        match savepoint(&self.db, |db| sweep::sweep(db, sweep::STEP, now)) {
            Ok(swept) => {
                self.backlog = swept.more;
                tracing::debug!(removed = swept.removed, more = swept.more, "swept sessions");
            }
            Err(failure) => {
                self.backlog = false;
                tracing::warn!(%failure, "sweeping expired sessions failed");
            }
        }
    }

    /// Closes the writer's connection after all others, so that SQLite moves everything from the
    /// WAL into the file and removes the WAL.
    fn close(self) -> Result<(), Failure> {
        for reader in self.readers {
            let _ = reader.join();
        }
        // SQLite does the same when the last connection closes, but does not report a failure.
        // Another process that is reading keeps the WAL.
        let there = self.watch.check();
        let checkpoint = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        self.db.flush_prepared_statement_cache();
        let closed = self.db.into_connection().close().map_err(|(_, error)| error);
        let closed = checkpoint.and(closed).map_err(Failure::from);
        let result = there.and(closed);
        let result = result.map_err(|failure| failure.during("closing the session database"));
        if let Err(failure) = &result {
            tracing::warn!(%failure, "the session database was not closed cleanly");
        }
        result
    }
}

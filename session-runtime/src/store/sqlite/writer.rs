//! The handle of the writing thread.

use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::thread::Builder;

use tokio::sync::{oneshot, watch};

use super::db::Db;
use super::failure::{Failure, Unacknowledged};
use super::options::SqliteOptions;
use super::queue::{Queue, no_thread};
use super::readers::Readers;
use super::step::{BoxedStep, Queued, Writes};
use super::thread::Thread;
use super::write::Stepped;
use crate::clock::Timestamp;
use crate::store::error::StoreError;

/// Sends steps to the thread, which ends when the last handle is dropped.
pub(super) struct Writer {
    queue: Queue<BoxedStep>,
}

/// The threads of one open store.
pub(super) struct Threads {
    pub(super) readers: Readers,
    pub(super) writer: Writer,
    /// The result of closing the file, once it is known.
    closed: watch::Receiver<Option<Result<(), Failure>>>,
}

/// Opens the file on the thread that will write to it.
pub(super) async fn open(path: PathBuf, options: SqliteOptions) -> Result<Threads, StoreError> {
    let (opened, wait) = oneshot::channel();
    let (queue, steps) = channel();
    let (end, closed) = watch::channel(None);
    let start = move || match Thread::open(&path, options, steps) {
        Ok((thread, readers)) => {
            if opened.send(Ok(readers)).is_ok() {
                end.send_replace(Some(thread.run()));
            }
        }
        Err(failure) => drop(opened.send(Err(failure))),
    };
    Builder::new().name("sqlite-write".to_owned()).spawn(start).map_err(|e| no_thread(&e))?;
    let readers = wait.await.map_err(|_| Failure::stopped("writing"))??;
    Ok(Threads { readers, writer: Writer::new(queue), closed })
}

impl Threads {
    #[cfg(test)]
    pub(super) fn of(readers: Readers, writer: Writer) -> Self {
        Self { readers, writer, closed: watch::channel(None).1 }
    }

    /// Accepts no more work, waits until the accepted work is done, and returns the result of
    /// closing the file.
    pub(super) async fn close(&self) -> Result<(), Failure> {
        self.readers.close();
        self.writer.queue.close();
        let mut closed = self.closed.clone();
        let end = closed.wait_for(Option::is_some).await;
        end.map_err(|_| Failure::stopped("writing"))?.clone().unwrap_or(Ok(()))
    }
}

impl Writer {
    pub(super) fn new(queue: Sender<BoxedStep>) -> Self {
        Self { queue: Queue::new(queue) }
    }

    /// Runs `work` in a transaction, and answers when that is committed.
    ///
    /// A failing `work` leaves no trace, provided that it writes no more than `writes` says. Once
    /// sent, it is done even if the caller stops waiting.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        writes: Writes,
        work: impl FnOnce(&Db, Timestamp) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Unacknowledged> {
        let (step, wait) = Queued::new(writes, work);
        self.send(Box::new(step))?;
        // The thread died after it took the step, before or after the commit.
        wait.await.map_err(|_| Unacknowledged::Unknown(Failure::stopped("writing")))?
    }

    /// Same in several transactions: `work` makes each step, until one is [`Stepped::Done`]. Other
    /// steps in the queue may run in between.
    pub(super) async fn run_steps<T: Send + 'static, W>(
        &self,
        writes: Writes,
        work: impl Fn() -> W,
    ) -> Result<T, Unacknowledged>
    where
        W: FnOnce(&Db, Timestamp) -> Result<Stepped<T>, Failure> + Send + 'static,
    {
        loop {
            if let Stepped::Done(answer) = self.run(writes, work()).await? {
                return Ok(answer);
            }
        }
    }

    /// Sends a step that no caller waits for.
    pub(super) fn send(&self, step: BoxedStep) -> Result<(), Unacknowledged> {
        self.queue.send(step, "writing").map_err(Unacknowledged::NotWritten)
    }
}

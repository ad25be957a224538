//! The handle of the thread that writes.

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

/// Hands steps to the thread, which ends with the last handle.
pub(super) struct Writer {
    queue: Queue<BoxedStep>,
}

/// Everything that runs for one open store.
pub(super) struct Threads {
    pub(super) readers: Readers,
    pub(super) writer: Writer,
    /// How closing the file went, once it has.
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

    /// Takes no more work, waits until that which was taken is done, and says
    /// how closing the file went.
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

    /// Does `work` in a transaction, and answers when that is committed. A
    /// failing `work` leaves no trace, if it `writes` no more than it says. Once handed over
    /// it is done, even if the caller has stopped waiting for the answer.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        writes: Writes,
        work: impl FnOnce(&Db, Timestamp) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Unacknowledged> {
        let (step, wait) = Queued::new(writes, work);
        self.send(Box::new(step))?;
        // The thread died after it took the step: before the commit, or after.
        wait.await.map_err(|_| Unacknowledged::Unknown(Failure::stopped("writing")))?
    }

    /// The same in several transactions: `work` makes each of them, until one is
    /// [`Stepped::Done`]. What waits in the queue comes in between.
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

    /// Hands over a step that has no caller.
    pub(super) fn send(&self, step: BoxedStep) -> Result<(), Unacknowledged> {
        self.queue.send(step, "writing").map_err(Unacknowledged::NotWritten)
    }
}

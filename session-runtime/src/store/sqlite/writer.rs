//! The handle of the thread that writes.

use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::thread::Builder;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::failure::{Failure, Unacknowledged};
use super::options::SqliteOptions;
use super::readers::{Readers, no_thread};
use super::step::{BoxedStep, Queued};
use super::thread::Thread;
use crate::clock::Timestamp;
use crate::store::error::StoreError;

/// Hands steps to the thread, which ends with the last handle.
pub(super) struct Writer {
    pub(super) queue: Sender<BoxedStep>,
}

/// Everything that runs for one open store.
pub(super) struct Threads {
    pub(super) readers: Readers,
    pub(super) writer: Writer,
}

/// Opens the file on the thread that will write to it.
pub(super) async fn open(path: PathBuf, options: SqliteOptions) -> Result<Threads, StoreError> {
    let (opened, wait) = oneshot::channel();
    let (queue, steps) = channel();
    let start = move || match Thread::open(&path, options, steps) {
        Ok((thread, readers)) => {
            if opened.send(Ok(readers)).is_ok() {
                thread.run();
            }
        }
        Err(failure) => drop(opened.send(Err(failure))),
    };
    Builder::new().name("sqlite-write".to_owned()).spawn(start).map_err(|e| no_thread(&e))?;
    let readers = wait.await.map_err(|_| Failure::stopped("writing"))??;
    Ok(Threads { readers, writer: Writer { queue } })
}

impl Writer {
    /// Does `work` in a transaction, and answers when that is committed. A
    /// failing `work` leaves no trace. Once handed over it is done, even if
    /// nobody waits for the answer any more.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, Timestamp) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Unacknowledged> {
        let (step, wait) = Queued::new(work);
        self.send(Box::new(step))?;
        // The thread died after it took the step: before the commit, or after.
        wait.await.map_err(|_| Unacknowledged::Unknown(Failure::stopped("writing")))?
    }

    /// Hands over a step that answers to nobody.
    pub(super) fn send(&self, step: BoxedStep) -> Result<(), Unacknowledged> {
        let stopped = |_| Unacknowledged::NotWritten(Failure::stopped("writing"));
        self.queue.send(step).map_err(stopped)
    }
}

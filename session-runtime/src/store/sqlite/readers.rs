//! The reading threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use tokio::sync::oneshot;

use super::connect;
use super::db::Db;
use super::failure::Failure;
use super::options::SqliteOptions;
use super::queue::{Queue, no_thread};
use super::watch::Lost;
use crate::store::error::StoreError;

type Job = Box<dyn FnOnce(&Db) + Send>;

/// Sends reads to the threads, which end when the last handle is dropped.
pub(super) struct Readers {
    jobs: Queue<Job>,
    lost: Lost,
}

impl Readers {
    /// Opens all connections now, so that errors are reported now.
    pub(super) fn open(
        path: &Path,
        options: &SqliteOptions,
        lost: Lost,
    ) -> Result<(Self, Vec<JoinHandle<()>>), Failure> {
        let (jobs, queue) = channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        let start = |number| {
            let (db, queue) = (connect::open_reader(path, options)?, Arc::clone(&queue));
            let name = format!("sqlite-read-{number}");
            Builder::new().name(name).spawn(move || run(&db, &queue)).map_err(|e| no_thread(&e))
        };
        let threads = (1..=options.readers).map(start).collect::<Result<_, Failure>>()?;
        Ok((Self { jobs: Queue::new(jobs), lost }, threads))
    }

    /// Runs `read` on one of the threads.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Db) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.lost.check()?;
        let (answer, wait) = oneshot::channel();
        // A caller that has gone away is not an error.
        let job: Job = Box::new(move |db| drop(answer.send(read(db))));
        self.jobs.send(job, "reading")?;
        Ok(wait.await.map_err(|_| Failure::stopped("reading"))??)
    }

    #[cfg(test)]
    pub(super) const fn lost(&self) -> &Lost {
        &self.lost
    }

    /// Accepts nothing more; what was accepted is still done.
    pub(super) fn close(&self) {
        self.jobs.close();
    }
}

fn run(db: &Db, queue: &Mutex<Receiver<Job>>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            // A panic loses this answer, but not the thread.
            Ok(job) => drop(catch_unwind(AssertUnwindSafe(|| job(db)))),
            Err(_) => return,
        }
    }
}

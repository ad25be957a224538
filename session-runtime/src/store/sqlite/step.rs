//! A write in the writer's queue.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::db::Db;
use super::failure::{Failure, Unacknowledged};
use super::write;
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::patch::SignIn;

/// A write: the writer runs it in a transaction, and answers when that is over.
pub(super) trait Step: Send {
    /// Does the work. If it fails, it leaves no trace.
    fn run(&mut self, db: &Db, now: Timestamp);
    /// Answers the caller. `failed` is the reason why the transaction was not committed.
    fn answer(self: Box<Self>, failed: Option<&Unacknowledged>);
}

pub(super) type BoxedStep = Box<dyn Step>;

/// How many statements of a step write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writes {
    /// At most one, which takes effect whole or not at all, and nothing after it fails.
    Once,
    /// Several: a savepoint before them undoes their effects if one fails.
    More,
}

impl From<SignIn> for Writes {
    /// A sign-in with conditions may end other sessions.
    fn from(sign_in: SignIn) -> Self {
        if sign_in.is_unconditional() { Self::Once } else { Self::More }
    }
}

/// A step whose caller waits for its answer.
pub(super) struct Queued<T, F> {
    writes: Writes,
    work: Option<F>,
    result: Option<Result<T, Failure>>,
    caller: oneshot::Sender<Result<T, Unacknowledged>>,
}

impl<T, F> Queued<T, F>
where
    T: Send,
    F: FnOnce(&Db, Timestamp) -> Result<T, Failure> + Send,
{
    pub(super) fn new(
        writes: Writes,
        work: F,
    ) -> (Self, oneshot::Receiver<Result<T, Unacknowledged>>) {
        let (caller, wait) = oneshot::channel();
        (Self { writes, work: Some(work), result: None, caller }, wait)
    }
}

impl<T, F> Step for Queued<T, F>
where
    T: Send,
    F: FnOnce(&Db, Timestamp) -> Result<T, Failure> + Send,
{
    fn run(&mut self, db: &Db, now: Timestamp) {
        if let Some(work) = self.work.take() {
            self.result = Some(match self.writes {
                Writes::Once => work(db, now),
                Writes::More => savepoint(db, |db| work(db, now)),
            });
        }
    }

    fn answer(self: Box<Self>, failed: Option<&Unacknowledged>) {
        let answer = match (self.result, failed) {
            // The step's own error is more specific than the transaction's.
            (Some(Err(failure)), _) => Err(Unacknowledged::NotWritten(failure)),
            (_, Some(why)) => Err(why.clone()),
            (Some(Ok(answer)), None) => Ok(answer),
            // Cannot happen: committed without having been run.
            (None, None) => Err(Unacknowledged::NotWritten(Failure::stopped("writing"))),
        };
        // A caller that has gone away is not an error.
        let _ = self.caller.send(answer);
    }
}

/// Runs `work` so that it leaves no trace if it fails.
pub(super) fn savepoint<T>(
    db: &Db,
    work: impl FnOnce(&Db) -> Result<T, Failure>,
) -> Result<T, Failure> {
    db.run("SAVEPOINT step")?;
    let result = work(db);
    if result.is_err() && !db.is_autocommit() {
        db.run("ROLLBACK TO step")?;
    }
    if !db.is_autocommit() {
        db.run("RELEASE step")?;
    }
    result
}

/// The ids whose touch has not been written yet.
#[derive(Clone, Default)]
pub(super) struct Touching(Arc<Mutex<HashSet<SessionId>>>);

impl Touching {
    /// Marks `id`; `None` if it is already marked.
    pub(super) fn begin(&self, id: SessionId, epoch: u64, at: Timestamp) -> Option<TouchStep> {
        let marked = self.with(|ids| ids.insert(id));
        marked.then(|| TouchStep { id, epoch, at, touching: self.clone() })
    }

    pub(super) fn contains(&self, id: SessionId) -> bool {
        self.with(|ids| ids.contains(&id))
    }

    pub(super) fn any(&self) -> bool {
        self.with(|ids| !ids.is_empty())
    }

    fn with<T>(&self, look: impl FnOnce(&mut HashSet<SessionId>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A touch, which no caller waits for. The mark is removed when it is dropped: after the commit, or
/// with the writer.
pub(super) struct TouchStep {
    id: SessionId,
    epoch: u64,
    at: Timestamp,
    touching: Touching,
}

impl Step for TouchStep {
    fn run(&mut self, db: &Db, _: Timestamp) {
        let (id, epoch, at) = (self.id, self.epoch, self.at);
        if let Err(failure) = write::touch(db, id, epoch, at) {
            tracing::warn!(%failure, %id, "the last activity of a session was not stored");
        }
    }

    fn answer(self: Box<Self>, failed: Option<&Unacknowledged>) {
        if failed.is_some() {
            tracing::warn!(id = %self.id, "the last activity of a session was not stored");
        }
    }
}

impl Drop for TouchStep {
    fn drop(&mut self) {
        self.touching.with(|ids| ids.remove(&self.id));
    }
}

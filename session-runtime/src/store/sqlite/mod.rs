//! Sessions in one SQLite file: no server, survives restarts and `kill -9`.
//!
//! - [`layout`], [`connect`]: the file, its tables, what is checked at opening
//! - [`row`], [`read`], [`write`], [`sweep`]: what is done on a connection
//! - [`step`], [`writer`], [`thread`]: one thread writes, many steps in one
//!   transaction
//! - [`readers`]: the threads that read
//! - [`options`], [`failure`]: settings and errors
//!
//! Everything that decides happens inside the write transaction, so several
//! processes may share a file.

mod connect;
mod failure;
mod layout;
mod options;
mod read;
mod readers;
mod row;
mod step;
mod sweep;
#[cfg(test)]
mod tests;
mod thread;
mod write;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use self::failure::Unacknowledged;
pub use self::options::{Durability, SqliteOptions};
use self::read::Loaded;
use self::step::Touching;
use self::writer::Threads;
use super::contract::{
    Capabilities, Created, Cursor, EndedBy, Lookup, Page, Revoke, Revoked, SessionStore,
    StoreFuture, Swept, Touch, Visit,
};
use super::error::StoreError;
use super::limits::Limits;
use crate::clock::Clock;
use crate::id::SessionId;
use crate::patch::{Outcome, Patch, SignIn};
use crate::record::{Principal, Record};
use crate::token::SecretHash;

/// Sessions in one SQLite file.
///
/// For one machine: no server to run, sessions survive restarts and `kill -9`,
/// and with the default [`Durability::Full`] an acknowledged write survives a
/// power failure. Several processes may open the same file, on a local disk.
/// The file is plain and can be looked at with the `sqlite3` command.
///
/// Clones share one store. Its threads finish what was handed to them and
/// close the file when the last clone is dropped, or when one of them is
/// [closed](Self::close), which says when that is done.
///
/// ```no_run
/// # async fn open() -> Result<(), session_runtime::store::StoreError> {
/// use session_runtime::store::{Durability, SqliteStore};
///
/// let store = SqliteStore::open("sessions.db").await?;
/// // or, with settings:
/// let store = SqliteStore::options().durability(Durability::Relaxed).open("other.db").await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct SqliteStore(Arc<Inner>);

struct Inner {
    clock: Clock,
    limits: Limits,
    threads: Threads,
    touching: Touching,
}

impl SqliteStore {
    /// Opens the file, or creates it, with the default [options](Self::options).
    ///
    /// # Errors
    ///
    /// As [`SqliteOptions::open`].
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::options().open(path).await
    }

    /// Settings to [open](SqliteOptions::open) a file with.
    pub fn options() -> SqliteOptions {
        SqliteOptions::new()
    }

    fn new(clock: Clock, limits: Limits, threads: Threads) -> Self {
        Self(Arc::new(Inner { clock, limits, threads, touching: Touching::default() }))
    }

    /// Closes the store and all its clones: refuses new work, finishes what was
    /// begun, moves everything from the WAL into the file, and closes it. If no
    /// other process has it open, one file is left, without `-wal` and `-shm`.
    ///
    /// Call it last, after the server has stopped. Every later call, of a layer
    /// too, is an error of kind [`Unavailable`] whose source says that the store
    /// was closed; closing again says the same as the first time.
    ///
    /// # Errors
    ///
    /// If the file could not be checkpointed or closed. What was acknowledged
    /// is then still in the file and its WAL.
    ///
    /// [`Unavailable`]: super::StoreErrorKind::Unavailable
    pub async fn close(&self) -> Result<(), StoreError> {
        Ok(self.0.threads.close().await?)
    }
}

/// How long a read waits for a touch of the same session.
const PATIENCE: Duration = Duration::from_millis(250);

impl Inner {
    /// Waits until a touch under way is in the file, so that whatever is read
    /// next sees it. Rarely there is one: a session is touched a few times an
    /// hour. When the file is locked by somebody else the read goes on without
    /// it: activity is not worth a failed request.
    async fn settle(&self, pending: bool) {
        if pending {
            let written = self.threads.writer.run(|_, _| Ok(()));
            if !matches!(tokio::time::timeout(PATIENCE, written).await, Ok(Ok(()))) {
                tracing::debug!("the last activity of a session is not stored yet");
            }
        }
    }

    /// Writes the activity of a record that was just loaded, without making
    /// the request wait for the disk. Until it is written, reads of the same
    /// record wait for it instead; see [`Inner::settle`].
    fn touch(&self, record: Arc<Record>) -> Arc<Record> {
        let now = self.clock.now();
        if !record.meta.touch_is_due(now) || record.meta.is_expired(now) {
            return record;
        }
        if let Some(step) = self.touching.begin(record.id, record.meta.epoch, now)
            && self.threads.writer.send(Box::new(step)).is_err()
        {
            tracing::warn!(id = %record.id, "the last activity of a session was not stored");
        }
        let mut record = Arc::unwrap_or_clone(record);
        record.meta.last_seen = now;
        Arc::new(record)
    }
}

impl SessionStore for SqliteStore {
    fn clock(&self) -> &Clock {
        &self.0.clock
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::FULL.with_limits(self.0.limits)
    }

    fn load<'a>(
        &'a self,
        id: SessionId,
        secrets: &'a [SecretHash],
        visit: Visit,
    ) -> StoreFuture<'a, Result<Lookup, StoreError>> {
        let (inner, secrets) = (&self.0, Arc::<[SecretHash]>::from(secrets));
        StoreFuture::new(async move {
            inner.settle(inner.touching.contains(id)).await;
            let clock = inner.clock.clone();
            let looked = secrets.clone();
            let read = move |db: &_| read::load(db, id, &looked, visit, clock.now());
            let answer = match inner.threads.readers.run(read).await? {
                Loaded::Answer(answer) => answer,
                Loaded::Pending(_) => {
                    let load = move |db: &_, now| write::load(db, id, &secrets, visit, now);
                    inner.threads.writer.run(load).await?
                }
            };
            Ok(match answer {
                Lookup::Found(record) if visit.touch == Touch::IfDue => {
                    Lookup::Found(inner.touch(record))
                }
                other => other,
            })
        })
    }

    fn reload(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> StoreFuture<'_, Result<Option<Arc<Record>>, StoreError>> {
        StoreFuture::new(async move {
            self.0.settle(self.0.touching.contains(id)).await;
            let clock = self.0.clock.clone();
            self.0.threads.readers.run(move |db| read::reload(db, id, epoch, clock.now())).await
        })
    }

    fn create(
        &self,
        record: Record,
        sign_in: SignIn,
    ) -> StoreFuture<'_, Result<Created, StoreError>> {
        let limits = self.0.limits;
        let work = move |db: &_, now| write::create(db, &record, sign_in, &limits, now);
        let run = self.0.threads.writer.run(work);
        StoreFuture::new(async { Ok(run.await?) })
    }

    fn apply<'a>(
        &'a self,
        id: SessionId,
        epoch: u64,
        patch: &'a Patch,
        _: Option<&'a Arc<Record>>,
    ) -> StoreFuture<'a, Result<Outcome, StoreError>> {
        let (patch, limits) = (patch.clone(), self.0.limits);
        let work = move |db: &_, now| write::apply(db, id, epoch, &patch, &limits, now);
        let run = self.0.threads.writer.run(work);
        StoreFuture::new(async {
            match run.await {
                Ok(outcome) => Ok(outcome),
                Err(Unacknowledged::NotWritten(failure)) => Err(failure.into()),
                Err(Unacknowledged::Unknown(failure)) => {
                    tracing::warn!(%failure, "a patch may or may not have been stored");
                    Ok(Outcome::Uncertain)
                }
            }
        })
    }

    fn delete(&self, id: SessionId, by: EndedBy) -> StoreFuture<'_, Result<bool, StoreError>> {
        let run = self.0.threads.writer.run(move |db, now| write::delete(db, id, by, now));
        StoreFuture::new(async { Ok(run.await?) })
    }

    fn list<'a>(
        &'a self,
        principal: &'a Principal,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        let (inner, principal) = (&self.0, principal.clone());
        let after = from.map(Cursor::id).transpose();
        StoreFuture::new(async move {
            let after = after?;
            inner.settle(inner.touching.any()).await;
            let clock = inner.clock.clone();
            let list = move |db: &_| read::list(db, &principal, after, limit, clock.now());
            inner.threads.readers.run(list).await
        })
    }

    fn revoke<'a>(
        &'a self,
        principal: &'a Principal,
        which: Revoke,
        from: Option<&'a Cursor>,
    ) -> StoreFuture<'a, Result<Revoked, StoreError>> {
        let principal = principal.clone();
        let after = from.map(Cursor::id).transpose();
        StoreFuture::new(async move {
            let after = after?;
            let work = move |db: &_, now| write::revoke(db, &principal, which, after, now);
            Ok(self.0.threads.writer.run(work).await?)
        })
    }

    fn count(&self) -> StoreFuture<'_, Result<u64, StoreError>> {
        StoreFuture::new(async move {
            self.0.settle(self.0.touching.any()).await;
            let clock = self.0.clock.clone();
            self.0.threads.readers.run(move |db| read::count(db, clock.now())).await
        })
    }

    fn sweep(&self, limit: usize) -> StoreFuture<'_, Result<Swept, StoreError>> {
        let run = self.0.threads.writer.run(move |db, now| sweep::sweep(db, limit, now));
        StoreFuture::new(async { Ok(run.await?) })
    }

    fn scan<'a>(
        &'a self,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        let after = from.map(Cursor::id).transpose();
        StoreFuture::new(async move {
            let after = after?;
            self.0.settle(self.0.touching.any()).await;
            let clock = self.0.clock.clone();
            self.0.threads.readers.run(move |db| read::scan(db, after, limit, clock.now())).await
        })
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("clock", &self.0.clock).finish_non_exhaustive()
    }
}

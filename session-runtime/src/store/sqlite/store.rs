//! The store itself: which thread does which operation.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::failure::Unacknowledged;
use super::options::SqliteOptions;
use super::read::{self, Loaded};
use super::step::{Touching, Writes};
use super::value::Place;
use super::write::{self, Change};
use super::writer::{self, Threads};
use super::{end, path, sweep};
use crate::clock::Clock;
use crate::id::SessionId;
use crate::record::patch::{Outcome, Patch, SignIn};
use crate::record::{Due, Principal, Record};
use crate::store::contract::{
    Capabilities, Created, Cursor, EndReason, Lookup, Page, Revoke, Revoked, Swept, Visit,
};
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::limits::Limits;
use crate::store::{SessionStore, StoreFuture};
use crate::token::SecretHash;

/// A store in one SQLite file.
///
/// [`Durability::Full`]: super::options::Durability::Full
///
/// For one machine, without a server to run: sessions survive restarts and `kill -9`, and with the
/// default [`Durability::Full`] an acknowledged write survives a power failure. Several processes
/// may open the same file, on a local disk. The `sqlite3` command can read it.
///
/// Clones share one store. Its threads finish the work they were given and close the file when the
/// last clone is dropped, or when one of them is [closed](Self::close), which also reports when
/// that is done.
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
pub struct SqliteStore(pub(super) Arc<Inner>);

pub(super) struct Inner {
    clock: Clock,
    limits: Limits,
    pub(super) threads: Threads,
    pub(super) touching: Touching,
}

impl SqliteStore {
    /// Opens the file with the default [options](Self::options), or creates it.
    ///
    /// # Errors
    ///
    /// Same as [`SqliteOptions::open`].
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::options().open(path).await
    }

    /// Returns the settings to [open](SqliteOptions::open) a file with.
    pub fn options() -> SqliteOptions {
        SqliteOptions::new()
    }

    pub(super) fn new(clock: Clock, limits: Limits, threads: Threads) -> Self {
        Self(Arc::new(Inner { clock, limits, threads, touching: Touching::default() }))
    }

    /// Closes the store and all its clones: refuses new work, finishes what was begun, moves
    /// everything from the WAL into the file, and closes it. If no other process has the file open,
    /// only the file itself is left, without `-wal` and `-shm`.
    ///
    /// Call it last, after the server has stopped. Every later call, including one through a layer,
    /// is an error of kind [`Unavailable`] whose source says that the store was closed; closing
    /// again returns the same result as the first time.
    ///
    /// # Errors
    ///
    /// If the file could not be checkpointed or closed. Acknowledged writes are then still in the
    /// file and its WAL.
    ///
    /// [`Unavailable`]: StoreErrorKind::Unavailable
    pub async fn close(&self) -> Result<(), StoreError> {
        Ok(self.0.threads.close().await?)
    }
}

impl SqliteOptions {
    /// Opens the file, or creates it, readable by its owner only (mode 0600).
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Config`](crate::store::StoreErrorKind::Config) if a setting or the path is
    /// invalid: for example, the directory is missing, or the file cannot be written, belongs to
    /// another program or has another layout.
    /// [`StoreErrorKind::Corrupt`](crate::store::StoreErrorKind::Corrupt) if it is not a database.
    /// The source says which, and what to do.
    pub async fn open(self, path: impl AsRef<Path>) -> Result<SqliteStore, StoreError> {
        self.check()?;
        let path = path::absolute(path.as_ref())?;
        let (clock, limits) = (self.clock.clone(), self.limits);
        let threads = writer::open(path, self).await?;
        Ok(SqliteStore::new(clock, limits, threads))
    }
}

/// How long a read waits for a touch of the same session.
const PATIENCE: Duration = Duration::from_millis(250);

impl Inner {
    /// Waits until a pending touch is in the file, so that the next read sees it.
    ///
    /// There rarely is one: a session is touched a few times an hour. If another process has locked
    /// the file, the read proceeds without the touch: recording activity is not worth a failed
    /// request.
    pub(super) async fn settle(&self, pending: bool) {
        if pending {
            let written = self.threads.writer.run(Writes::Once, |_, _| Ok(()));
            if !matches!(tokio::time::timeout(PATIENCE, written).await, Ok(Ok(()))) {
                tracing::debug!("the last activity of a session is not stored yet");
            }
        }
    }

    async fn apply(
        &self,
        id: SessionId,
        epoch: u64,
        patch: &Patch,
        read: Option<&Arc<Record>>,
    ) -> Result<Outcome, Unacknowledged> {
        let (writer, limits) = (&self.threads.writer, self.limits);
        let read = read.filter(|read| read.id == id);
        let change =
            read.and_then(|read| Change::of(read, epoch, patch, &limits, self.clock.now()));
        if let Some(change) = change {
            let write = move |db: &_, now| change.write(db, now);
            if let Some(applied) = writer.run(Writes::Once, write).await? {
                return Ok(Outcome::Applied(applied));
            }
        }
        let patch = Arc::new(patch.clone());
        let apply = || {
            let patch = Arc::clone(&patch);
            move |db: &_, now| write::apply(db, id, epoch, &patch, &limits, now)
        };
        writer.run_steps(patch.meta.sign_in.into(), apply).await
    }

    /// Writes the activity of a record that was just loaded, without making the request wait for
    /// the disk. Until it is written, reads of the same record wait for it; see [`Inner::settle`].
    fn touch(&self, mut record: Arc<Record>) -> Arc<Record> {
        let now = self.clock.now();
        if let Some(step) = self.touching.begin(record.id, record.meta.epoch, now)
            && self.threads.writer.send(Box::new(step)).is_err()
        {
            tracing::warn!(id = %record.id, "the last activity of a session was not stored");
        }
        Arc::make_mut(&mut record).meta.settle(Due::Touch, now);
        record
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
        let (inner, secrets) = (&self.0, Secrets::from(secrets));
        StoreFuture::new(async move {
            inner.settle(inner.touching.contains(id)).await;
            let (clock, presented) = (inner.clock.clone(), secrets.clone());
            let read = move |db: &_| read::load(db, id, &presented, visit, clock.now());
            match inner.threads.readers.run(read).await? {
                Loaded::Answer(answer) => Ok(answer),
                Loaded::Due(record, Due::Touch) => Ok(Lookup::Found(inner.touch(record))),
                Loaded::Due(..) => {
                    let load = move |db: &_, now| write::load(db, id, &secrets, visit, now);
                    Ok(inner.threads.writer.run(Writes::Once, load).await?)
                }
            }
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
        record: Arc<Record>,
        sign_in: SignIn,
    ) -> StoreFuture<'_, Result<Created, StoreError>> {
        let limits = self.0.limits;
        let create = self.0.threads.writer.run_steps(sign_in.into(), move || {
            let record = Arc::clone(&record);
            move |db: &_, now| write::create(db, &record, sign_in, &limits, now)
        });
        StoreFuture::new(async { Ok(create.await?) })
    }

    fn apply<'a>(
        &'a self,
        id: SessionId,
        epoch: u64,
        patch: &'a Patch,
        read: Option<&'a Arc<Record>>,
    ) -> StoreFuture<'a, Result<Outcome, StoreError>> {
        StoreFuture::new(async move {
            match self.0.apply(id, epoch, patch, read).await {
                Ok(outcome) => Ok(outcome),
                Err(Unacknowledged::NotWritten(failure)) => Err(failure.into()),
                Err(Unacknowledged::Unknown(failure)) => {
                    tracing::warn!(%failure, "a patch may or may not have been stored");
                    Ok(Outcome::Uncertain)
                }
            }
        })
    }

    fn delete(
        &self,
        id: SessionId,
        because: EndReason,
    ) -> StoreFuture<'_, Result<bool, StoreError>> {
        let run = self
            .0
            .threads
            .writer
            .run(Writes::Once, move |db, now| end::delete(db, id, because, now));
        StoreFuture::new(async { Ok(run.await?) })
    }

    fn list<'a>(
        &'a self,
        principal: &'a Principal,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        let (inner, principal) = (&self.0, principal.clone());
        StoreFuture::new(async move {
            let from = place(from)?.unwrap_or(Place::START);
            inner.settle(inner.touching.any()).await;
            let clock = inner.clock.clone();
            let list = move |db: &_| read::list(db, &principal, &from, limit, clock.now());
            inner.threads.readers.run(list).await
        })
    }

    fn revoke<'a>(
        &'a self,
        principal: &'a Principal,
        which: Revoke,
        because: EndReason,
        from: Option<&'a Cursor>,
    ) -> StoreFuture<'a, Result<Revoked, StoreError>> {
        let principal = principal.clone();
        StoreFuture::new(async move {
            let from = place(from)?;
            let revoke =
                move |db: &_, now| end::revoke(db, &principal, which, because, from.as_ref(), now);
            Ok(self.0.threads.writer.run(Writes::More, revoke).await?)
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
        let run =
            self.0.threads.writer.run(Writes::More, move |db, now| sweep::sweep(db, limit, now));
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

/// The hashes of one token, one per realm, to be sent to a thread.
type Secrets = Arc<[SecretHash]>;

fn place(cursor: Option<&Cursor>) -> Result<Option<Place>, StoreError> {
    let foreign = || StoreError::because(StoreErrorKind::Config, "a cursor of another store");
    cursor.map(|cursor| Place::of(cursor).ok_or_else(foreign)).transpose()
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("clock", &self.0.clock).finish_non_exhaustive()
    }
}

//! The adapter: each operation is a read, [`Record::apply`] and a save, under the lock of its
//! session.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use super::contract::WholeRecordStore;
use super::locks::Locks;
use super::tombstones::Tombstones;
use crate::clock::{Clock, Timestamp};
use crate::id::SessionId;
use crate::record::form::{self, Entry};
use crate::record::patch::{Gone, Outcome, Patch, SignIn};
use crate::record::{Applying, COMMIT_LEEWAY, Due, Judgement, Principal, Record};
use crate::store::{
    Capabilities, Created, Cursor, EndReason, Limits, Lookup, Page, Replayed, Revoke, Revoked,
    SessionStore, StoreError, StoreErrorKind, StoreFuture, Swept, Visit,
};
use crate::token::SecretHash;

/// A session store on top of a [`WholeRecordStore`].
///
/// It adds patches, renewal, expiry to the millisecond and tombstones, by reading and saving whole
/// records under a lock per session, first come, first served. Recently destroyed sessions are
/// remembered in this process only. Clones share all of it. Saves run on the tokio runtime, and
/// complete even if the request that started them is dropped.
///
/// There is no index of principals: listing, revoking, counting and sign-ins with conditions are
/// [`StoreErrorKind::Unsupported`]. Fields and records are limited to [`Limits::default`].
pub struct WholeRecords<W>(Arc<Inner<W>>);

struct Inner<W> {
    records: W,
    capabilities: Capabilities,
    limits: Limits,
    locks: Locks,
    tombstones: Tombstones,
}

impl<W: WholeRecordStore> WholeRecords<W> {
    /// Creates a store over records that **only this process writes**, through this adapter and its
    /// clones: a patch is then one atomic step.
    ///
    /// This is not checked. If a second process writes, even just during a restart, changes of
    /// either may be lost: see [`shared`](Self::shared).
    pub fn single_process(records: W) -> Self {
        Self::with(records, true)
    }

    /// Creates a store over records that several processes write.
    ///
    /// Two concurrent patches from two processes are not atomic: the later save replaces the
    /// record, and one in progress may even restore a session that another process destroyed. A
    /// destroyed session is [`Lookup::Ended`] only in the process that destroyed it, and absent in
    /// the others.
    ///
    /// Schemas and settings that need [`atomic_patches`](Capabilities::atomic_patches) are refused.
    pub fn shared(records: W) -> Self {
        Self::with(records, false)
    }

    fn with(records: W, atomic_patches: bool) -> Self {
        let limits = Limits::default();
        let promises = Capabilities {
            atomic_patches,
            principal_index: false,
            scan: false,
            ..Capabilities::FULL
        };
        let (locks, tombstones) = Default::default();
        let capabilities = promises.with_limits(limits);
        Self(Arc::new(Inner { records, capabilities, limits, locks, tombstones }))
    }

    /// Returns the store below.
    #[must_use]
    pub fn records(&self) -> &W {
        &self.0.records
    }

    /// Runs `work` under the lock of `id`. Once it has the lock it runs to completion: nothing else
    /// may write before its save has either happened or failed.
    ///
    /// `None` if it panicked.
    async fn locked<T, F>(&self, id: SessionId, work: impl FnOnce(Arc<Inner<W>>) -> F) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let held = self.0.locks.lock(id).await;
        let work = work(Arc::clone(&self.0));
        let done = tokio::spawn(async move {
            let _held = held;
            work.await
        });
        done.await.ok()
    }

    async fn attempt<T, F>(
        &self,
        id: SessionId,
        work: impl FnOnce(Arc<Inner<W>>) -> F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        self.locked(id, work).await.unwrap_or_else(|| Err(panicked()))
    }
}

impl<W: WholeRecordStore> Inner<W> {
    fn now(&self) -> Timestamp {
        self.records.clock().now()
    }

    async fn read(&self, id: SessionId) -> Result<Option<Arc<Record>>, StoreError> {
        let Some(bytes) = self.records.load(id).await? else { return Ok(None) };
        match form::decode(id, &bytes, None) {
            Ok(Entry::Record(record)) => Ok(Some(record)),
            // This adapter keeps its tombstones in the process.
            Ok(Entry::Tombstone(_)) => Ok(None),
            Err(error) => Err(StoreError::because(StoreErrorKind::Corrupt, error)),
        }
    }

    async fn save(&self, record: &Record) -> Result<(), StoreError> {
        let until = record.meta.expires_at().after(COMMIT_LEEWAY);
        let form = form::whole(record, record.note.stamp + 1).map_err(does_not_fit)?;
        self.records.save(record.id, form.value, until).await
    }

    /// Returns the result of a load, and what has to be saved for it.
    async fn look(
        &self,
        id: SessionId,
        secrets: &[SecretHash],
        visit: Visit,
    ) -> Result<(Lookup, Due), StoreError> {
        let found = self.read(id).await?;
        let now = self.now();
        let Some(mut record) = found else {
            let ended = self.tombstones.judge(id, secrets, visit, now);
            return Ok((ended.map_or(Lookup::Absent, Lookup::Ended), Due::Nothing));
        };
        let lookup = match record.meta.judge(secrets, visit, now) {
            Judgement::Opens(due) => {
                if due != Due::Nothing {
                    Arc::make_mut(&mut record).meta.settle(due, now);
                }
                return Ok((Lookup::Found(record), due));
            }
            Judgement::Ended(ended) => Lookup::Ended(ended),
            Judgement::Replayed => Lookup::Replayed(Replayed::of(&record.meta)),
            Judgement::Expired(because) => Lookup::Expired(because),
            Judgement::Absent => Lookup::Absent,
        };
        Ok((lookup, Due::Nothing))
    }

    async fn load(
        &self,
        id: SessionId,
        secrets: &[SecretHash],
        visit: Visit,
    ) -> Result<Lookup, StoreError> {
        let (lookup, due) = self.look(id, secrets, visit).await?;
        if let Lookup::Found(record) = &lookup {
            match due {
                Due::Nothing => {}
                Due::Confirmation { .. } => self.save(record).await?,
                // Recording activity is not worth a failed request.
                Due::Touch => {
                    if let Err(error) = self.save(record).await {
                        tracing::warn!(%id, %error, "the last activity of a session was not stored");
                    }
                }
            }
        }
        Ok(lookup)
    }

    async fn create(&self, record: Arc<Record>, sign_in: SignIn) -> Result<Created, StoreError> {
        if let Err(refused) = self.limits.check_new(&record.fields) {
            return Ok(Created::Refused(refused));
        }
        let (id, stored) = (record.id, self.read(record.id).await?);
        let now = self.now();
        let free = stored.is_none_or(|stored| stored.meta.is_removable(now));
        if !free || self.tombstones.contains(id, now) {
            return Ok(Created::Exists);
        }
        admit(&record, sign_in)?;
        let until = record.meta.expires_at().after(COMMIT_LEEWAY);
        let form = form::whole(&record, 1).map_err(does_not_fit)?;
        self.records.insert(id, form.value, until).await?;
        Ok(Created::ALONE)
    }

    async fn apply(&self, id: SessionId, epoch: u64, patch: &Patch) -> Result<Outcome, StoreError> {
        let Some(before) = self.read(id).await? else { return Ok(Outcome::Gone(Gone::Absent)) };
        let (after, applied) = match before.apply(epoch, patch, self.now()) {
            Applying::Answer(outcome) => return Ok(outcome),
            Applying::Stored(after, applied) => (after, applied),
        };
        if let Err(refused) = self.limits.check_change(&before.fields, &after.fields, &patch.ops) {
            return Ok(Outcome::Refused(refused));
        }
        admit(&after, patch.meta.sign_in)?;
        match self.save(&after).await {
            Ok(()) => Ok(Outcome::Applied(applied)),
            Err(error) if is_uncertain(&error) => {
                tracing::warn!(%id, %error, "a patch may or may not have been stored");
                Ok(Outcome::Uncertain)
            }
            Err(error) => Err(error),
        }
    }

    async fn delete(&self, id: SessionId, because: EndReason) -> Result<bool, StoreError> {
        let Some(record) = self.read(id).await? else { return Ok(false) };
        let now = self.now();
        // First, so that there is no moment in which a load finds neither the record nor the
        // tombstone.
        self.tombstones.add(id, record.meta.clone(), because, now);
        self.records.delete(id).await?;
        Ok(!record.meta.is_expired(now))
    }
}

/// Refuses conditions: they depend on the other sessions of a principal, which are unknown here.
fn admit(record: &Record, sign_in: SignIn) -> Result<(), StoreError> {
    if record.meta.principal.is_some() && !sign_in.is_unconditional() {
        return Err(no_index());
    }
    Ok(())
}

fn no_index() -> StoreError {
    let text = "a store of whole records has no index of principals";
    StoreError::because(StoreErrorKind::Unsupported, text)
}

fn does_not_fit(error: form::DoesNotFit) -> StoreError {
    StoreError::because(StoreErrorKind::Unsupported, error)
}

fn panicked() -> StoreError {
    let text = "the store of whole records panicked; see the log";
    StoreError::because(StoreErrorKind::Unavailable, text)
}

fn is_uncertain(error: &StoreError) -> bool {
    matches!(error.kind(), StoreErrorKind::Unavailable | StoreErrorKind::Timeout)
}

impl<W: WholeRecordStore> SessionStore for WholeRecords<W> {
    fn clock(&self) -> &Clock {
        self.0.records.clock()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities
    }

    fn load<'a>(
        &'a self,
        id: SessionId,
        secrets: &'a [SecretHash],
        visit: Visit,
    ) -> StoreFuture<'a, Result<Lookup, StoreError>> {
        StoreFuture::new(async move {
            let (lookup, due) = self.0.look(id, secrets, visit).await?;
            if due == Due::Nothing {
                return Ok(lookup);
            }
            // Again, under the lock, because another request may be writing.
            let secrets = secrets.to_vec();
            self.attempt(id, async move |inner| inner.load(id, &secrets, visit).await).await
        })
    }

    fn reload(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> StoreFuture<'_, Result<Option<Arc<Record>>, StoreError>> {
        StoreFuture::new(async move {
            let (record, now) = (self.0.read(id).await?, self.0.now());
            Ok(record.filter(|it| it.meta.epoch == epoch && !it.meta.is_expired(now)))
        })
    }

    fn create(
        &self,
        record: Arc<Record>,
        sign_in: SignIn,
    ) -> StoreFuture<'_, Result<Created, StoreError>> {
        StoreFuture::new(async move {
            self.attempt(record.id, |inner| async move { inner.create(record, sign_in).await })
                .await
        })
    }

    fn apply<'a>(
        &'a self,
        id: SessionId,
        epoch: u64,
        patch: &'a Patch,
        _: Option<&'a Arc<Record>>,
    ) -> StoreFuture<'a, Result<Outcome, StoreError>> {
        let patch = patch.clone();
        StoreFuture::new(async move {
            let apply = |inner: Arc<Inner<W>>| async move { inner.apply(id, epoch, &patch).await };
            self.locked(id, apply).await.unwrap_or(Ok(Outcome::Uncertain))
        })
    }

    fn delete(
        &self,
        id: SessionId,
        because: EndReason,
    ) -> StoreFuture<'_, Result<bool, StoreError>> {
        StoreFuture::new(
            self.attempt(id, move |inner| async move { inner.delete(id, because).await }),
        )
    }

    fn list<'a>(
        &'a self,
        _: &'a Principal,
        _: Option<&'a Cursor>,
        _: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        StoreFuture::ready(Err(no_index()))
    }

    fn revoke<'a>(
        &'a self,
        _: &'a Principal,
        _: Revoke,
        _: EndReason,
        _: Option<&'a Cursor>,
    ) -> StoreFuture<'a, Result<Revoked, StoreError>> {
        StoreFuture::ready(Err(no_index()))
    }

    fn count(&self) -> StoreFuture<'_, Result<u64, StoreError>> {
        StoreFuture::ready(Err(no_index()))
    }

    /// Forgets sessions that were destroyed more than a minute ago. Expired records are removed by
    /// the store below.
    fn sweep(&self, limit: usize) -> StoreFuture<'_, Result<Swept, StoreError>> {
        let more = self.0.tombstones.forget(limit, self.0.now());
        StoreFuture::ready(Ok(Swept { removed: 0, more }))
    }
}

impl<W> Clone for WholeRecords<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<W> fmt::Debug for WholeRecords<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let capabilities = &self.0.capabilities;
        f.debug_struct("WholeRecords").field("capabilities", capabilities).finish_non_exhaustive()
    }
}

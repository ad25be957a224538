//! Sessions in the memory of one process.
//!
//! Records are spread over shards, each with its own lock, which is held for one map operation. A
//! load shares the record instead of copying it. Expiry uses time buckets per shard, which are
//! processed in small steps: a touch moves nothing; when a bucket comes due, the records that were
//! touched are put into a later one.

mod hash;
mod index;
mod members;
mod shard;
mod sign_in;
mod sweeper;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};

use self::index::PrincipalIndex;
use self::shard::{Removed, Shard};
use super::contract::{
    Capabilities, Created, Cursor, EndReason, Lookup, Page, Revoke, Revoked, Swept, Visit,
};
use super::engine::index::Order;
use super::error::{StoreError, StoreErrorKind};
use super::limits::Limits;
use super::session_store::{SessionStore, StoreFuture};
use crate::clock::Clock;
use crate::id::SessionId;
use crate::record::patch::{Outcome, Patch, SignIn};
use crate::record::{Principal, Record};
use crate::token::SecretHash;

/// Enough that the threads of one machine rarely contend for a lock, and that a growing map, which
/// rehashes all of its records, does not hold its lock for long.
const SHARDS: usize = 256;
/// How many sessions one step of a revocation ends.
const REVOKE_STEP: usize = 500;

/// A store in the memory of this process: its sessions end with the process.
///
/// For tests, and for services of one process whose sessions may be lost at a restart. Clones share
/// the sessions. A background thread removes expired sessions, a few at a time; it ends when the
/// last clone is dropped.
///
/// ```
/// use session_runtime::{SessionLayer, store::MemoryStore};
///
/// let layer = SessionLayer::new(MemoryStore::new().capacity(100_000));
/// ```
#[derive(Clone)]
pub struct MemoryStore(Arc<Inner>);

struct Inner {
    clock: Clock,
    shards: Box<[Mutex<Shard>]>,
    index: PrincipalIndex,
    records: AtomicUsize,
    capacity: AtomicUsize,
    field_limit: AtomicUsize,
    record_limit: AtomicUsize,
    next_shard: AtomicUsize,
    /// Stops the sweeper when it is dropped.
    sweeper: OnceLock<mpsc::Sender<()>>,
    /// How many sessions sign-ins have looked at.
    #[cfg(test)]
    looks: AtomicUsize,
}

impl MemoryStore {
    /// Creates an empty store that uses the system clock.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Clock::system())
    }

    /// Creates an empty store that uses `clock`, which decides expiry. A frozen clock controls the
    /// time in tests.
    #[must_use]
    pub fn with_clock(clock: Clock) -> Self {
        let Limits { field, record } = Limits::default();
        Self(Arc::new(Inner {
            clock,
            shards: std::iter::repeat_with(Mutex::default).take(SHARDS).collect(),
            index: PrincipalIndex::new(),
            records: AtomicUsize::new(0),
            capacity: AtomicUsize::new(usize::MAX),
            field_limit: AtomicUsize::new(field),
            record_limit: AtomicUsize::new(record),
            next_shard: AtomicUsize::new(0),
            sweeper: OnceLock::new(),
            #[cfg(test)]
            looks: AtomicUsize::new(0),
        }))
    }

    /// Sets how many sessions are stored at most. Beyond that, new sessions are refused with
    /// [`StoreErrorKind::Full`]; a live session is never evicted. Applies to all clones.
    ///
    /// # Default
    ///
    /// No limit.
    #[must_use]
    pub fn capacity(self, sessions: usize) -> Self {
        self.0.capacity.store(sessions, Ordering::Relaxed);
        self
    }

    /// Sets the largest size of a field and of a record. A write that would exceed it is refused,
    /// and nothing is stored. Applies to all clones.
    ///
    /// # Default
    ///
    /// 256 KiB a field, 1 MiB a record ([`Limits::default`]).
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        self.0.field_limit.store(limits.field, Ordering::Relaxed);
        self.0.record_limit.store(limits.record, Ordering::Relaxed);
        self
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    /// Shows the number of records, and none of their contents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("records", &self.0.records.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn shard(&self, id: SessionId) -> MutexGuard<'_, Shard> {
        self.shard_at(usize::from(id.as_bytes()[0]))
    }

    fn shard_at(&self, index: usize) -> MutexGuard<'_, Shard> {
        self.shards[index % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn limits(&self) -> Limits {
        Limits {
            field: self.field_limit.load(Ordering::Relaxed),
            record: self.record_limit.load(Ordering::Relaxed),
        }
    }

    fn create(&self, record: Arc<Record>, sign_in: SignIn) -> Result<Created, StoreError> {
        if let Err(refused) = self.limits().check_new(&record.fields) {
            return Ok(Created::Refused(refused));
        }
        if self.records.fetch_add(1, Ordering::Relaxed) >= self.capacity.load(Ordering::Relaxed) {
            self.one_less();
            return Err(StoreError::new(StoreErrorKind::Full));
        }
        let created = match record.meta.principal.clone() {
            None => self.shard(record.id).create(record, || self.clock.now()),
            Some(principal) => self.create_signed_in(record, &principal, sign_in),
        };
        if !created.is_created() {
            self.one_less();
        }
        Ok(created)
    }

    fn apply(&self, id: SessionId, epoch: u64, patch: &Patch) -> Outcome {
        let meta = &patch.meta;
        let joins = meta.principal.is_some() || !meta.sign_in.is_unconditional();
        let (outcome, before) = if joins || meta.authenticated || meta.lifetime.is_some() {
            self.apply_signed_in(id, epoch, patch)
        } else {
            let (mut shard, now) = (self.shard(id), self.clock.now());
            match shard.prepare(id, epoch, patch, now, &self.limits()) {
                Ok(prepared) => shard.commit(prepared),
                Err(outcome) => (outcome, None),
            }
        };
        if let Some(before) = before
            && patch.meta.principal.as_ref().is_some_and(|new| new.as_ref() != Some(&before))
        {
            self.index.remove_unless(&before, id, || {
                self.shard(id).principal(id).is_some_and(|now| *now == before)
            });
        }
        outcome
    }

    fn order_of(&self, id: SessionId) -> Option<Order> {
        self.shard(id).order(id)
    }

    fn one_less(&self) {
        self.records.fetch_sub(1, Ordering::Relaxed);
    }

    fn removed(&self, removed: &Removed) {
        self.one_less();
        if let Some(principal) = &removed.record.meta.principal {
            let id = removed.record.id;
            self.index.remove_unless(principal, id, || {
                self.shard(id).principal(id).is_some_and(|now| now == principal)
            });
        }
    }

    fn delete(&self, id: SessionId, because: EndReason) -> bool {
        let removed = self.shard(id).delete(id, because, self.clock.now(), |_| true);
        removed.is_some_and(|removed| {
            self.removed(&removed);
            removed.was_live
        })
    }

    fn list(
        &self,
        principal: &Principal,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let (now, after) = (self.clock.now(), from.map(Cursor::id).transpose()?);
        let (ids, more) = self.index.lock(principal).page(after, limit.max(1));
        let next = ids.last().filter(|_| more).map(|last| Cursor::after(*last));
        let live = ids.into_iter().filter_map(|id| self.shard(id).live(id, now).cloned());
        let theirs = live.filter(|record| record.meta.principal.as_ref() == Some(principal));
        Ok(Page { records: theirs.collect(), next })
    }

    fn revoke(
        &self,
        principal: &Principal,
        which: Revoke,
        because: EndReason,
        from: Option<&Cursor>,
    ) -> Result<Revoked, StoreError> {
        let (now, after) = (self.clock.now(), from.map(Cursor::id).transpose()?);
        let theirs = |record: &Record| record.meta.principal.as_ref() == Some(principal);
        if which == Revoke::All && from.is_none() {
            // Before any session ends, so that a sign-in that comes later sees it.
            self.index.lock(principal).revoke(now);
        }
        let (ids, more) = match which {
            Revoke::One(id) => (vec![id], false),
            Revoke::Others(_) | Revoke::All => self.index.lock(principal).page(after, REVOKE_STEP),
        };
        let next = ids.last().filter(|_| more).map(|last| Cursor::after(*last));
        let ending = ids.into_iter().filter(|id| which.ends(*id));
        let removed = ending
            .filter_map(|id| self.shard(id).delete(id, because, now, theirs))
            .inspect(|removed| self.removed(removed));
        let ended = removed.filter(|removed| removed.was_live).count() as u64;
        Ok(Revoked::done(ended).and_then(next))
    }

    /// Walks by shard, and by id within a shard: an order that is unaffected by other sessions that
    /// come or go.
    fn scan(&self, from: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        let (now, mut after) = (self.clock.now(), from.map(Cursor::id).transpose()?);
        let first = after.map_or(0, |id| usize::from(id.as_bytes()[0]) % SHARDS);
        let mut page = Page::default();
        for index in first..SHARDS {
            let missing = limit.max(1) - page.records.len();
            page.records.extend(self.shard_at(index).scan(after.take(), missing, now));
            if page.records.len() >= limit.max(1) {
                page.next = page.records.last().map(|record| Cursor::after(record.id));
                break;
            }
        }
        Ok(page)
    }

    /// Locks one shard per step, so that no lock is held for long.
    fn sweep(&self, limit: usize) -> Swept {
        let now = self.clock.now();
        let mut swept = Swept { removed: 0, more: self.index.forget(limit, now) };
        for _ in 0..SHARDS {
            let index = self.next_shard.fetch_add(1, Ordering::Relaxed);
            let (removed, more) =
                self.shard_at(index).sweep(self.clock.now(), limit - swept.removed);
            removed.iter().for_each(|removed| self.removed(removed));
            swept.removed += removed.len();
            swept.more |= more;
            if swept.removed >= limit {
                swept.more = true;
                break;
            }
        }
        swept
    }
}

impl SessionStore for MemoryStore {
    fn clock(&self) -> &Clock {
        &self.0.clock
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::FULL.with_limits(self.0.limits())
    }

    fn load<'a>(
        &'a self,
        id: SessionId,
        secrets: &'a [SecretHash],
        visit: Visit,
    ) -> StoreFuture<'a, Result<Lookup, StoreError>> {
        let now = self.0.clock.now();
        StoreFuture::ready(Ok(self.0.shard(id).load(id, secrets, visit, now)))
    }

    fn reload(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> StoreFuture<'_, Result<Option<Arc<Record>>, StoreError>> {
        let now = self.0.clock.now();
        let record = self.0.shard(id).live(id, now).cloned();
        StoreFuture::ready(Ok(record.filter(|record| record.meta.epoch == epoch)))
    }

    fn create(
        &self,
        record: Arc<Record>,
        sign_in: SignIn,
    ) -> StoreFuture<'_, Result<Created, StoreError>> {
        self.0.sweeper.get_or_init(|| sweeper::start(&self.0));
        StoreFuture::ready(self.0.create(record, sign_in))
    }

    fn apply<'a>(
        &'a self,
        id: SessionId,
        epoch: u64,
        patch: &'a Patch,
        _: Option<&'a Arc<Record>>,
    ) -> StoreFuture<'a, Result<Outcome, StoreError>> {
        StoreFuture::ready(Ok(self.0.apply(id, epoch, patch)))
    }

    fn delete(
        &self,
        id: SessionId,
        because: EndReason,
    ) -> StoreFuture<'_, Result<bool, StoreError>> {
        StoreFuture::ready(Ok(self.0.delete(id, because)))
    }

    fn list<'a>(
        &'a self,
        principal: &'a Principal,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        StoreFuture::ready(self.0.list(principal, from, limit))
    }

    fn revoke<'a>(
        &'a self,
        principal: &'a Principal,
        which: Revoke,
        because: EndReason,
        from: Option<&'a Cursor>,
    ) -> StoreFuture<'a, Result<Revoked, StoreError>> {
        StoreFuture::ready(self.0.revoke(principal, which, because, from))
    }

    fn count(&self) -> StoreFuture<'_, Result<u64, StoreError>> {
        let now = self.0.clock.now();
        let live = (0..SHARDS).map(|index| self.0.shard_at(index).count(now)).sum();
        StoreFuture::ready(Ok(live))
    }

    fn sweep(&self, limit: usize) -> StoreFuture<'_, Result<Swept, StoreError>> {
        StoreFuture::ready(Ok(self.0.sweep(limit)))
    }

    fn scan<'a>(
        &'a self,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        StoreFuture::ready(self.0.scan(from, limit))
    }
}

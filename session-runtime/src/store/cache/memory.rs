//! The cached records, and when they may be used.
//!
//! A load takes a [`Ticket`] before it asks the store. Anything that happens to the session while
//! the answer is in flight voids the ticket; the answer is then returned but not cached, because it
//! may be older than that event. While this process writes to a session, no tickets are issued for
//! it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::moment::Moment;
use super::shard::{Entry, Shard};
use crate::clock::{Clock, Timestamp};
use crate::id::SessionId;
use crate::metrics::CacheStats;
use crate::record::{Due, Judgement, Principal, Record};
use crate::store::watchers::{Forget, Told};
use crate::store::{Visit, Watchers};
use crate::token::SecretHash;

pub(super) struct Memory {
    clock: Clock,
    shards: Box<[Mutex<Shard>]>,
    stale_for: Option<Duration>,
    /// Until when the feed vouches for the cached records; `None` without a feed.
    alive: Option<Deadline>,
    /// Those of the store, woken by the reports of the feed too.
    pub(super) watchers: Watchers,
}

/// A [`Moment`] that can be updated. If two updates race, a mixture of them may be read; that is
/// harmless, because each half was true.
#[derive(Default)]
struct Deadline {
    steady: AtomicU64,
    wall: AtomicU64,
}

/// Permission to cache the answer of a load.
#[derive(Clone, Copy)]
pub(super) struct Ticket {
    stamp: u64,
    read: Moment,
}

pub(super) enum Looked {
    /// A cached record answers the load.
    Known(Arc<Record>),
    /// The store must be asked; with a ticket, its answer may be cached.
    Ask(Option<Ticket>),
}

impl Memory {
    pub(super) fn new(
        clock: Clock,
        capacity: usize,
        stale_for: Option<Duration>,
        feed: bool,
        watchers: Watchers,
    ) -> Self {
        // A power of two, so that no shard is tiny.
        let shards = 1 << (capacity / 64).clamp(1, 64).ilog2();
        let shard = || Mutex::new(Shard::new(capacity / shards));
        Self {
            clock,
            shards: std::iter::repeat_with(shard).take(shards).collect(),
            stale_for,
            alive: feed.then(Deadline::default),
            watchers,
        }
    }

    /// Looks for a cached answer to a load.
    pub(super) fn look(&self, id: SessionId, secrets: &[SecretHash], visit: Visit) -> Looked {
        let now = Moment::now(&self.clock);
        let mut shard = self.shard(id);
        let stamp = if self.is_alive(now) { shard.stamp(id) } else { None };
        let known = match (visit.stale_ok && stamp.is_some()).then(|| shard.peek(id)).flatten() {
            Some(entry) => self.answers(entry, secrets, visit, now),
            None => false,
        };
        if known && let Some(record) = shard.hit(id) {
            return Looked::Known(record);
        }
        shard.misses += 1;
        Looked::Ask(stamp.map(|stamp| Ticket { stamp, read: now }))
    }

    /// Returns a ticket for reading a session by other means than [`look`](Self::look).
    pub(super) fn ticket(&self, id: SessionId) -> Option<Ticket> {
        let read = Moment::now(&self.clock);
        let stamp = if self.is_alive(read) { self.shard(id).stamp(id) } else { None };
        stamp.map(|stamp| Ticket { stamp, read })
    }

    fn answers(&self, entry: &Entry, secrets: &[SecretHash], visit: Visit, now: Moment) -> bool {
        let (meta, age) = (&entry.record.meta, now.since(entry.read));
        if self.stale_for.is_some_and(|bound| age >= bound) {
            return false;
        }
        // The store's clock is authoritative, and it was at least at `last_seen` when it answered.
        // So a slow clock in this process does not extend a session by much.
        let now: Timestamp = now.wall.max(meta.last_seen.after(age));
        // If the load has to write something, it goes to the store.
        meta.judge(secrets, visit, now) == Judgement::Opens(Due::Nothing)
    }

    /// Caches the answer of a load.
    pub(super) fn keep(&self, ticket: Option<Ticket>, record: &Arc<Record>) {
        if let Some(Ticket { stamp, read }) = ticket {
            let entry = Entry { record: Arc::clone(record), read };
            self.shard(record.id).keep(record.id, stamp, entry);
        }
    }

    /// Removes a cached record that the store no longer accepts: the session was ended elsewhere.
    pub(super) fn refuted(&self, id: SessionId, was_good: impl FnOnce(&Record) -> bool) {
        let mut shard = self.shard(id);
        if shard.peek(id).is_some_and(|entry| was_good(&entry.record)) {
            shard.forget(id);
        }
    }

    /// Returns the session's principal if the session is cached.
    pub(super) fn principal(&self, id: SessionId) -> Option<Principal> {
        self.shard(id).peek(id)?.record.meta.principal.clone()
    }

    /// Notes that the feed has reported a change of this session.
    pub(super) fn changed(&self, id: SessionId) {
        self.watchers.changed(id);
    }

    pub(super) fn forget_all_of(&self, principal: Option<&Principal>) {
        for shard in &self.shards {
            match principal {
                Some(principal) => lock(shard).forget_all_of(principal),
                None => lock(shard).forget_all(),
            }
        }
    }

    /// Caches nothing of `id` until the guard is dropped, whatever the result of its write.
    pub(super) fn writing(&self, id: SessionId) -> Writing<'_> {
        self.shard(id).begin_write(id);
        Writing { memory: self, id }
    }

    /// Removes the cached sessions of `principal`, or of every principal, now and when the guard is
    /// dropped.
    pub(super) fn ending(&self, principal: Option<Principal>) -> Ending<'_> {
        self.forget_all_of(principal.as_ref());
        Ending { memory: self, principal }
    }

    fn is_alive(&self, now: Moment) -> bool {
        self.alive.as_ref().is_none_or(|deadline| now.is_before(deadline.read()))
    }

    pub(super) fn now(&self) -> Moment {
        Moment::now(&self.clock)
    }

    pub(super) fn alive_until(&self, deadline: Moment) {
        if let Some(alive) = &self.alive {
            alive.set(deadline);
        }
    }

    pub(super) fn stats(&self) -> CacheStats {
        let mut stats = CacheStats { usable: self.is_alive(self.now()), ..CacheStats::default() };
        for shard in &self.shards {
            let shard = lock(shard);
            stats.hits += shard.hits;
            stats.misses += shard.misses;
            stats.entries += shard.len();
            stats.bytes += shard.bytes();
        }
        stats
    }

    fn shard(&self, id: SessionId) -> MutexGuard<'_, Shard> {
        lock(&self.shards[usize::from(id.as_bytes()[0]) % self.shards.len()])
    }
}

impl Forget for Memory {
    fn forget(&self, told: Told) {
        match told {
            Told::Changed(id) => self.shard(id).forget(id),
            // Rare, and no entry knows the hash of its principal.
            Told::EndedOf(_) => self.forget_all_of(None),
        }
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // No code panics while it holds the lock, so the data of a poisoned lock is intact.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Deadline {
    fn read(&self) -> Moment {
        let steady = self.steady.load(Ordering::Acquire);
        Moment { steady, wall: Timestamp::from_millis(self.wall.load(Ordering::Acquire)) }
    }

    fn set(&self, moment: Moment) {
        self.steady.store(moment.steady, Ordering::Release);
        self.wall.store(moment.wall.as_millis(), Ordering::Release);
    }
}

pub(super) struct Writing<'m> {
    memory: &'m Memory,
    id: SessionId,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.memory.shard(self.id).end_write(self.id);
    }
}

pub(super) struct Ending<'m> {
    memory: &'m Memory,
    principal: Option<Principal>,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.memory.forget_all_of(self.principal.as_ref());
    }
}

//! A cache in front of a store.
//!
//! - this file: the store and its settings
//! - [`through`]: what each operation asks of the cache and of the store
//! - [`memory`]: the cached records, and when they may be used
//! - [`shard`]: one part of them, and which entry is evicted
//! - [`moment`]: how the age of an entry is measured
//! - [`feed`]: how a store notifies the cache of changed sessions

mod feed;
mod memory;
mod moment;
mod shard;
mod through;

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

pub use self::feed::{ChangeFeed, ChangeSink};
use self::feed::{Follow, Following};
use self::memory::Memory;
pub use self::moment::Moment;
use super::session_store::SessionStore;
use crate::metrics::CacheStats;

/// A cache in front of a store: requests that only read a session are answered without a round
/// trip.
///
/// Cached records are shown only where the layer accepts them
/// ([`Visit::stale_ok`](super::Visit::stale_ok)): to `Session<S>` and `Option<Session<S>>` in
/// requests with a safe method (GET, HEAD, OPTIONS, TRACE).
/// [`Authenticated`](crate::Authenticated), every other method, `require_fresh`, `reload`, `save`
/// and `transaction` ask the store. Every write is checked by the store, so a cached record cannot
/// let a session write after it has ended; therefore the capabilities are those of the store.
///
/// The writes of this process are visible at once, those of other processes within a bound:
///
/// - [`new`](Self::new), for any store: an entry is used for [`stale_for`](Self::stale_for), one
///   second by default.
/// - [`coherent`](Self::coherent), for a store that reports changes, a [`ChangeFeed`]: an entry is
///   used until the store reports that the session has changed, and never while the feed may not be
///   working.
///
/// Never answered from the cache: a token that is unknown, retired or not yet confirmed, a session
/// that has expired, and a visit whose activity is due to be written.
///
/// ```
/// use std::time::Duration;
/// use session_runtime::{SessionLayer, store::{CachedStore, MemoryStore}};
///
/// let store = CachedStore::new(MemoryStore::new()).stale_for(Duration::from_millis(500));
/// let layer = SessionLayer::new(store);
/// ```
///
/// Clones share one cache. Change settings before the first use.
pub struct CachedStore<S>(Arc<Inner<S>>);

struct Inner<S> {
    store: Arc<S>,
    memory: Arc<Memory>,
    settings: Settings<S>,
    following: OnceLock<Following>,
}

struct Settings<S> {
    capacity: usize,
    stale_for: Option<Duration>,
    follow: Option<Follow<S>>,
}

impl<S: SessionStore> CachedStore<S> {
    /// Caches what `store` returns for one second.
    #[must_use]
    pub fn new(store: S) -> Self {
        let stale_for = Some(Duration::from_secs(1));
        Self::build(store.into(), Settings { capacity: CAPACITY, stale_for, follow: None })
    }

    /// Caches what `store` returns until it reports a change.
    ///
    /// A task of its own follows the feed, from the first load until the last clone is dropped.
    /// Until the feed is established, and whenever it may not be working, every load asks the
    /// store.
    #[must_use]
    pub fn coherent(store: S) -> Self
    where
        S: ChangeFeed,
    {
        let follow = Some(S::follow as Follow<S>);
        Self::build(store.into(), Settings { capacity: CAPACITY, stale_for: None, follow })
    }

    /// Sets how long an entry is used after it was read from the store.
    ///
    /// This is how long another process may still show a session after it was changed, ended or
    /// renewed elsewhere. With zero, nothing is answered from the cache.
    ///
    /// # Default
    ///
    /// One second. A [`coherent`](Self::coherent) cache has no bound but that of its feed; if one
    /// is set, both apply.
    #[must_use]
    pub fn stale_for(self, bound: Duration) -> Self {
        let settings = Settings { stale_for: Some(bound), ..self.0.settings };
        Self::build(Arc::clone(&self.0.store), settings)
    }

    /// Sets how many sessions are cached at most.
    ///
    /// Beyond that, approximately the least recently used one is evicted (second chance). An entry
    /// holds the whole record: allow for its size, which the store's limits bound, plus 150 bytes.
    ///
    /// # Default
    ///
    /// 16,384.
    #[must_use]
    pub fn capacity(self, sessions: usize) -> Self {
        let settings = Settings { capacity: sessions, ..self.0.settings };
        Self::build(Arc::clone(&self.0.store), settings)
    }

    /// Returns the store behind the cache.
    #[must_use]
    pub fn inner(&self) -> &S {
        &self.0.store
    }

    /// Returns this process's cache statistics.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        self.0.memory.stats()
    }

    fn build(store: Arc<S>, settings: Settings<S>) -> Self {
        let clock = store.clock().clone();
        let feed = settings.follow.is_some();
        let watchers = store.watchers();
        let memory =
            Memory::new(clock, settings.capacity, settings.stale_for, feed, watchers.clone());
        let memory = Arc::new(memory);
        let cache: Weak<Memory> = Arc::downgrade(&memory);
        watchers.with_cache(cache);
        Self(Arc::new(Inner { store, memory, settings, following: OnceLock::new() }))
    }
}

const CAPACITY: usize = 16_384;

impl<S> Clone for CachedStore<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> Clone for Settings<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Settings<S> {}

impl<S: fmt::Debug> fmt::Debug for CachedStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedStore")
            .field("store", &self.0.store)
            .field("stats", &self.0.memory.stats())
            .finish_non_exhaustive()
    }
}

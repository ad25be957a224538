//! Memory in front of a store.
//!
//! - this file: the store and its settings
//! - [`through`]: what each operation asks of the memory and of the store
//! - [`memory`]: what is remembered, and when that counts
//! - [`shard`]: one part of it, and which entry makes room
//! - [`moment`]: how the age of an entry is measured
//! - [`feed`]: how a store below says that a session has changed

mod feed;
mod memory;
mod moment;
mod shard;
mod through;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use self::feed::{ChangeFeed, ChangeSink};
use self::feed::{Follow, Following};
use self::memory::Memory;
pub use self::moment::Moment;
use super::session_store::SessionStore;
use crate::metrics::CacheStats;

/// Memory in front of a store: requests that only look at a session are
/// answered without a round trip.
///
/// What is remembered is shown only where the layer says that it will do
/// ([`Visit::stale_ok`](super::Visit::stale_ok)): to `Session<S>` and
/// `Option<Session<S>>` in requests with a safe method (GET, HEAD, OPTIONS,
/// TRACE). [`Authenticated`](crate::Authenticated), every other method,
/// `require_fresh`, `reload`, `save` and `transaction` ask the store. Every
/// write is guarded there, so that nothing that is remembered lets a session
/// write after its end; that is why the capabilities are those of the store.
///
/// What this process writes, it sees at once. What another one writes is seen
/// within a bound:
///
/// - [`new`](Self::new): any store. An entry is used for
///   [`stale_for`](Self::stale_for), one second.
/// - [`coherent`](Self::coherent): a store that says what changes, a
///   [`ChangeFeed`]. An entry is used until the store says that the session has
///   changed, and never while it is not known whether it would say so.
///
/// Never answered from memory: a token that is unknown, retired or not yet
/// confirmed, a session that has expired, and a visit whose activity is due to
/// be written.
///
/// ```
/// use std::time::Duration;
/// use session_runtime::{SessionLayer, store::{CachedStore, MemoryStore}};
///
/// let store = CachedStore::new(MemoryStore::new()).stale_for(Duration::from_millis(500));
/// let layer = SessionLayer::new(store);
/// ```
///
/// Clones share one memory. Settings belong before the first use.
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
    /// Remembers what `store` has shown for one second.
    #[must_use]
    pub fn new(store: S) -> Self {
        let stale_for = Some(Duration::from_secs(1));
        Self::build(store.into(), Settings { capacity: CAPACITY, stale_for, follow: None })
    }

    /// Remembers what `store` has shown until it says that it has changed.
    ///
    /// It follows the feed in a task of its own, from the first load on, and
    /// until the last clone is dropped. Until the feed has come up, and
    /// whenever it is not known to work, every load asks the store.
    #[must_use]
    pub fn coherent(store: S) -> Self
    where
        S: ChangeFeed,
    {
        let follow = Some(S::follow as Follow<S>);
        Self::build(store.into(), Settings { capacity: CAPACITY, stale_for: None, follow })
    }

    /// For how long after it was read from the store an entry is used: so long
    /// another process may still show a session after a change, a logout or a
    /// renewal elsewhere. Zero: nothing is answered from memory.
    ///
    /// # Default
    ///
    /// One second. Of a [`coherent`](Self::coherent) one: no bound but that of
    /// its feed; where one is set, both hold.
    #[must_use]
    pub fn stale_for(self, bound: Duration) -> Self {
        let settings = Settings { stale_for: Some(bound), ..self.0.settings };
        Self::build(Arc::clone(&self.0.store), settings)
    }

    /// How many sessions are remembered at most. Beyond that the one makes room
    /// that was not asked for the longest, about (second chance). An entry holds
    /// the whole record: count with its size, at most that of the store's
    /// limits, and 150 bytes.
    ///
    /// # Default
    ///
    /// 16,384.
    #[must_use]
    pub fn capacity(self, sessions: usize) -> Self {
        let settings = Settings { capacity: sessions, ..self.0.settings };
        Self::build(Arc::clone(&self.0.store), settings)
    }

    /// The store that is asked.
    #[must_use]
    pub fn inner(&self) -> &S {
        &self.0.store
    }

    /// How it has been doing in this process.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        self.0.memory.stats()
    }

    fn build(store: Arc<S>, settings: Settings<S>) -> Self {
        let clock = store.clock().clone();
        let feed = settings.follow.is_some();
        let memory = Memory::new(clock, settings.capacity, settings.stale_for, feed);
        let memory = Arc::new(memory);
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

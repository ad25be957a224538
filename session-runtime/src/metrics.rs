//! The counters of a layer and its store.

use std::sync::atomic::{AtomicU64, Ordering};

/// A layer's counters since it was built, in this process.
///
/// Returned by [`SessionManager::metrics`](crate::SessionManager::metrics).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Patches whose session was gone: ended, expired, or changed by a sign-in or sign-out.
    pub gone: u64,
    /// Patches that conflicted with a concurrent change.
    pub conflicts: u64,
    /// Retries after a conflict.
    pub retries: u64,
    /// Patches whose outcome is unknown because the store's reply was lost.
    pub uncertain: u64,
    /// Store calls that failed or timed out.
    pub errors: u64,
    /// Store calls that did not complete immediately.
    pub waits: u64,
    /// The total duration of the calls counted by `waits`, in microseconds.
    pub waited_micros: u64,
    /// [`SignedIn`](crate::SecurityEventKind::SignedIn).
    pub signed_in: u64,
    /// [`SignedInCrossSite`](crate::SecurityEventKind::SignedInCrossSite).
    pub signed_in_cross_site: u64,
    /// [`Renewed`](crate::SecurityEventKind::Renewed).
    pub renewed: u64,
    /// [`Denied`](crate::SecurityEventKind::Denied).
    pub denied: u64,
    /// [`Evicted`](crate::SecurityEventKind::Evicted).
    pub evicted: u64,
    /// [`Destroyed`](crate::SecurityEventKind::Destroyed).
    pub destroyed: u64,
    /// [`Revoked`](crate::SecurityEventKind::Revoked), counted in sessions, not calls.
    pub revoked: u64,
    /// [`Replayed`](crate::SecurityEventKind::Replayed).
    pub replayed: u64,
    /// [`SeveralTokens`](crate::SecurityEventKind::SeveralTokens).
    pub several_tokens: u64,
    /// [`TooManyTokens`](crate::SecurityEventKind::TooManyTokens).
    pub too_many_tokens: u64,
    /// [`Adopted`](crate::SecurityEventKind::Adopted).
    pub adopted: u64,
    /// [`StartedAfresh`](crate::SecurityEventKind::StartedAfresh).
    pub started_afresh: u64,
    /// [`Withheld`](crate::SecurityEventKind::Withheld).
    pub withheld: u64,
    /// [`ActedAs`](crate::SecurityEventKind::ActedAs).
    pub acted_as: u64,
    /// The counters of the cache, if the store has a
    /// [`CachedStore`](crate::store::CachedStore) in front of it.
    pub cache: Option<CacheStats>,
}

/// The counters of a [`CachedStore`](crate::store::CachedStore), in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Loads answered from memory.
    pub hits: u64,
    /// Loads that asked the store.
    pub misses: u64,
    /// Sessions in memory, including outdated ones.
    pub entries: usize,
    /// The approximate size of these sessions, in bytes.
    pub bytes: usize,
    /// Whether loads may be answered from memory now: always without a change feed;
    /// with one, while the feed is known to work.
    pub usable: bool,
}

macro_rules! counters {
    ($($name:ident),*) => {
        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $name: Count),* }

        impl Counters {
            pub(crate) fn read(&self, cache: Option<CacheStats>) -> Metrics {
                Metrics { $($name: self.$name.0.load(Ordering::Relaxed),)* cache }
            }
        }
    };
}

counters!(
    gone,
    conflicts,
    retries,
    uncertain,
    errors,
    waits,
    waited_micros,
    signed_in,
    signed_in_cross_site,
    renewed,
    denied,
    evicted,
    destroyed,
    revoked,
    replayed,
    several_tokens,
    too_many_tokens,
    adopted,
    started_afresh,
    withheld,
    acted_as
);

#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn one(&self) {
        self.more(1);
    }

    pub(crate) fn more(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }
}

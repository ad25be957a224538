//! How a layer and its store are doing, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

/// What has happened since the layer was built, in this process.
///
/// Read by [`SessionManager::metrics`](crate::SessionManager::metrics).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Patches whose session was over: ended, expired, or of another login.
    pub gone: u64,
    /// Patches that met a concurrent change which they mind.
    pub conflicts: u64,
    /// Attempts after a conflict.
    pub retries: u64,
    /// Patches of which nobody knows whether they were applied.
    pub uncertain: u64,
    /// Store calls that failed, those that came too late included.
    pub errors: u64,
    /// Store calls that did not answer at once.
    pub waits: u64,
    /// How long those took together, in microseconds.
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
    /// [`Revoked`](crate::SecurityEventKind::Revoked): sessions, not calls.
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
    /// How the memory in front of the store is doing, where it has one: a
    /// [`CachedStore`](crate::store::CachedStore).
    pub cache: Option<CacheStats>,
}

/// How the memory in front of a store has been doing in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// How many loads were answered from memory.
    pub hits: u64,
    /// How many asked the store.
    pub misses: u64,
    /// How many sessions are remembered, whether that still counts or not.
    pub held: usize,
    /// About how many bytes they take.
    pub bytes: usize,
    /// Whether anything may be answered from memory now. Always so without a
    /// feed; with one, while it is known to work.
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
    withheld
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

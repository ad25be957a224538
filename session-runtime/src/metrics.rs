//! How the stores of a layer are doing, in numbers.

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
    /// Sign-ins that a cap or a revocation refused.
    pub denied: u64,
    /// Requests with a secret that a renewal by age replaced long ago: perhaps
    /// a stolen one.
    pub replayed: u64,
    /// Store calls that failed, those that came too late included.
    pub errors: u64,
    /// Store calls that did not answer at once.
    pub waits: u64,
    /// How long those took together, in microseconds.
    pub waited_micros: u64,
}

macro_rules! counters {
    ($($name:ident),*) => {
        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $name: Count),* }

        impl Counters {
            pub(crate) fn read(&self) -> Metrics {
                Metrics { $($name: self.$name.0.load(Ordering::Relaxed)),* }
            }
        }
    };
}

counters!(gone, conflicts, retries, uncertain, denied, replayed, errors, waits, waited_micros);

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

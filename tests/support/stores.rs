//! The stores that need no server, each on a clock that the test moves.

use session_runtime::clock::{Clock, Timestamp};
use session_runtime::store::{AnyStore, Durability, MemoryStore, SessionStore, SqliteStore};
use tempfile::TempDir;

pub struct Under {
    pub name: &'static str,
    pub store: AnyStore,
    pub clock: Clock,
    _dir: Option<TempDir>,
}

impl Under {
    /// How many live sessions are stored.
    pub async fn store_count(&self) -> u64 {
        self.store.count().await.unwrap()
    }
}

/// A frozen clock in the year 2026.
pub fn clock() -> Clock {
    Clock::frozen(Timestamp::from_millis(1_780_000_000_000))
}

pub fn memory() -> Under {
    let clock = clock();
    let store = AnyStore::new(MemoryStore::with_clock(clock.clone()));
    Under { name: "memory", store, clock, _dir: None }
}

/// Relaxed, for the tests with thousands of rounds: what they look at is
/// order, not power failures.
pub async fn sqlite() -> Under {
    let (clock, dir) = (clock(), tempfile::tempdir().unwrap());
    let options = SqliteStore::options().clock(clock.clone()).durability(Durability::Relaxed);
    let store = options.open(dir.path().join("sessions.db")).await.unwrap();
    Under { name: "sqlite", store: AnyStore::new(store), clock, _dir: Some(dir) }
}

pub async fn all() -> Vec<Under> {
    vec![memory(), sqlite().await]
}

//! The thread that removes expired sessions.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::{Inner, SHARDS};

/// How long to wait between rounds.
const EVERY: Duration = Duration::from_secs(1);
/// How many records are removed under one lock.
const STEP: usize = 64;

/// Starts the sweeper, which ends when the returned sender is dropped, with the last clone of the
/// store.
pub(super) fn start(store: &Arc<Inner>) -> mpsc::Sender<()> {
    let (alive, ended) = mpsc::channel();
    let store = Arc::downgrade(store);
    let thread = std::thread::Builder::new().name("session-sweep".to_owned());
    if let Err(error) = thread.spawn(move || run(&store, &ended)) {
        tracing::error!(%error, "the session sweeper cannot start; expired sessions stay in memory");
    }
    alive
}

fn run(store: &Weak<Inner>, ended: &mpsc::Receiver<()>) {
    while ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
        loop {
            let Some(store) = store.upgrade() else { return };
            // Each step locks another shard, so requests can take the locks in between.
            if !(0..SHARDS).all(|_| store.sweep(STEP).more) {
                break;
            }
            // On a busy machine yielding may take as long as a thousand steps.
            drop(store);
            std::thread::yield_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    #[test]
    fn the_sweeper_keeps_no_store_alive_and_ends_with_its_last_handle() {
        let store = MemoryStore::new();
        let (alive, ended) = mpsc::channel();
        store.0.sweeper.set(alive).unwrap();
        let weak = Arc::downgrade(&store.0);
        let watched = weak.clone();
        let sweeper = std::thread::spawn(move || run(&weak, &ended));
        let other = store.clone();
        drop(store);
        assert!(!sweeper.is_finished() && watched.upgrade().is_some());
        drop(other);
        assert!(watched.upgrade().is_none());
        // At once, not after the next round.
        for _ in 0..50 {
            if sweeper.is_finished() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the sweeper goes on without a store");
    }
}

//! The thread that removes expired sessions.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Inner;

/// How long to wait between rounds.
const EVERY: Duration = Duration::from_secs(1);
/// How many records are removed under one lock.
const STEP: usize = 64;

/// Starts the sweeper. It ends when the sender is dropped, which the last
/// handle of the store does.
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
            if !store.sweep(STEP).more {
                break;
            }
            // Lets requests at the locks.
            drop(store);
            std::thread::yield_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::store::{MemoryStore, SessionStore};

    #[test]
    fn the_sweeper_ends_with_the_last_handle() {
        let store = MemoryStore::with_clock(Clock::system());
        let weak = Arc::downgrade(&store.0);
        let alive = start(&store.0);
        let other = store.clone();
        drop(store);
        assert_eq!(other.clock().now().since(other.clock().now()), Duration::ZERO);
        drop(other);
        assert!(weak.upgrade().is_none(), "the sweeper does not keep the store alive");
        assert!(alive.send(()).is_ok() || alive.send(()).is_err());
    }
}

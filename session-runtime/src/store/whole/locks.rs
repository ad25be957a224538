//! One lock per session, which exists while it is held or waited for.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

use crate::id::SessionId;

type Lock = Arc<tokio::sync::Mutex<()>>;

/// The locks that are held or waited for, with the number of their holders and waiters.
#[derive(Clone, Default)]
pub(super) struct Locks(Arc<Mutex<HashMap<SessionId, (usize, Lock)>>>);

impl Locks {
    /// Waits for the lock, first come, first served.
    pub(super) async fn lock(&self, id: SessionId) -> Held {
        let (turn, lock) = self.enter(id);
        Held { _guard: lock.lock_owned().await, _turn: turn }
    }

    fn enter(&self, id: SessionId) -> (Turn, Lock) {
        let mut all = self.all();
        let (count, lock) = all.entry(id).or_default();
        *count += 1;
        (Turn { locks: self.clone(), id }, Arc::clone(lock))
    }

    fn all(&self) -> MutexGuard<'_, HashMap<SessionId, (usize, Lock)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The held lock of a session.
pub(super) struct Held {
    // Dropped in this order: released, then forgotten.
    _guard: OwnedMutexGuard<()>,
    _turn: Turn,
}

/// Counts as a holder or waiter of the lock, until it is dropped; also if the wait is cancelled.
struct Turn {
    locks: Locks,
    id: SessionId,
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Entry::Occupied(mut entry) = self.locks.all().entry(self.id) {
            entry.get_mut().0 -= 1;
            if entry.get().0 == 0 {
                entry.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: SessionId = SessionId::from_bytes([1; 16]);

    #[tokio::test]
    async fn whoever_comes_first_is_served_first_and_nothing_is_left_behind() {
        let locks = Locks::default();
        let order = Arc::new(Mutex::new(Vec::new()));
        let held = locks.lock(ID).await;
        let mut waiting = Vec::new();
        for number in 0..10 {
            let (locks, order) = (locks.clone(), order.clone());
            waiting.push(tokio::spawn(async move {
                let _held = locks.lock(ID).await;
                order.lock().unwrap().push(number);
                tokio::task::yield_now().await;
            }));
            tokio::task::yield_now().await;
        }
        // Another session does not have to wait.
        drop(locks.lock(SessionId::from_bytes([2; 16])).await);
        // Two waiters are cancelled.
        waiting.remove(7).abort();
        waiting.remove(3).abort();
        drop(held);
        for task in waiting {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 4, 5, 6, 8, 9]);
        tokio::task::yield_now().await;
        assert!(locks.all().is_empty(), "locks that nobody holds or wants");
    }
}

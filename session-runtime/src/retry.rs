//! Retrying after a conflict: one change at a time within a process, with random pauses between
//! processes, until a deadline.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, sleep, timeout};

use crate::clock::deadline_after;
use crate::id::SessionId;
use crate::token::random_below;

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Queues of the requests of this process that retry a change of the same session, first come first
/// served. A request without a conflict never enters one.
#[derive(Clone, Default)]
pub(crate) struct Queues(Arc<Mutex<HashMap<SessionId, Queue>>>);

type Queue = Arc<tokio::sync::Mutex<()>>;

impl Queues {
    /// Waits for its turn for at most `limit`; `None` if the time runs out.
    pub(crate) async fn join(&self, id: SessionId, limit: Duration) -> Option<Retry> {
        let deadline = deadline_after(limit);
        let queue = Arc::clone(self.lock().entry(id).or_default());
        let place = Place { queues: self.clone(), id, queue };
        let turn = timeout(limit, Arc::clone(&place.queue).lock_owned()).await.ok()?;
        Some(Retry { deadline, tries: 0, _turn: turn, _place: place })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Queue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.lock().len()
    }
}

/// A place in a queue. The last one to leave removes the queue.
struct Place {
    queues: Queues,
    id: SessionId,
    queue: Queue,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut queues = self.queues.lock();
        // The map's reference and ours: no one else can join while the map is locked.
        if let Entry::Occupied(entry) = queues.entry(self.id)
            && Arc::strong_count(&self.queue) <= 2
        {
            entry.remove();
        }
    }
}

/// The turn of a request that has met a conflict.
pub(crate) struct Retry {
    deadline: Instant,
    tries: u32,
    // Dropped before the place, whose drop counts the remaining users.
    _turn: OwnedMutexGuard<()>,
    _place: Place,
}

impl Retry {
    /// Pauses before the next attempt; `false` once the deadline has passed. The first attempt is
    /// immediate: no other request of this process is in the way.
    pub(crate) async fn pause(&mut self) -> bool {
        let bound = Duration::from_millis(1 << self.tries.min(6)).min(LONGEST_PAUSE);
        if self.tries > 0 {
            sleep(random_below(bound)).await;
        }
        self.tries += 1;
        Instant::now() < self.deadline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_stands_in_the_queue_at_a_time_and_the_last_takes_it_away() {
        let queues = Queues::default();
        let id = SessionId::from_bytes([1; 16]);
        let first = queues.join(id, Duration::from_secs(9)).await.unwrap();
        assert!(queues.join(id, Duration::ZERO).await.is_none(), "the first is not done");
        let other = queues.join(SessionId::from_bytes([2; 16]), Duration::ZERO).await;
        assert!(other.is_some(), "other sessions have other queues");
        assert_eq!(queues.len(), 2);
        let waiting = tokio::spawn({
            let queues = queues.clone();
            async move { queues.join(id, Duration::from_secs(9)).await.is_some() }
        });
        tokio::task::yield_now().await;
        drop((first, other));
        assert!(waiting.await.unwrap());
        assert_eq!(queues.len(), 0);
    }

    #[tokio::test]
    async fn a_time_to_try_again_that_no_clock_can_tell_is_long_and_no_panic() {
        let queues = Queues::default();
        let id = SessionId::from_bytes([1; 16]);
        let mut retry = queues.join(id, Duration::MAX).await.unwrap();
        assert!(retry.pause().await);
    }

    #[tokio::test]
    async fn the_time_to_try_again_is_bounded() {
        let queues = Queues::default();
        let id = SessionId::from_bytes([1; 16]);
        let mut retry = queues.join(id, Duration::from_millis(1)).await.unwrap();
        while retry.pause().await {}
    }
}

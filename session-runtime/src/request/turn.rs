//! The turn to commit: the commits of one request run one after the other.

use super::RequestSession;
use crate::session::State;

/// The turn to commit, which ends when this is dropped.
pub(super) struct Turn<'r> {
    request: &'r RequestSession,
    /// Whether a session was destroyed before.
    pub(super) has_destroyed: bool,
    has_ended: bool,
}

impl RequestSession {
    /// Waits for the turn.
    pub(super) async fn turn(&self) -> Turn<'_> {
        match self.try_turn() {
            Some(turn) => turn,
            // Boxed, because it is rare and would enlarge every commit's future.
            None => Box::pin(self.wait_for_turn()).await,
        }
    }

    fn try_turn(&self) -> Option<Turn<'_>> {
        let mut state = self.scope.state();
        if state.committing {
            return None;
        }
        state.committing = true;
        let has_destroyed = !state.destroyed.is_empty();
        Some(Turn { request: self, has_destroyed, has_ended: false })
    }

    async fn wait_for_turn(&self) -> Turn<'_> {
        let _waits = Waits::on(self);
        loop {
            // Before the look, so that no end of a turn is missed.
            let over = self.turn_over.notified();
            if let Some(turn) = self.try_turn() {
                return turn;
            }
            over.await;
        }
    }

    fn end_turn(&self, state: &mut State) {
        state.committing = false;
        if state.waiting > 0 {
            self.turn_over.notify_waiters();
        }
    }
}

impl Turn<'_> {
    /// Ends the turn; returns it if a session was destroyed meanwhile.
    pub(super) fn end_unless_destroyed(mut self) -> Option<Self> {
        let mut state = self.request.scope.state();
        if !state.destroyed.is_empty() {
            drop(state);
            return Some(self);
        }
        self.has_ended = true;
        self.request.end_turn(&mut state);
        None
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.request.end_turn(&mut self.request.scope.state());
        }
    }
}

/// Counts a commit that waits for its turn.
struct Waits<'r>(&'r RequestSession);

impl<'r> Waits<'r> {
    fn on(request: &'r RequestSession) -> Self {
        request.scope.state().waiting += 1;
        Self(request)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.scope.state().waiting -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use http::Method;

    use super::*;
    use crate::SessionLayer;
    use crate::store::MemoryStore;

    fn request() -> Arc<RequestSession> {
        let engine = SessionLayer::new(MemoryStore::new()).engine();
        Arc::new(RequestSession::new(engine, &Method::POST))
    }

    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn the_turn_is_taken_by_one_and_passed_on_when_it_ends() {
        let request = request();
        let Poll::Ready(first) = poll(pin!(request.turn())) else { panic!("it was free") };
        let (mut second, mut third) = (pin!(request.turn()), pin!(request.turn()));
        assert!(poll(second.as_mut()).is_pending() && poll(third.as_mut()).is_pending());
        assert_eq!(request.scope.state().waiting, 2);
        assert!(first.end_unless_destroyed().is_none());
        let Poll::Ready(second) = poll(second.as_mut()) else { panic!("it was passed on") };
        assert!(poll(third.as_mut()).is_pending());
        drop(second);
        assert!(poll(third.as_mut()).is_ready());
        assert_eq!(request.scope.state().waiting, 0);
    }

    #[test]
    fn one_that_gives_up_waiting_leaves_the_turn_to_others() {
        let request = request();
        let Poll::Ready(first) = poll(pin!(request.turn())) else { panic!("it was free") };
        let mut gives_up = Box::pin(request.turn());
        let mut waits = pin!(request.turn());
        assert!(poll(gives_up.as_mut()).is_pending() && poll(waits.as_mut()).is_pending());
        drop(first);
        drop(gives_up);
        assert!(poll(waits.as_mut()).is_ready());
        assert!(poll(pin!(request.turn())).is_ready());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_end_of_a_turn_is_missed_and_no_two_have_it() {
        let (request, inside) = (request(), Arc::new(AtomicU32::new(0)));
        let tasks = (0..8).map(|_| {
            let (request, inside) = (Arc::clone(&request), Arc::clone(&inside));
            tokio::spawn(async move {
                for round in 0..2_000 {
                    let turn = request.turn().await;
                    assert_eq!(inside.fetch_add(1, Ordering::AcqRel), 0);
                    if round % 3 == 0 {
                        tokio::task::yield_now().await;
                    }
                    inside.fetch_sub(1, Ordering::AcqRel);
                    drop(turn);
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            let ended = tokio::time::timeout(Duration::from_secs(60), task).await;
            ended.expect("no turn's end is missed").unwrap();
        }
    }
}

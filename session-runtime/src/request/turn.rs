//! The turn to store: the commits of one request run one after the other.

use super::RequestSession;
use crate::session::State;

/// What the turn is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    /// A commit, for which the response waits.
    Commit,
    /// Something that the handler waits for itself.
    Call,
}

/// The turn, which ends when this is dropped.
pub(super) struct Turn<'r> {
    request: &'r RequestSession,
    /// Whether a session was destroyed before.
    pub(super) has_destroyed: bool,
    has_ended: bool,
}

impl RequestSession {
    /// Waits for the turn. Who comes first has it first.
    pub(super) async fn turn(&self, what: For) -> Turn<'_> {
        match self.turn_or_wait(what) {
            Ok(turn) => turn,
            // Boxed, because it is rare and would enlarge every commit's future.
            Err(waits) => Box::pin(self.wait_for_turn(what, waits)).await,
        }
    }

    /// Counting and looking are one step: the turn of others cannot end in between, unnoticed.
    fn turn_or_wait(&self, what: For) -> Result<Turn<'_>, Waits<'_>> {
        let mut state = self.scope.state();
        if state.turn_taken || state.waiting > 0 {
            state.waiting += 1;
            return Err(Waits(self));
        }
        Ok(self.take_turn(&mut state, what))
    }

    fn take_turn(&self, state: &mut State, what: For) -> Turn<'_> {
        state.turn_taken = true;
        state.committing = what == For::Commit;
        Turn { request: self, has_destroyed: !state.destroyed.is_empty(), has_ended: false }
    }

    async fn wait_for_turn<'r>(&'r self, what: For, _waits: Waits<'r>) -> Turn<'r> {
        loop {
            self.turn_over.notified().await;
            let mut state = self.scope.state();
            if !state.turn_taken {
                return self.take_turn(&mut state, what);
            }
        }
    }
}

impl<'r> Turn<'r> {
    /// Ends the turn; returns it if a session was destroyed meanwhile.
    pub(super) fn end_unless_destroyed(mut self) -> Option<Self> {
        self.end(|state| state.destroyed.is_empty());
        (!self.has_ended).then_some(self)
    }

    fn end(&mut self, may: impl FnOnce(&State) -> bool) {
        let mut state = self.request.scope.state();
        if !may(&state) {
            return;
        }
        self.has_ended = true;
        (state.turn_taken, state.committing) = (false, false);
        let others_wait = state.waiting > 0;
        drop(state);
        if others_wait {
            // Kept if the next one does not listen yet, and passed on if it gives up.
            self.request.turn_over.notify_one();
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.end(|_| true);
        }
    }
}

/// Counts one that waits for the turn.
struct Waits<'r>(&'r RequestSession);

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

    use http::{Method, StatusCode};

    use super::*;
    use crate::SessionLayer;
    use crate::request::{Awaits, begin};
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
        let Poll::Ready(first) = poll(pin!(request.turn(For::Commit))) else {
            panic!("it was free")
        };
        let (mut second, mut third) =
            (pin!(request.turn(For::Commit)), pin!(request.turn(For::Commit)));
        assert!(poll(second.as_mut()).is_pending() && poll(third.as_mut()).is_pending());
        assert_eq!(request.scope.state().waiting, 2);
        assert!(first.end_unless_destroyed().is_none());
        assert!(poll(pin!(request.turn(For::Call))).is_pending(), "others came first");
        let Poll::Ready(second) = poll(second.as_mut()) else { panic!("it was passed on") };
        assert!(poll(third.as_mut()).is_pending());
        drop(second);
        assert!(poll(third.as_mut()).is_ready());
        assert_eq!(request.scope.state().waiting, 0);
    }

    #[test]
    fn a_response_waits_for_a_commit_and_for_nothing_else_that_stores() {
        let request = request();
        let turn = |what| match poll(pin!(request.turn(what))) {
            Poll::Ready(turn) => turn,
            Poll::Pending => panic!("it is free"),
        };
        request.asked.store(true, Ordering::Release);
        let waits = || matches!(begin(&request, StatusCode::OK), Awaits::Commit(_));
        let call = turn(For::Call);
        assert!(!waits());
        drop(call);
        let commit = turn(For::Commit);
        assert!(waits());
        let mut later = pin!(request.turn(For::Commit));
        assert!(poll(later.as_mut()).is_pending());
        drop(commit);
        let Poll::Ready(commit) = poll(later) else { panic!("it was passed on") };
        assert!(waits());
        drop(commit);
        assert!(!waits());
    }

    #[test]
    fn one_that_gives_up_waiting_leaves_the_turn_to_others() {
        let request = request();
        let Poll::Ready(first) = poll(pin!(request.turn(For::Commit))) else {
            panic!("it was free")
        };
        let mut gives_up = Box::pin(request.turn(For::Commit));
        let mut waits = pin!(request.turn(For::Commit));
        assert!(poll(gives_up.as_mut()).is_pending() && poll(waits.as_mut()).is_pending());
        drop(first);
        drop(gives_up);
        assert!(poll(waits.as_mut()).is_ready());
        assert!(poll(pin!(request.turn(For::Commit))).is_ready());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_end_of_a_turn_is_missed_and_no_two_have_it() {
        let (request, inside) = (request(), Arc::new(AtomicU32::new(0)));
        let tasks = (0..8).map(|_| {
            let (request, inside) = (Arc::clone(&request), Arc::clone(&inside));
            tokio::spawn(async move {
                for round in 0..2_000 {
                    let turn = request.turn(For::Commit).await;
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

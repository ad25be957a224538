//! Waiting for a store from synchronous code.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Returns the output of `answer` immediately.
///
/// Inside a runtime nothing may block, so the store must be ready; outside of one, a temporary
/// runtime waits for it.
#[track_caller]
pub(super) fn now<T>(caller: &str, instead: &str, answer: impl Future<Output = T>) -> T {
    if tokio::runtime::Handle::try_current().is_err() {
        return match tokio::runtime::Builder::new_current_thread().enable_time().build() {
            Ok(runtime) => runtime.block_on(answer),
            Err(error) => panic!("`{caller}` cannot wait for the store: {error}"),
        };
    }
    // Without the budget that tokio gives a task: nothing here ever yields.
    let answer = pin!(tokio::task::unconstrained(answer));
    match answer.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!(
            "the store does not answer at once, and `{caller}` cannot wait for it inside a runtime: {instead}"
        ),
    }
}

//! Commits that run to completion.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::Committed;
use crate::error::SessionError;
use crate::session::BoxFuture;

/// A commit that runs to completion, even if its future is dropped: the changes that it took out of
/// the request exist nowhere else.
pub(crate) struct ToEnd(Option<BoxFuture<'static, Result<Committed, SessionError>>>);

impl ToEnd {
    pub(crate) fn new(
        commit: impl Future<Output = Result<Committed, SessionError>> + Send + 'static,
    ) -> Self {
        Self(Some(Box::pin(commit)))
    }

    pub(crate) fn nothing() -> Self {
        Self(None)
    }
}

impl Future for ToEnd {
    type Output = Result<Committed, SessionError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(commit) = &mut self.0 else { return Poll::Ready(Ok(Committed::Stored)) };
        let committed = ready!(commit.as_mut().poll(context));
        self.0 = None;
        Poll::Ready(committed)
    }
}

impl Drop for ToEnd {
    fn drop(&mut self) {
        if let Some(commit) = self.0.take() {
            spawn(async move { report(commit.await) });
        }
    }
}

/// Logs an error that is not returned to anyone.
fn report(committed: Result<Committed, SessionError>) {
    if let Err(error) = committed {
        tracing::error!(%error, "a session could not be saved after its request had ended");
    }
}

/// Runs `future` to completion in the background.
pub(super) fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn(future)),
        Err(_) => tracing::error!(
            "a session commit was abandoned outside a tokio runtime; it may not be stored"
        ),
    }
}

//! The response future, which commits the session before the response head is sent.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::Response;
use pin_project_lite::pin_project;

use super::body::StaticBody;
use super::plain_http::PlainHttp;
use crate::request::{Awaits, RequestSession, ToEnd, abandoned, begin, finish};

pin_project! {
    /// The future of [`SessionService`](super::SessionService).
    ///
    /// If it is dropped early, it still stores what removes privileges, such as a
    /// `destroy()` or a sign-out: a client that disconnects cannot keep a destroyed
    /// session. A commit that has begun runs to completion.
    pub struct ResponseFuture<F, B> {
        #[pin]
        step: Step<F, B>,
        // `None` if the session is committed elsewhere, or there is none.
        session: Option<Arc<RequestSession>>,
        plain_http: PlainHttp,
    }

    impl<F, B> PinnedDrop for ResponseFuture<F, B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // Drops either the handler, whose handles then publish their changes, or the
            // commit, which continues as a task.
            this.step.set(Step::Done);
            if let Some(session) = this.session.take() {
                abandoned(session);
            }
        }
    }
}

pin_project! {
    #[project = StepProjection]
    enum Step<F, B> {
        Handling { #[pin] handler: F },
        Committing { commit: ToEnd, response: Option<Response<B>> },
        Done,
    }
}

impl<F, B> ResponseFuture<F, B> {
    pub(crate) fn new(handler: F, session: Arc<RequestSession>) -> Self {
        let (step, plain_http) = (Step::Handling { handler }, PlainHttp::NO);
        Self { step, session: Some(session), plain_http }
    }

    pub(super) fn seen_by(mut self, plain_http: PlainHttp) -> Self {
        self.plain_http = plain_http;
        self
    }

    pub(super) fn unchanged(handler: F) -> Self {
        Self { step: Step::Handling { handler }, session: None, plain_http: PlainHttp::NO }
    }

    /// Returns a future of `response`, without calling the handler.
    pub(super) fn answered(response: Response<B>) -> Self {
        let step = Step::Committing { commit: ToEnd::nothing(), response: Some(response) };
        Self { step, session: None, plain_http: PlainHttp::NO }
    }
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: StaticBody,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        loop {
            match this.step.as_mut().project() {
                StepProjection::Handling { handler } => {
                    let Poll::Ready(response) = handler.poll(context)? else {
                        if let Some(session) = &*this.session {
                            session.waits();
                        }
                        return Poll::Pending;
                    };
                    let response = match &*this.session {
                        None => response,
                        Some(session) => match begin(session, response.status()) {
                            Awaits::Nothing(state) => finish(session, response, Ok(()), state),
                            Awaits::Commit(commit) => {
                                let response = Some(response);
                                this.step.set(Step::Committing { commit, response });
                                continue;
                            }
                        },
                    };
                    *this.session = None;
                    this.step.set(Step::Done);
                    this.plain_http.see(response.headers());
                    return Poll::Ready(Ok(response));
                }
                StepProjection::Committing { commit, response } => {
                    let committed = ready!(Pin::new(commit).poll(context));
                    let response = response.take();
                    let session = this.session.take();
                    this.step.set(Step::Done);
                    return match (response, session) {
                        (Some(response), Some(session)) => {
                            let response = finish(&session, response, committed.map(drop), None);
                            this.plain_http.see(response.headers());
                            Poll::Ready(Ok(response))
                        }
                        (Some(response), None) => Poll::Ready(Ok(response)),
                        (None, _) => Poll::Pending,
                    };
                }
                // Polled after completion, which executors do not do.
                StepProjection::Done => return Poll::Pending,
            }
        }
    }
}

//! The response: committed before its head leaves.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{HeaderValue, Response, StatusCode, header};
use pin_project_lite::pin_project;

use crate::commit::{Committed, ToEnd};
use crate::cookie::{apply_to, vary_on_cookie};
use crate::error::SessionError;
use crate::request::RequestSession;
use crate::session::{Backend, Pending};
use crate::token::SessionToken;

pin_project! {
    /// The future of [`SessionService`](super::SessionService).
    ///
    /// Dropped before its end, it still stores what the handler took away: a
    /// client that hangs up cannot keep a session that was destroyed. A commit
    /// that has begun runs to its end.
    pub struct ResponseFuture<F, B> {
        #[pin]
        step: Step<F, B>,
        // None: another layer of the same kind sees to it.
        session: Option<Arc<RequestSession>>,
    }

    impl<F, B> PinnedDrop for ResponseFuture<F, B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // Drops the handler, which publishes what its handles hold, or the
            // commit, which then runs on by itself.
            this.step.set(Step::Done);
            let Some(session) = this.session.take().filter(|it| it.was_asked()) else { return };
            // First, so that a task's `destroy()` is seen either by itself or here.
            session.scope.mark_head_sent();
            if session.has_work() {
                session.commit_later();
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
        Self { step: Step::Handling { handler }, session: Some(session) }
    }

    pub(super) fn unchanged(handler: F) -> Self {
        Self { step: Step::Handling { handler }, session: None }
    }

    /// A response in place of the handler's, which is not called.
    pub(super) fn answered(response: Response<B>) -> Self {
        let commit = ToEnd::new(std::future::ready(Ok(Committed::Stored)));
        Self { step: Step::Committing { commit, response: Some(response) }, session: None }
    }
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: From<&'static str>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        loop {
            match this.step.as_mut().project() {
                StepProjection::Handling { handler } => {
                    let response = ready!(handler.poll(context))?;
                    let Some(session) = this.session.as_ref().filter(|it| it.was_asked()) else {
                        this.session.take();
                        this.step.set(Step::Done);
                        return Poll::Ready(Ok(response));
                    };
                    match begin(session, response.status()) {
                        Begun::Nothing => {
                            let session = this.session.take();
                            this.step.set(Step::Done);
                            return Poll::Ready(Ok(finish(session, response, Ok(()))));
                        }
                        Begun::Failed(error) => {
                            let session = Arc::clone(session);
                            let commit = ToEnd::new(async move {
                                session.commit(false).await?;
                                Err(error)
                            });
                            this.step.set(Step::Committing { commit, response: Some(response) });
                        }
                        Begun::Commit { keep_fields } => {
                            let session = Arc::clone(session);
                            let commit =
                                ToEnd::new(async move { session.commit(keep_fields).await });
                            this.step.set(Step::Committing { commit, response: Some(response) });
                        }
                    }
                }
                StepProjection::Committing { commit, response } => {
                    let committed = ready!(Pin::new(commit).poll(context));
                    let response = response.take();
                    let session = this.session.take();
                    this.step.set(Step::Done);
                    return match response {
                        Some(response) => {
                            Poll::Ready(Ok(finish(session, response, committed.map(drop))))
                        }
                        None => Poll::Pending,
                    };
                }
                // Polled after its end, as no executor does.
                StepProjection::Done => return Poll::Pending,
            }
        }
    }
}

enum Begun {
    Nothing,
    Commit { keep_fields: bool },
    Failed(SessionError),
}

fn begin(session: &RequestSession, status: StatusCode) -> Begun {
    if session.scope.unpublished() > 0 {
        return Begun::Failed(SessionError::Unpublished);
    }
    // A `save()` that nobody waited for may still be under way.
    if session.has_work() || session.is_committing() {
        let keep_fields = (session.engine.config.keep_changes)(status);
        return Begun::Commit { keep_fields };
    }
    Begun::Nothing
}

/// The response with its cookie, or the one that says that the commit failed.
fn finish<B: From<&'static str>>(
    session: Option<Arc<RequestSession>>,
    mut response: Response<B>,
    committed: Result<(), SessionError>,
) -> Response<B> {
    let Some(session) = session else { return response };
    let config = &session.engine.config;
    session.scope.mark_head_sent();
    let mut state = session.scope.state();
    let saved = committed.is_ok();
    // Dropped last: its body may hold a handle that reaches for the state.
    let mut replaced = None;
    if let Err(error) = committed {
        // The response says it; nobody needs to be told again.
        state.pending = Pending::default();
        replaced = Some(std::mem::replace(&mut response, failure(error)));
    } else if state.lost && config.conflict_on_lost_changes && !session.safe_method {
        replaced = Some(std::mem::replace(&mut response, failure(SessionError::Gone)));
    }
    // An earlier `save()` may have made a cookie necessary, whatever came then.
    if let Some(cookie) = state.cookie.take() {
        let text = |token: &SessionToken| config.text_of(token);
        apply_to(response.headers_mut(), &config.cookie, &cookie, text, session.engine.now());
        if let (true, Some(adopt)) = (state.legacy, &config.adopt) {
            crate::legacy::remove_cookie(response.headers_mut(), &*adopt.legacy);
        }
    }
    if state.read {
        vary_on_cookie(response.headers_mut());
    }
    // It came between the commit and the head.
    let destroyed = saved && !state.destroyed.is_empty();
    drop(state);
    drop(replaced);
    if destroyed {
        session.commit_later();
    }
    response
}

/// A fixed text for the client; the reason for the log and for outer layers.
fn failure<B: From<&'static str>>(error: SessionError) -> Response<B> {
    let (status, text) = error.answer();
    if status.is_server_error() {
        tracing::error!(%error, source = std::error::Error::source(&error).map(tracing::field::display), "a session could not be saved");
    } else {
        tracing::info!(%error, "a session could not be saved");
    }
    let mut response = Response::new(B::from(text));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response.extensions_mut().insert(Arc::new(error));
    response
}

//! A stream of server-sent events that tells an open page when its session ends.

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum_core::body::Body;
use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use futures_core::Stream;
use http::request::Parts;
use http::{HeaderName, StatusCode, header};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::error::report;
use crate::extract::request_of;
use crate::record::EndReason;
use crate::rejection::SessionRejection;
use crate::schema::SessionSchema;
use crate::session::Handle;

/// Server-sent events that tell an open page when its session ends: an extractor, and the response.
///
/// The response sends one event and closes: `event: ended`, with the name of the
/// [reason](EndReason::as_str) as its data, when [`Handle::ended`] completes. Until then it sends a
/// comment every 15 seconds, so that no proxy takes the connection for dead.
///
/// ```
/// use axum::extract::State;
/// use axum::{Router, response::IntoResponse, routing::get};
/// use session_runtime::{EndedEvents, SessionLayer, SessionSchema, store::MemoryStore};
/// use tokio::sync::watch;
///
/// #[derive(SessionSchema)]
/// struct Visitor {
///     #[session(principal)]
///     user_id: Option<u64>,
/// }
///
/// async fn ended(
///     events: EndedEvents<Visitor>,
///     State(mut stop): State<watch::Receiver<()>>,
/// ) -> impl IntoResponse {
///     events.until(async move { stop.changed().await })
/// }
///
/// // Dropped when the server begins to shut down.
/// let (stop, stopped) = watch::channel(());
/// let app: Router = Router::new()
///     .route("/session/ended", get(ended))
///     .layer(SessionLayer::new(MemoryStore::new()))
///     .with_state(stopped);
/// # let _ = (stop, app);
/// ```
///
/// In the page:
///
/// ```js
/// const events = new EventSource("/session/ended");
/// events.addEventListener("ended", event => {
///   events.close();
///   location.assign("/login?ended=" + event.data);
/// });
/// ```
///
/// The request is [passive](crate::SessionLayer::passive): neither the stream nor its reconnects keep
/// the session alive. (An extractor that comes before this one, or runs in a middleware, loads the
/// session first, and counts.)
///
/// **Reconnects.** A browser reconnects by itself whenever the connection breaks, and says in
/// `Last-Event-ID` which session its page was opened with: the first thing that the stream sends is an
/// id made of the session's public id and its epoch. If that session has ended meanwhile, or its
/// privileges have changed, the page is told at once: with [`Replaced`](EndReason::Replaced) if the
/// browser has another session by now, with [`Unknown`](EndReason::Unknown) if it has none and nothing
/// is known. A page that opens the stream without a session gets 204, which tells
/// `EventSource` to give up. If the store fails, the stream is empty, and the browser tries again.
pub struct EndedEvents<S: SessionSchema> {
    found: Found,
    stop: Wait<()>,
    schema: PhantomData<fn() -> S>,
}

type Wait<T> = Pin<Box<dyn Future<Output = T> + Send>>;

enum Found {
    /// The page's session. The text names it and its epoch.
    Live(String, Wait<EndReason>),
    /// The session that the page was opened with is over.
    Over(EndReason),
    /// The page has no session.
    Nothing,
    /// The store has failed.
    Failed,
}

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Shorter than the idle timeouts of common proxies.
const PAUSE: Duration = Duration::from_secs(15);

impl<S: SessionSchema> EndedEvents<S> {
    /// Ends the stream when `stop` completes, without an event. The browser reconnects, to another
    /// node or to the next release.
    ///
    /// axum's `with_graceful_shutdown` waits for open connections, and would wait for the stream until
    /// the session ends. Pass a future that completes when the shutdown begins, such as the
    /// `changed()` of a [`tokio::sync::watch`] or the `cancelled_owned()` of a `CancellationToken`.
    #[must_use]
    pub fn until<F: Future + Send + 'static>(self, stop: F) -> Self {
        let stop = async move {
            stop.await;
        };
        Self { stop: Box::pin(stop), ..self }
    }
}

impl<S: SessionSchema, State: Send + Sync> FromRequestParts<State> for EndedEvents<S> {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, SessionRejection> {
        let request = request_of::<S>(&parts.extensions)?;
        request.is_no_activity();
        let found = match request.handle::<S>(&parts.headers, true).await {
            Ok(session) => {
                let opened_with = parts.headers.get(LAST_EVENT_ID);
                Found::of(session, opened_with.map(|id| id.as_bytes()).filter(|id| !id.is_empty()))
            }
            Err(error) => match error.status_and_text().0 {
                // `EventSource` would give up at a 503.
                status @ StatusCode::SERVICE_UNAVAILABLE => {
                    report(status, &error, "a stream of events could not be opened");
                    Found::Failed
                }
                _ => return Err(error.into()),
            },
        };
        Ok(Self { found, stop: Box::pin(pending()), schema: PhantomData })
    }
}

impl Found {
    fn of<S: SessionSchema>(session: Handle<S>, opened_with: Option<&[u8]>) -> Self {
        let now = session.core.record().map(|it| format!("{}.{}", it.id, it.meta.epoch));
        match (now, opened_with) {
            (Some(now), Some(then)) if now.as_bytes() != then => Self::Over(EndReason::Replaced),
            (Some(now), _) => Self::Live(now, Box::pin(async move { session.ended().await })),
            (None, Some(_)) => Self::Over(session.ended_because().unwrap_or(EndReason::Unknown)),
            (None, None) => Self::Nothing,
        }
    }
}

impl<S: SessionSchema> IntoResponse for EndedEvents<S> {
    fn into_response(self) -> Response {
        let no_store = (header::CACHE_CONTROL, "no-store");
        let (next, waiting) = match self.found {
            Found::Live(name, ended) => {
                let mut beat = interval_at(Instant::now() + PAUSE, PAUSE);
                beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
                let waiting = Waiting { ended, stop: self.stop, beat };
                // Without data it is no event, but the browser remembers the id.
                (format!("id: {name}\n\n"), Some(waiting))
            }
            Found::Over(because) => (ended(because), None),
            Found::Failed => (String::new(), None),
            Found::Nothing => return (StatusCode::NO_CONTENT, [no_store]).into_response(),
        };
        let kind = (header::CONTENT_TYPE, "text/event-stream");
        // nginx passes nothing on before a buffer is full, unless it is told to.
        let unbuffered = (HeaderName::from_static("x-accel-buffering"), "no");
        ([kind, no_store, unbuffered], Body::from_stream(Events { next, waiting })).into_response()
    }
}

/// Forgets the id, so that a page that does not close its `EventSource` is told once, and not at every
/// reconnect.
fn ended(because: EndReason) -> String {
    format!("event: ended\ndata: {because}\nid\n\n")
}

struct Events {
    /// What is sent next; empty if nothing is known yet.
    next: String,
    /// `None` at the end of the stream.
    waiting: Option<Waiting>,
}

struct Waiting {
    ended: Wait<EndReason>,
    stop: Wait<()>,
    beat: Interval,
}

impl Stream for Events {
    type Item = Result<String, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !self.next.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.next))));
        }
        let Some(waiting) = &mut self.waiting else { return Poll::Ready(None) };
        if let Poll::Ready(because) = waiting.ended.as_mut().poll(context) {
            self.waiting = None;
            return Poll::Ready(Some(Ok(ended(because))));
        }
        if waiting.stop.as_mut().poll(context).is_ready() {
            self.waiting = None;
            return Poll::Ready(None);
        }
        ready!(waiting.beat.poll_tick(context));
        Poll::Ready(Some(Ok(":\n\n".to_owned())))
    }
}

impl<S: SessionSchema> fmt::Debug for EndedEvents<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EndedEvents")
    }
}

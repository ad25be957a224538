//! The browsers of a test: their cookies and their open requests.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll, ready};

use cookie::Cookie;
use http::{Extensions, HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use crate::config::Config;
use crate::engine::Engine;
use crate::error::SessionError;
use crate::middleware::ResponseFuture;
use crate::record::Record;
use crate::request::{Passed, RequestExtension, RequestSession};

/// The outcome of a request.
pub(super) type Outcome = Result<(), Arc<SessionError>>;

/// A handler in progress, which answers when asked to.
#[derive(Clone, Default)]
pub(super) struct Handler(Arc<OnceLock<StatusCode>>);

impl Handler {
    /// Makes the handler answer, whether or not a session handle is still alive.
    pub(super) fn answer(&self, status: StatusCode) {
        let _ = self.0.set(status);
    }
}

impl Future for Handler {
    type Output = Result<Response<&'static str>, Infallible>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let mut response = Response::new("");
        *response.status_mut() = self.0.get().copied().unwrap_or_default();
        Poll::Ready(Ok(response))
    }
}

/// A request without a response yet. The layer's own future ends it.
pub(super) struct Visit {
    /// Weak, so that the strong references are those of the handles and of the future.
    session: Weak<RequestSession>,
    pub(super) browser: usize,
    pub(super) handler: Handler,
    response: Pin<Box<ResponseFuture<Handler, &'static str>>>,
    loaded: Option<Arc<Record>>,
    step: Step,
}

enum Step {
    Handling,
    Ending {
        /// Whether there was something to store.
        telling: bool,
    },
}

impl Visit {
    /// Begins a request and returns the extensions that extractors look in. It counts as having an
    /// unsafe method, so that every lost change is reported.
    pub(super) fn begin(browser: usize, engine: Arc<Engine>) -> (Self, Extensions) {
        let session = Arc::new(RequestSession::new(engine, &Method::POST));
        let handler = Handler::default();
        let visit = Self {
            session: Arc::downgrade(&session),
            browser,
            response: Box::pin(ResponseFuture::new(handler.clone(), Arc::clone(&session))),
            handler,
            loaded: None,
            step: Step::Handling,
        };
        let mut extensions = Extensions::new();
        RequestExtension::put(Passed::With(session), &mut extensions);
        (visit, extensions)
    }

    /// Records what the request found in the store.
    pub(super) fn has_loaded(&mut self) {
        self.loaded = self.session.upgrade().and_then(|it| it.scope.state().record().cloned());
    }

    /// Whether a handle of it is still alive and it was not told to answer.
    fn goes_on(&self) -> bool {
        matches!(self.step, Step::Handling)
            && self.handler.0.get().is_none()
            && self.session.strong_count() > 1
    }

    fn tells(&self) -> bool {
        let Some(session) = self.session.upgrade() else { return false };
        if session.scope.unpublished() > 0 || session.has_work() {
            return true;
        }
        let state = session.scope.state();
        let saved = match (state.record(), &self.loaded) {
            (Some(now), Some(then)) => !Arc::ptr_eq(now, then),
            (now, then) => now.is_some() != then.is_some(),
        };
        saved || state.cookie.is_some()
    }
}

/// All visitors of one store: what one of them inspects may be another's doing.
#[derive(Default)]
pub(super) struct Browsers {
    pub(super) jars: Vec<Jar>,
    pub(super) visits: Vec<Visit>,
}

impl Browsers {
    /// Ends every request without handles, in the order in which they began.
    pub(super) fn poll_settle(&mut self, config: &Config, context: &mut Context<'_>) -> Poll<()> {
        let mut at = 0;
        while let Some(visit) = self.visits.get_mut(at) {
            if visit.goes_on() {
                at += 1;
                continue;
            }
            if matches!(visit.step, Step::Handling) {
                visit.step = Step::Ending { telling: visit.tells() };
            }
            let Ok(response) = ready!(visit.response.as_mut().poll(context));
            let ended = self.visits.remove(at);
            let jar = &mut self.jars[ended.browser];
            let outcome = outcome(&response);
            if outcome.is_err() || matches!(ended.step, Step::Ending { telling: true }) {
                jar.last = outcome;
            }
            jar.keep(config, response.headers());
        }
        Poll::Ready(())
    }
}

/// What a visitor's client presents, and the outcome of its last request.
pub(super) struct Jar {
    /// The session cookie, as `name=value`.
    pub(super) cookie: Option<String>,
    /// The bearer token. A client has this or a cookie.
    pub(super) bearer: Option<String>,
    /// The outcome of the last request that had something to store.
    pub(super) last: Outcome,
}

impl Jar {
    pub(super) const EMPTY: Self = Self { cookie: None, bearer: None, last: Ok(()) };

    /// Treats a response's session cookie as a browser does, and a new token as a client with
    /// bearer tokens does.
    pub(super) fn keep(&mut self, config: &Config, headers: &HeaderMap) {
        if let Some(token) = headers.get(&config.token_header).and_then(|it| it.to_str().ok()) {
            self.bearer = Some(token.to_owned());
        }
        let name = config.cookie.name();
        for value in headers.get_all(header::SET_COOKIE) {
            let parsed = value.to_str().ok().and_then(|text| Cookie::parse(text).ok());
            let Some(cookie) = parsed.filter(|cookie| cookie.name() == name) else { continue };
            let removed = cookie.max_age().is_some_and(|age| !age.is_positive());
            self.cookie = (!removed).then(|| format!("{name}={}", cookie.value()));
        }
    }

    /// Returns the headers of this browser's next request.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        self.add_to(&mut headers);
        headers
    }

    pub(super) fn add_to(&self, headers: &mut HeaderMap) {
        let bearer = self.bearer.as_ref().map(|token| format!("Bearer {token}"));
        for (name, value) in
            [(header::COOKIE, self.cookie.as_ref()), (header::AUTHORIZATION, bearer.as_ref())]
        {
            if let Some(Ok(mut value)) = value.map(|value| HeaderValue::from_str(value)) {
                value.set_sensitive(true);
                headers.append(name, value);
            }
        }
    }
}

/// The layer, and every handler that answers with a `SessionError`, leaves it in the extensions.
pub(super) fn outcome<B>(response: &Response<B>) -> Outcome {
    response.extensions().get::<Arc<SessionError>>().map_or(Ok(()), |error| Err(Arc::clone(error)))
}

//! Inspecting the outcome of the requests.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use tower_service::Service;

use super::layered::call;
use super::session::TestSession;
use super::visit::{Jar, outcome};
use super::wait::now;
use crate::clock::Clock;
use crate::cookie::{Presented, presented};
use crate::error::SessionError;
use crate::middleware::SessionLayer;
use crate::record::Record;
use crate::schema::SessionSchema;
use crate::session::Audit;
use crate::store::{Lookup, Touch};
use crate::transport::Transport;

/// Inspecting the outcome.
impl<V: SessionSchema> TestSession<V> {
    /// Returns the outcome of the last request that had something to store: on failure, the error
    /// that the layer's response would have reported.
    ///
    /// Also `Ok` if there was no such request.
    ///
    /// # Errors
    ///
    /// Same as [`Handle::save`](crate::Handle::save).
    #[track_caller]
    pub fn last_commit(&self) -> Result<(), Arc<SessionError>> {
        self.look("TestSession::last_commit", |jar| jar.last.clone())
    }

    /// Returns the stored record of the visitor's session, if there is one. A field's bytes are
    /// JSON: `record.fields.get("locale")`.
    #[must_use]
    #[track_caller]
    pub fn stored(&self) -> Option<Arc<Record>> {
        let instead = "call `load_stored().await` instead";
        let stored = now("TestSession::stored", instead, self.load_stored());
        stored.unwrap_or_else(|error| panic!("the session cannot be loaded: {error}"))
    }

    /// Like [`stored`](Self::stored), for every store.
    ///
    /// # Errors
    ///
    /// If the store cannot answer.
    pub async fn load_stored(&self) -> Result<Option<Arc<Record>>, SessionError> {
        self.settle().await;
        let headers = self.with_jar(|jar| jar.headers());
        let config = &self.engine.config;
        let presented = match config.transports.of(&headers) {
            Transport::Cookie => {
                presented(&headers, config.cookie.name(), |text| config.token_in(text))
            }
            Transport::Bearer => config.bearer_token(&headers).into(),
        };
        let Presented::One(token) = presented else { return Ok(None) };
        let secrets = config.realms.secrets(&token);
        let found = self.engine.store.load(token.id(), &secrets, Touch::Never.into());
        Ok(match self.engine.within(found).await? {
            Lookup::Found(record) | Lookup::Cached(record) => Some(record),
            Lookup::Absent | Lookup::Expired(_) | Lookup::Ended(_) | Lookup::Replayed(_) => None,
        })
    }

    /// Returns the visitor's session cookie as in a `Cookie` header, `name=value`. It is the
    /// visitor's credential.
    #[must_use]
    #[track_caller]
    pub fn cookie(&self) -> Option<String> {
        self.look("TestSession::cookie", |jar| jar.cookie.clone())
    }

    /// Returns the store's clock.
    #[must_use]
    #[track_caller]
    pub fn clock(&self) -> Clock {
        self.look("TestSession::clock", |_| self.engine.store.clock().clone())
    }

    /// Advances the clock.
    ///
    /// # Panics
    ///
    /// If the store's clock is not a [frozen](Clock::frozen) one.
    #[track_caller]
    pub fn advance(&self, by: Duration) {
        let clock = self.clock();
        let then = clock.now().after(by);
        clock.advance(by);
        assert!(
            clock.now() >= then,
            "the store is on the system's clock: give it `testing::frozen_clock()`"
        );
    }

    /// Returns the layer that handles the visitor's requests, for a router on the same store:
    /// `Router::new().route(…).layer(t.layer())`.
    #[must_use]
    pub fn layer(&self) -> SessionLayer {
        self.layer.clone()
    }

    /// Commits the requests that have ended, with any store.
    pub async fn settle(&self) {
        let config = &self.engine.config;
        let settled = poll_fn(|context| self.browsers().poll_settle(config, context));
        // Without the budget that tokio gives a task, a ready store would seem pending.
        tokio::task::unconstrained(settled).await;
        if let Some(problem) = self.engine.audit.get().and_then(Audit::take) {
            panic!("{problem}");
        }
    }

    /// Ends every open request of this visitor with this status, even if handles of it are still
    /// alive: as the layer does when a handler fails, or has moved its session into a task.
    ///
    /// ```
    /// # use session_runtime::testing::TestSession;
    /// # #[derive(session_runtime::SessionSchema)]
    /// # struct Visitor { locale: String }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let t = TestSession::<Visitor>::new();
    /// t.session().set_locale("fr");
    /// t.respond(http::StatusCode::INTERNAL_SERVER_ERROR).await.unwrap();
    /// assert_eq!(t.session().locale(), "", "a response that failed stores nothing");
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Same as [`last_commit`](Self::last_commit); for handles with unpublished changes,
    /// [`SessionError::Unpublished`].
    pub async fn respond(&self, status: StatusCode) -> Result<(), Arc<SessionError>> {
        for visit in &self.browsers().visits {
            if visit.browser == self.browser {
                visit.handler.answer(status);
            }
        }
        self.settle().await;
        self.with_jar(|jar| jar.last.clone())
    }

    /// Sends a request of this visitor through a whole application, such as a router with
    /// [`layer`](Self::layer). Adds the session cookie to the request's other cookies, or the
    /// bearer token, and keeps the one in the response.
    ///
    /// ```
    /// # use axum::{Router, body::Body, routing::post};
    /// # use session_runtime::{Session, testing::TestSession};
    /// # #[derive(session_runtime::SessionSchema)]
    /// # struct Visitor { #[session(counter)] visits: u64 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let t = TestSession::<Visitor>::new();
    /// let app: Router = Router::new()
    ///     .route("/", post(|mut s: Session<Visitor>| async move { s.add_visits(1) }))
    ///     .layer(t.layer());
    ///
    /// let response = t.send(&app, http::Request::post("/").body(Body::empty()).unwrap()).await;
    /// assert_eq!(response.status(), 200);
    /// assert_eq!(t.session().visits(), 1);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If the service fails, which a router never does.
    pub async fn send<S, B, R>(&self, service: &S, mut request: Request<B>) -> Response<R>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone,
        S::Error: fmt::Debug,
    {
        self.settle().await;
        self.with_jar(|jar| jar.add_to(request.headers_mut()));
        let path = request.uri().path().to_owned();
        match call(service, request).await {
            Ok(response) => {
                self.with_jar(|jar| {
                    jar.keep(&self.engine.config, response.headers());
                    jar.last = outcome(&response);
                });
                response
            }
            Err(error) => panic!("a request of `{path}` failed: {error:?}"),
        }
    }

    /// Commits the requests that have ended, then inspects the jar.
    #[track_caller]
    pub(super) fn look<T>(&self, caller: &str, see: impl FnOnce(&Jar) -> T) -> T {
        now(caller, "call `settle().await` before", self.settle());
        self.with_jar(|jar| see(jar))
    }
}

//! The arguments of handlers: each call is one more request.

use std::sync::Arc;

use http::{Extensions, HeaderMap};

use super::session::TestSession;
use super::visit::Visit;
use super::wait::now;
use crate::extract::{Authenticated, existing_session_of, session_of};
use crate::manager::SessionManager;
use crate::rejection::{AuthenticatedRejection, SessionRejection};
use crate::schema::{HasPrincipal, SessionSchema};

/// Arguments for handlers.
impl<V: SessionSchema> TestSession<V> {
    /// Returns the session of one more request.
    ///
    /// # Panics
    ///
    /// If it cannot be loaded; see also [Panics](Self#panics).
    #[must_use]
    #[track_caller]
    pub fn session(&self) -> V::Session {
        extracted(now("TestSession::session", "call `open().await` instead", self.open()))
    }

    /// Like [`session`](Self::session), for every store.
    ///
    /// # Errors
    ///
    /// The rejection of the extractor.
    pub async fn open(&self) -> Result<V::Session, SessionRejection> {
        let (visit, extensions, headers) = self.begin().await;
        let session = session_of::<V>(&extensions, &headers).await;
        self.under_way(visit);
        session
    }

    /// Returns the session of one more request, if the visitor has one.
    ///
    /// # Panics
    ///
    /// Same as [`session`](Self::session).
    #[must_use]
    #[track_caller]
    pub fn existing(&self) -> Option<V::Session> {
        let instead = "call `open_existing().await` instead";
        extracted(now("TestSession::existing", instead, self.open_existing()))
    }

    /// Like [`existing`](Self::existing), for every store.
    ///
    /// # Errors
    ///
    /// Same as [`open`](Self::open).
    pub async fn open_existing(&self) -> Result<Option<V::Session>, SessionRejection> {
        let (visit, extensions, headers) = self.begin().await;
        let session = existing_session_of::<V>(&extensions, &headers).await;
        self.under_way(visit);
        session
    }

    /// Returns the session of one more request with its signed-in user.
    ///
    /// # Panics
    ///
    /// If no user is signed in, and as [`session`](Self::session).
    ///
    /// For a handler that asks for a [`Level`](crate::Level), add
    /// [`at_level`](Authenticated::at_level): `transfer(t.authenticated().at_level().unwrap())`.
    #[must_use]
    #[track_caller]
    pub fn authenticated(&self) -> Authenticated<V>
    where
        V: HasPrincipal,
    {
        match self.try_authenticated() {
            Ok(session) => session,
            Err(AuthenticatedRejection::Session(rejection)) => extracted(Err(rejection)),
            Err(_) => panic!(
                "no user is signed in: begin with `TestSession::new().signed_in_as(…)`, or sign in through a handler"
            ),
        }
    }

    /// Like [`authenticated`](Self::authenticated), but returns the rejection of the extractor.
    ///
    /// # Errors
    ///
    /// Same as [`Authenticated::of`].
    #[track_caller]
    pub fn try_authenticated(&self) -> Result<Authenticated<V>, AuthenticatedRejection>
    where
        V: HasPrincipal,
    {
        let instead = "call `open_authenticated().await` instead";
        now("TestSession::authenticated", instead, self.open_authenticated())
    }

    /// Like [`try_authenticated`](Self::try_authenticated), for every store.
    ///
    /// # Errors
    ///
    /// Same as [`Authenticated::of`].
    pub async fn open_authenticated(&self) -> Result<Authenticated<V>, AuthenticatedRejection>
    where
        V: HasPrincipal,
    {
        let (visit, extensions, headers) = self.begin().await;
        let session = Authenticated::of(&extensions, &headers).await;
        self.under_way(visit);
        session
    }

    /// Returns the manager that a handler extracts.
    #[must_use]
    #[track_caller]
    pub fn manager(&self) -> SessionManager {
        self.look("TestSession::manager", |_| SessionManager::new(Arc::clone(&self.engine)))
    }

    /// Returns the manager that a handler extracts as `SessionManager<V>`.
    #[must_use]
    #[track_caller]
    pub fn typed_manager(&self) -> SessionManager<V> {
        self.look("TestSession::typed_manager", |_| SessionManager::new(Arc::clone(&self.engine)))
    }

    /// Begins a request, with the extensions that extractors look in.
    async fn begin(&self) -> (Visit, Extensions, HeaderMap) {
        self.settle().await;
        let (visit, extensions) = Visit::begin(self.browser, Arc::clone(&self.engine));
        (visit, extensions, self.with_jar(|jar| jar.headers()))
    }

    fn under_way(&self, mut visit: Visit) {
        visit.has_loaded();
        self.browsers().visits.push(visit);
    }
}

#[track_caller]
fn extracted<T>(extracted: Result<T, SessionRejection>) -> T {
    extracted.unwrap_or_else(|rejection| panic!("{rejection}"))
}

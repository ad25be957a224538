//! The rejections of the extractors. Clients receive fixed texts; the reason goes
//! to tracing and into the response's extensions.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use http::StatusCode;

use crate::error::SessionError;
use crate::record::EndReason;

/// The reason why a session cannot be extracted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SessionRejection {
    /// The route has no session layer.
    MissingLayer {
        /// The schema or extractor that was asked for.
        wanted: &'static str,
    },
    /// The layer [excludes](crate::SessionLayer::exclude) this path.
    Excluded {
        /// The schema or extractor that was asked for.
        wanted: &'static str,
    },
    /// Loading the session failed.
    Failed(Arc<SessionError>),
}

impl SessionRejection {
    /// Returns the status and the fixed body text of the response.
    #[must_use]
    pub fn status_and_text(&self) -> (StatusCode, &'static str) {
        match self {
            Self::MissingLayer { .. } => {
                (StatusCode::INTERNAL_SERVER_ERROR, "session layer missing")
            }
            Self::Excluded { .. } => {
                (StatusCode::INTERNAL_SERVER_ERROR, "no sessions on this path")
            }
            Self::Failed(error) => error.status_and_text(),
        }
    }

    pub(crate) fn missing_layer(wanted: &'static str) -> Self {
        Self::MissingLayer { wanted }
    }
}

impl From<SessionError> for SessionRejection {
    fn from(error: SessionError) -> Self {
        Self::Failed(Arc::new(error))
    }
}

impl fmt::Display for SessionRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingLayer { wanted } => write!(
                f,
                "a handler asks for the session `{wanted}` on a route without a session layer: add `.layer(SessionLayer::new(store))` to the router, after the routes it is for",
            ),
            Self::Excluded { wanted } => write!(
                f,
                "a handler asks for the session `{wanted}` on a path that the session layer leaves out: take the path out of `SessionLayer::exclude`, or the session out of the handler",
            ),
            Self::Failed(error) => write!(f, "a session could not be extracted: {error}"),
        }
    }
}

impl Error for SessionRejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::MissingLayer { .. } | Self::Excluded { .. } => None,
            Self::Failed(error) => error.source(),
        }
    }
}

/// The reason why an [`Authenticated`](crate::Authenticated) session cannot be extracted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AuthenticatedRejection {
    /// The session could not be extracted.
    Session(SessionRejection),
    /// No user is signed in.
    NotSignedIn {
        /// The URL of the login page that the browser is redirected to, with the requested
        /// address as `next`. `None` if this path has no
        /// [`login_redirect`](crate::SessionLayer::login_redirect), or the request is not
        /// a navigation.
        login: Option<String>,
        /// Why the request's token opens no session, if it has one: see
        /// [`Handle::ended_because`](crate::Handle::ended_because).
        because: Option<EndReason>,
    },
    /// A user is signed in, but has not proved what the [`Level`](crate::Level) asks for.
    ProofRequired {
        /// The name of the missing proof.
        proof: &'static str,
        /// The URL of the login page, with the name as `proof`, under the same conditions as in
        /// [`NotSignedIn`](Self::NotSignedIn).
        login: Option<String>,
    },
}

impl From<SessionRejection> for AuthenticatedRejection {
    fn from(rejection: SessionRejection) -> Self {
        Self::Session(rejection)
    }
}

impl fmt::Display for AuthenticatedRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(rejection) => rejection.fmt(f),
            Self::NotSignedIn { .. } => f.write_str("no user is signed in"),
            Self::ProofRequired { proof, .. } => write!(f, "the proof `{proof}` is required"),
        }
    }
}

impl Error for AuthenticatedRejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Session(rejection) => rejection.source(),
            Self::NotSignedIn { .. } | Self::ProofRequired { .. } => None,
        }
    }
}

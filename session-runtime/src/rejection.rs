//! What clients are told when an extractor fails: fixed texts. The reason goes
//! to tracing and into the response's extensions.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use http::StatusCode;

use crate::error::SessionError;

/// Why a session cannot be extracted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SessionRejection {
    /// The route has no session layer.
    MissingLayer {
        /// The schema or extractor that was asked for.
        wanted: &'static str,
    },
    /// The layer leaves this path out.
    Excluded {
        /// The schema or extractor that was asked for.
        wanted: &'static str,
    },
    /// Loading the session failed.
    Failed(Arc<SessionError>),
}

impl SessionRejection {
    /// The status and the fixed text that a response to this has.
    #[must_use]
    pub fn answer(&self) -> (StatusCode, &'static str) {
        match self {
            Self::MissingLayer { .. } => {
                (StatusCode::INTERNAL_SERVER_ERROR, "session layer missing")
            }
            Self::Excluded { .. } => {
                (StatusCode::INTERNAL_SERVER_ERROR, "no sessions on this path")
            }
            Self::Failed(error) => error.answer(),
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

/// Why an [`Authenticated`](crate::Authenticated) session cannot be extracted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AuthenticatedRejection {
    /// The session could not be extracted.
    Session(SessionRejection),
    /// Nobody is signed in.
    Nobody {
        /// Where the browser is redirected to, with the address that was asked for. `None`
        /// if no [`login_redirect`](crate::SessionLayer::login_redirect) is set, or the
        /// request is no navigation.
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
            Self::Nobody { .. } => f.write_str("nobody is signed in"),
        }
    }
}

impl Error for AuthenticatedRejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Session(rejection) => rejection.source(),
            Self::Nobody { .. } => None,
        }
    }
}

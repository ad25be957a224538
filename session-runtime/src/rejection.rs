//! What clients are told when an extractor fails: fixed texts. The reason goes
//! to tracing and into the response's extensions.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use axum_core::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

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
    /// Loading the session failed.
    Failed(Arc<SessionError>),
}

impl SessionRejection {
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
            Self::Failed(error) => write!(f, "a session could not be extracted: {error}"),
        }
    }
}

impl Error for SessionRejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::MissingLayer { .. } => None,
            Self::Failed(error) => error.source(),
        }
    }
}

impl IntoResponse for SessionRejection {
    fn into_response(self) -> Response {
        let source = Error::source(&self).map(tracing::field::display);
        tracing::error!(error = %self, source, "session rejected");
        let mut response = match &self {
            Self::MissingLayer { .. } => {
                (StatusCode::INTERNAL_SERVER_ERROR, "session layer missing").into_response()
            }
            Self::Failed(error) => error.answer().into_response(),
        };
        response.extensions_mut().insert(self);
        response
    }
}

impl IntoResponse for SessionError {
    /// The same answer that the layer gives when its own commit fails.
    fn into_response(self) -> Response {
        let source = self.source().map(tracing::field::display);
        tracing::error!(error = %self, source, "session error");
        let mut response = self.answer().into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
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
        /// Where to sign in, if that is configured.
        login: Option<&'static str>,
    },
}

impl AuthenticatedRejection {
    pub(crate) fn nobody(login: Option<&'static str>) -> Self {
        Self::Nobody { login }
    }
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

impl IntoResponse for AuthenticatedRejection {
    fn into_response(self) -> Response {
        match self {
            Self::Session(rejection) => rejection.into_response(),
            Self::Nobody { login: Some(location) } => {
                (StatusCode::SEE_OTHER, [(header::LOCATION, HeaderValue::from_static(location))])
                    .into_response()
            }
            Self::Nobody { login: None } => {
                (StatusCode::UNAUTHORIZED, "sign in first").into_response()
            }
        }
    }
}

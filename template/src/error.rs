//! What a handler may fail with.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use session_runtime::SessionError;

use crate::users;

/// `?` in a handler makes a response of it.
pub enum Error {
    /// Answered as the session layer does: 409, 503, …
    Session(SessionError),
    Users(users::Error),
}

impl From<SessionError> for Error {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

impl From<users::Error> for Error {
    fn from(error: users::Error) -> Self {
        Self::Users(error)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        match self {
            Self::Session(error) => error.into_response(),
            Self::Users(error) => {
                tracing::error!(%error, "the users' database failed");
                (StatusCode::INTERNAL_SERVER_ERROR, "something went wrong").into_response()
            }
        }
    }
}

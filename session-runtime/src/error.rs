//! The errors of session operations.

use std::error::Error;
use std::fmt;

use http::StatusCode;

use crate::codec::CodecError;
use crate::config::SetupError;
use crate::record::patch::{Denied, Refused};
use crate::store::{StoreError, StoreErrorKind};
use crate::token::NoRandomness;

/// The error of a failed session operation.
///
/// Never holds a token, a secret or a field's value.
///
/// ```
/// use session_runtime::{Session, SessionError, SessionSchema};
/// # #[derive(SessionSchema)]
/// # struct Visitor { #[session(compare)] budget: u32 }
/// async fn spend(mut session: Session<Visitor>) -> Result<String, SessionError> {
///     session.set_budget(session.budget() / 2);
///     match session.save().await {
///         Err(SessionError::Conflict { .. }) => Ok("another tab was faster".to_owned()),
///         saved => saved.map(|()| "spent".to_owned()),
///     }
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionError {
    /// The store failed to answer. Changes of fields were not written. A call that ends
    /// sessions may have taken effect despite a [`StoreErrorKind::Timeout`].
    Store(StoreError),
    /// The store's reply was lost: it is unknown whether the changes were applied.
    Uncertain,
    /// The session ended, or its user signed in or out, since this request
    /// loaded it. Nothing was written.
    Gone,
    /// Concurrent requests kept changing the field until
    /// [`conflict_timeout`](crate::SessionLayer::conflict_timeout) elapsed, or a
    /// `compare` field was changed by another request.
    Conflict {
        /// The stored name; `None` for the record as a whole.
        field: Option<String>,
    },
    /// A `write_once` field already holds a different value. Nothing was written.
    AlreadySet {
        /// The stored name.
        field: &'static str,
    },
    /// The sign-in was rejected: the principal already has as many sessions as
    /// [`max_sessions`](crate::SessionLayer::max_sessions) allows, or all of
    /// them were revoked after the [`LoginTicket`](crate::LoginTicket) was
    /// taken. Nothing was written.
    SignInDenied(Denied),
    /// The [`LoginTicket`](crate::LoginTicket) is too old, or was taken for
    /// another principal. Nothing was written.
    LoginExpired,
    /// The last authentication in this session is too old for this operation.
    NotFresh,
    /// A stored value does not decode as the field's type, and the field is
    /// declared `on_invalid = error` or was to be changed in place. The stored
    /// bytes are left unchanged.
    Undecodable {
        /// The stored name.
        field: &'static str,
    },
    /// A value cannot be encoded as JSON, or its JSON does not decode to the same value:
    /// a non-finite float, `Some(None)`, more than 127 levels of nesting.
    /// Nothing was written.
    Unencodable {
        /// The stored name.
        field: &'static str,
        /// The kind of encoding error, without its text, which may quote the value.
        source: CodecError,
    },
    /// The principal's value does not identify a user: it does not survive a round trip
    /// through JSON, or its JSON varies, as that of a `HashSet` does. Use an id, or a
    /// `BTreeSet`.
    AmbiguousPrincipal {
        /// The stored name.
        field: &'static str,
    },
    /// The store rejected an operation on the stored data. Nothing was written.
    Refused(Refused),
    /// The operation needs to send a new token, but the response head has been sent, or there is no
    /// response, as in [`SessionManager::update`](crate::SessionManager::update): sign in, renew
    /// the token and create sessions before the response starts.
    HeadSent,
    /// A handle with unsaved changes was moved out of the handler, into a
    /// body, a stream or a task. Call `save().await` there, or `publish()`
    /// before the response starts.
    Unpublished,
    /// The layer is misconfigured: its settings, schemas and store do not fit
    /// together; see [`SessionLayer::check`](crate::SessionLayer::check).
    Setup(SetupError),
    /// The realm is neither the layer's own nor one that it
    /// [accepts](crate::SessionLayer::accept_realm).
    UnknownRealm {
        /// The requested name.
        realm: String,
    },
    /// A bearer token was asked for, but the client's cookie opens a session, or the layer's
    /// [`transports`](crate::SessionLayer::transports) have no bearer tokens. The token of a
    /// cookie is never shown to a script.
    NotBearer,
    /// The operating system's random generator failed.
    NoRandomness,
}

impl SessionError {
    /// Returns the status and the fixed body text of the response to this error.
    ///
    /// ```
    /// use session_runtime::SessionError;
    ///
    /// let (status, text) = SessionError::NotFresh.status_and_text();
    /// assert_eq!((status.as_u16(), text), (401, "sign in again"));
    /// ```
    #[must_use]
    pub fn status_and_text(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Store(error) if error.kind() == StoreErrorKind::Unsupported => {
                (StatusCode::INTERNAL_SERVER_ERROR, "session error")
            }
            Self::Store(_) | Self::Uncertain | Self::NoRandomness => {
                (StatusCode::SERVICE_UNAVAILABLE, "session unavailable, try again")
            }
            Self::NotFresh => (StatusCode::UNAUTHORIZED, "sign in again"),
            Self::SignInDenied(Denied::AtLimit) => {
                (StatusCode::CONFLICT, "too many sessions, sign out elsewhere first")
            }
            Self::SignInDenied(Denied::Revoked) | Self::LoginExpired => {
                (StatusCode::CONFLICT, "sign in again")
            }
            Self::NotBearer => (StatusCode::BAD_REQUEST, "no bearer token for this client"),
            Self::AlreadySet { .. } => (StatusCode::CONFLICT, "this was set before"),
            Self::Gone | Self::Conflict { .. } => {
                (StatusCode::CONFLICT, "the session changed meanwhile, try again")
            }
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "session error"),
        }
    }
}

/// Logs why the handler's response was replaced: server errors at ERROR, client errors,
/// which a client can cause at will, at INFO.
pub(crate) fn report(status: StatusCode, error: &dyn Error, message: &'static str) {
    let source = error.source().map(tracing::field::display);
    if status.is_server_error() {
        tracing::error!(%error, source, "{message}");
    } else {
        tracing::info!(%error, source, "{message}");
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => write!(f, "{error}"),
            Self::Uncertain => f.write_str("it is unknown whether the session was saved"),
            Self::Gone => f.write_str("the session ended, or its user signed in or out, during the request"),
            Self::Conflict { field: Some(field) } => {
                write!(f, "`{field}` kept changing under this request")
            }
            Self::Conflict { field: None } => {
                f.write_str("the session kept changing under this request")
            }
            Self::AlreadySet { field } => {
                write!(f, "`{field}` is written once, and holds another value already")
            }
            Self::SignInDenied(Denied::AtLimit) => {
                f.write_str("the principal has as many sessions as are allowed")
            }
            Self::SignInDenied(Denied::Revoked) => {
                f.write_str("all sessions of the principal were revoked after the login began")
            }
            Self::LoginExpired => {
                f.write_str("the login ticket is too old, or was taken for another principal")
            }
            Self::NotFresh => f.write_str("the last authentication is too old for this step"),
            Self::Undecodable { field } => {
                write!(f, "the stored value of `{field}` does not decode as the field's type")
            }
            Self::Unencodable { field, .. } => {
                write!(f, "`{field}` cannot be stored as JSON that is read back as the same value")
            }
            Self::AmbiguousPrincipal { field } => write!(
                f,
                "the value of the principal `{field}` is not always encoded as the same JSON: identify users by an id, and use `BTreeSet` instead of `HashSet`",
            ),
            Self::Refused(refused) => write!(f, "{refused}"),
            Self::HeadSent => f.write_str(
                "this needs to send a new token, but the response has started, or there is none: do it before, or `save()` earlier",
            ),
            Self::Unpublished => f.write_str(
                "a session with unsaved changes outlives its handler: call `save().await` where it is used, or `publish()` before the response",
            ),
            Self::Setup(error) => write!(f, "{error}"),
            Self::UnknownRealm { realm } => write!(
                f,
                "this layer opens no sessions of the realm `{realm}`: it is neither its own nor one of `.accept_realm(…)`",
            ),
            Self::NotBearer => f.write_str(
                "a bearer token was asked for by a client with a session cookie, or on a layer without `.transports(…)` for bearer tokens",
            ),
            Self::NoRandomness => NoRandomness.fmt(f),
        }
    }
}

impl Error for SessionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Store(error) => error.source(),
            Self::Setup(error) => error.source(),
            Self::Unencodable { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<StoreError> for SessionError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<SetupError> for SessionError {
    fn from(error: SetupError) -> Self {
        Self::Setup(error)
    }
}

impl From<NoRandomness> for SessionError {
    fn from(_: NoRandomness) -> Self {
        Self::NoRandomness
    }
}

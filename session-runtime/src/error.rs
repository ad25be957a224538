//! What can go wrong with a session, for the people who call `save()`.

use std::error::Error;
use std::fmt;

use http::StatusCode;

use crate::codec::CodecError;
use crate::config::SetupError;
use crate::record::patch::{Denied, Refused};
use crate::store::{StoreError, StoreErrorKind};
use crate::token::NoRandomness;

/// An operation on a session failed.
///
/// It never holds a token, a secret or a field's value.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionError {
    /// The store could not answer. What is stored is as it was.
    Store(StoreError),
    /// The store may or may not have applied the changes: its reply was lost.
    Uncertain,
    /// The session ended, or somebody signed in or out, since this request
    /// loaded it. Nothing was written.
    Gone,
    /// Somebody else changed the field at the same time, again and again.
    Conflict {
        /// The stored name; `None` for the record as a whole.
        field: Option<String>,
    },
    /// A field that is written once holds another value already. Nothing was
    /// written.
    AlreadySet {
        /// The stored name.
        field: &'static str,
    },
    /// The sign-in was refused: the principal has as many sessions as
    /// [`max_sessions`](crate::SessionLayer::max_sessions) allows, or all of
    /// them were revoked since the [`LoginTicket`](crate::LoginTicket) was
    /// taken. Nothing was written.
    SignInDenied(Denied),
    /// The [`LoginTicket`](crate::LoginTicket) is too old, or was taken for
    /// another principal. Nothing was written.
    LoginExpired,
    /// Nobody proved who they are recently enough for this step.
    NotFresh,
    /// A stored value cannot be decoded as the field's type, and it was asked
    /// to be changed in place or declared `on_invalid = error`. The stored
    /// bytes are left alone.
    Undecodable {
        /// The stored name.
        field: &'static str,
    },
    /// A value could not be encoded as JSON, or its JSON would not be read back as that
    /// value: a float that is not finite, a `Some(None)`, nesting beyond 127 levels.
    /// Nothing was written.
    Unencodable {
        /// The stored name.
        field: &'static str,
        /// What kind of an error the encoder met: without its text, which may quote the value.
        source: CodecError,
    },
    /// Somebody was to be signed in, or looked for, by a value that does not identify
    /// them: it does not come back from its JSON, or has another text each time, as a
    /// `HashSet` has. Use an id, or a `BTreeSet`.
    AmbiguousPrincipal {
        /// The stored name.
        field: &'static str,
    },
    /// The store refused an operation on what is stored. Nothing was written.
    Refused(Refused),
    /// The operation needs a new cookie, and the response's head has left:
    /// sign in, renew and create before the response starts.
    HeadSent,
    /// A handle with unsaved changes was moved out of the handler, into a
    /// body, a stream or a task. Call `save().await` there, or `publish()`
    /// before the response starts.
    Unpublished,
    /// The settings, the schemas and the store do not fit together; see
    /// [`SessionLayer::check`](crate::SessionLayer::check).
    Setup(SetupError),
    /// The layer opens no sessions of this realm: it is neither its own nor one
    /// that it [accepts](crate::SessionLayer::accept_realm).
    UnknownRealm {
        /// The name that was given.
        realm: String,
    },
    /// The operating system's random generator failed.
    NoRandomness,
}

impl SessionError {
    /// The status and the fixed text that a response to this error has.
    #[must_use]
    pub fn answer(&self) -> (StatusCode, &'static str) {
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
            Self::AlreadySet { .. } => (StatusCode::CONFLICT, "this was set before"),
            Self::Gone | Self::Conflict { .. } => {
                (StatusCode::CONFLICT, "the session changed meanwhile, try again")
            }
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "session error"),
        }
    }
}

/// Logs why a response is not the handler's: at ERROR if the server is to blame, and at
/// INFO if the client is, who can cause such responses at will.
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
            Self::Gone => f.write_str("the session ended or changed hands during the request"),
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
                f.write_str("whoever signs in has as many sessions as are allowed")
            }
            Self::SignInDenied(Denied::Revoked) => {
                f.write_str("all sessions of whoever signs in were revoked since the login began")
            }
            Self::LoginExpired => {
                f.write_str("the login ticket is too old, or was taken for another principal")
            }
            Self::NotFresh => f.write_str("nobody proved who they are recently enough"),
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
                "this needs a new cookie, but the response has started: do it before, or `save()` earlier",
            ),
            Self::Unpublished => f.write_str(
                "a session with unsaved changes outlives its handler: call `save().await` where it is used, or `publish()` before the response",
            ),
            Self::Setup(error) => write!(f, "{error}"),
            Self::UnknownRealm { realm } => write!(
                f,
                "this layer opens no sessions of the realm `{realm}`: it is neither its own nor one of `.accept_realm(…)`",
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

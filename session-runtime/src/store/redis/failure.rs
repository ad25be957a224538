//! What can go wrong between the store and its server.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::record::form::InvalidForm;
use crate::store::engine::{self, Doubt};
use crate::store::error::{StoreError, StoreErrorKind};

/// A call without an answer.
#[derive(Debug)]
pub(super) struct Failure {
    kind: StoreErrorKind,
    text: String,
    /// The request may have reached the server.
    pub(super) maybe_done: bool,
}

impl Failure {
    pub(super) fn new(kind: StoreErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), maybe_done: false }
    }

    pub(super) fn corrupt(what: &str) -> Self {
        Self::new(StoreErrorKind::Corrupt, format!("a stored {what} is not what this store writes"))
    }

    pub(super) fn config(text: impl Into<String>) -> Self {
        Self::new(StoreErrorKind::Config, text)
    }

    /// What the server or the client library said. Its detail is left out
    /// where it may repeat an argument.
    pub(super) fn of(error: &RedisError) -> Self {
        let kind = match error.kind() {
            _ if is_full(error) => StoreErrorKind::Full,
            ErrorKind::InvalidClientConfig
            | ErrorKind::AuthenticationFailed
            | ErrorKind::RESP3NotSupported
            | ErrorKind::MasterNameNotFoundBySentinel
            | ErrorKind::EmptySentinelList
            | ErrorKind::Server(ServerErrorKind::NoPerm | ServerErrorKind::CrossSlot) => {
                StoreErrorKind::Config
            }
            ErrorKind::Parse | ErrorKind::UnexpectedReturnType => StoreErrorKind::Corrupt,
            _ if error.code() == Some("WRONGTYPE") => StoreErrorKind::Corrupt,
            _ => StoreErrorKind::Unavailable,
        };
        let text = match error.code() {
            Some(code) => format!("{code}: {}", error.detail().unwrap_or_default()),
            None => error.to_string(),
        };
        Self::new(kind, text)
    }

    pub(super) fn timeout(text: &str) -> Self {
        Self::new(StoreErrorKind::Timeout, text)
    }

    pub(super) fn maybe_done(mut self, maybe: bool) -> Self {
        self.maybe_done = maybe;
        self
    }
}

/// No memory, or no disk: a server that cannot keep what it is told (`MISCONF`)
/// takes no more of it.
fn is_full(error: &RedisError) -> bool {
    // Inside a script it may come as a plain error with the words in its text.
    let said = |text: &str| {
        text.contains("OOM command not allowed")
            || text.contains("OOM allow-oom")
            || text.contains("MISCONF ")
    };
    matches!(error.code(), Some("OOM" | "MISCONF")) || error.detail().is_some_and(said)
}

/// Whether asking again, on another connection or a little later, may help.
pub(super) fn is_passing(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Io
            | ErrorKind::ClusterConnectionNotFound
            | ErrorKind::NoValidReplicasFoundBySentinel
            | ErrorKind::Server(
                ServerErrorKind::BusyLoading
                    | ServerErrorKind::Moved
                    | ServerErrorKind::Ask
                    | ServerErrorKind::TryAgain
                    | ServerErrorKind::ClusterDown
                    | ServerErrorKind::MasterDown
                    | ServerErrorKind::ReadOnly
            )
    )
}

impl From<InvalidForm> for Failure {
    fn from(invalid: InvalidForm) -> Self {
        Self::new(StoreErrorKind::Corrupt, invalid.to_string())
    }
}

impl From<Failure> for engine::Failure {
    fn from(failure: Failure) -> Self {
        let doubt = if failure.maybe_done { Doubt::MaybeDone } else { Doubt::None };
        Self::new(failure.kind, failure.text).in_doubt(doubt)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        Self::because(failure.kind, failure.text)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

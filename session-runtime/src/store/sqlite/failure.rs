//! Failures of SQLite, described for the operator of the service.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rusqlite::ErrorCode;

use crate::record::form::{DoesNotFit, InvalidForm};
use crate::store::error::{StoreError, StoreErrorKind};

/// Why SQLite could not do something. Cheap to clone: one failed commit is the answer to a whole
/// batch.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    kind: StoreErrorKind,
    text: Arc<str>,
    io: bool,
}

impl Failure {
    pub(super) fn new(kind: StoreErrorKind, text: impl Into<Arc<str>>) -> Self {
        Self { kind, text: text.into(), io: false }
    }

    /// A problem with the file that its operator has to fix.
    pub(super) fn config(path: &Path, text: impl fmt::Display) -> Self {
        Self::new(StoreErrorKind::Config, format!("{}: {text}", path.display()))
    }

    /// The thread that should have answered has panicked or is gone.
    pub(super) fn stopped(thread: &str) -> Self {
        let text = format!("the {thread} thread gave no answer; see the log for its panic");
        Self::new(StoreErrorKind::Unavailable, text)
    }

    /// The store was closed.
    pub(super) fn closed() -> Self {
        Self::new(StoreErrorKind::Unavailable, "the store was closed (`SqliteStore::close`)")
    }

    /// A row was not written by this store.
    pub(super) fn corrupt(what: &str) -> Self {
        Self::new(StoreErrorKind::Corrupt, format!("a stored {what} cannot be read"))
    }

    /// Prefixes the failure with what was being done.
    pub(super) fn during(self, what: impl fmt::Display) -> Self {
        Self { text: format!("{what}: {}", self.text).into(), ..self }
    }

    /// Prefixes the failure with the file and advice.
    pub(super) fn at(self, path: &Path, advice: &str) -> Self {
        self.during(format_args!("{} ({advice})", path.display()))
    }

    /// Whether the text already names the file and says what to do.
    pub(super) fn is_config(&self) -> bool {
        self.kind == StoreErrorKind::Config
    }

    /// Whether reading or writing the file itself failed. A commit may then have reached the disk,
    /// although its synchronisation was not confirmed.
    pub(super) const fn is_io(&self) -> bool {
        self.io
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error_code();
        let kind = match code {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreErrorKind::Timeout,
            Some(ErrorCode::DiskFull | ErrorCode::TooBig) => StoreErrorKind::Full,
            // A retry would not help.
            Some(ErrorCode::ReadOnly) => StoreErrorKind::Config,
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => StoreErrorKind::Corrupt,
            // A column has another type than this store writes.
            None => StoreErrorKind::Corrupt,
            Some(_) => StoreErrorKind::Unavailable,
        };
        let io = code == Some(ErrorCode::SystemIoFailure);
        Self { kind, text: format!("sqlite: {error}").into(), io }
    }
}

impl From<InvalidForm> for Failure {
    fn from(invalid: InvalidForm) -> Self {
        Self::new(StoreErrorKind::Corrupt, invalid.to_string())
    }
}

impl From<DoesNotFit> for Failure {
    fn from(error: DoesNotFit) -> Self {
        Self::new(StoreErrorKind::Unsupported, error.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        Self::because(failure.kind, failure.text.to_string())
    }
}

/// Why a write was not acknowledged.
#[derive(Clone, Debug)]
pub(super) enum Unacknowledged {
    /// Nothing was written.
    NotWritten(Failure),
    /// It may have been written.
    Unknown(Failure),
}

impl From<Unacknowledged> for StoreError {
    fn from(why: Unacknowledged) -> Self {
        match why {
            Unacknowledged::NotWritten(failure) | Unacknowledged::Unknown(failure) => {
                failure.into()
            }
        }
    }
}

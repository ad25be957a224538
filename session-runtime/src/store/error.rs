//! The errors of a store.

use std::error::Error;
use std::fmt;

/// An error of a store that could not answer.
///
/// Absent, expired, superseded and conflicting are answers, not errors.
#[derive(Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// The classes of store errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The server, file or worker behind the store cannot be reached.
    Unavailable,
    /// There was no answer within the deadline.
    Timeout,
    /// The store is full, and evicts nothing by itself.
    Full,
    /// The stored data is not in a format that this store writes.
    Corrupt,
    /// The store is misconfigured; the source says how.
    Config,
    /// The store does not support the operation; see [`Capabilities`](super::Capabilities).
    Unsupported,
}

impl StoreError {
    /// Creates an error without a source.
    #[must_use]
    pub const fn new(kind: StoreErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// Creates an error of `kind` with a source, which must not contain secrets.
    pub fn because(kind: StoreErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, source: Some(source.into()) }
    }

    /// Returns the class of the error.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            StoreErrorKind::Unavailable => "the session store cannot be reached",
            StoreErrorKind::Timeout => "the session store did not answer in time",
            StoreErrorKind::Full => "the session store is full",
            StoreErrorKind::Corrupt => "the session store returned something it did not write",
            StoreErrorKind::Config => "the session store is misconfigured",
            StoreErrorKind::Unsupported => "the session store cannot do this",
        })
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

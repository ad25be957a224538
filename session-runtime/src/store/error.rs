//! What can go wrong between a store and its server, disk or memory.

use std::error::Error;
use std::fmt;

/// A store could not answer.
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
    /// No answer within the deadline.
    Timeout,
    /// The store is full and evicts nothing by itself.
    Full,
    /// What was read back is not what a store of this kind writes.
    Corrupt,
    /// The settings do not make sense; the source says which.
    Config,
    /// This store cannot do that at all, see
    /// [`Capabilities`](super::Capabilities).
    Unsupported,
}

impl StoreError {
    /// An error without a source.
    #[must_use]
    pub const fn new(kind: StoreErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// An error of `kind` because of `source`, which must not hold secrets.
    pub fn because(kind: StoreErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, source: Some(source.into()) }
    }

    /// The class of the error.
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
            StoreErrorKind::Config => "the session store is not set up right",
            StoreErrorKind::Unsupported => "the session store cannot do this",
        })
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

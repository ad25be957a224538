//! Failures of calls.

use std::fmt;

use crate::record::form::{DoesNotFit, InvalidForm};
use crate::store::error::{StoreError, StoreErrorKind};

/// Whether a failed request may have been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Doubt {
    /// It was not done.
    None,
    /// The request may have arrived.
    MaybeDone,
}

/// Why a store cannot answer. The text contains neither secrets nor values.
#[derive(Debug)]
pub(in crate::store) struct Failure {
    pub(in crate::store) kind: StoreErrorKind,
    text: String,
    pub(in crate::store) doubt: Doubt,
}

impl Failure {
    pub(in crate::store) fn new(kind: StoreErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), doubt: Doubt::None }
    }

    pub(in crate::store) fn corrupt(what: impl fmt::Display) -> Self {
        Self::new(StoreErrorKind::Corrupt, what.to_string())
    }

    pub(in crate::store) fn timeout(text: &str) -> Self {
        Self::new(StoreErrorKind::Timeout, text)
    }

    /// Creates the failure of a misconfiguration, which a retry cannot fix.
    pub(in crate::store) fn config(text: impl Into<String>) -> Self {
        Self::new(StoreErrorKind::Config, text)
    }

    /// Prefixes the failure with what was being done.
    pub(in crate::store) fn during(self, what: impl fmt::Display) -> Self {
        Self { text: format!("{what}: {}", self.text), ..self }
    }

    pub(in crate::store) fn in_doubt(mut self, doubt: Doubt) -> Self {
        if doubt == Doubt::MaybeDone {
            self.doubt = doubt;
        }
        self
    }
}

impl From<InvalidForm> for Failure {
    fn from(invalid: InvalidForm) -> Self {
        Self::corrupt(invalid)
    }
}

impl From<DoesNotFit> for Failure {
    fn from(error: DoesNotFit) -> Self {
        Self::new(StoreErrorKind::Unsupported, error.to_string())
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        Self::because(failure.kind, failure.text)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

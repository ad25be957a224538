//! Why a configuration makes no layer.

use std::error::Error;
use std::fmt;

use crate::config::ConfigError;
use crate::store::ConnectError;

/// Why a [`SessionConfig`](super::SessionConfig) makes no layer. It holds no secret.
#[derive(Debug)]
#[non_exhaustive]
pub enum SetupError {
    /// Entries that make no sense, a line each, which begins with the entry's full name.
    /// What stands there is not repeated: it may be a secret.
    Entries(Vec<String>),
    /// A setting does not make sense, or not with this store.
    Setting(ConfigError),
    /// The store cannot be opened.
    Store(ConnectError),
    /// What an entry refers to cannot be used.
    Reference {
        /// The entry.
        entry: &'static str,
        /// What is wrong, and what to do.
        problem: String,
    },
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entries(problems) => f.write_str(&problems.join("\n")),
            Self::Setting(error) => error.fmt(f),
            Self::Store(error) => write!(f, "`store`: {error}"),
            Self::Reference { entry, problem } => write!(f, "`{entry}`: {problem}"),
        }
    }
}

impl Error for SetupError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Store(error) => error.source(),
            Self::Entries(_) | Self::Setting(_) | Self::Reference { .. } => None,
        }
    }
}

//! Values that may be stored elsewhere: in the environment or in a file.

use std::fmt;

use crate::config::SetupError;

/// A secret, or a reference to it.
#[derive(Clone)]
pub(super) enum Reference {
    Text(String),
    Env(String),
    File(String),
}

impl From<String> for Reference {
    fn from(text: String) -> Self {
        if let Some(name) = text.strip_prefix("env:") {
            Self::Env(name.trim().to_owned())
        } else if let Some(path) = text.strip_prefix("file:") {
            Self::File(path.trim().to_owned())
        } else {
            Self::Text(text)
        }
    }
}

impl Reference {
    /// Returns the value; one from the environment or a file without surrounding white space.
    ///
    /// # Errors
    ///
    /// If the variable is not set or empty, or the file is empty or cannot be read.
    pub(super) fn resolve(&self, entry: &'static str) -> Result<String, SetupError> {
        let problem = match self {
            Self::Text(text) => return Ok(text.clone()),
            Self::Env(name) => match std::env::var(name) {
                Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
                _ => format!("the environment variable `{name}` is not set"),
            },
            Self::File(path) => match std::fs::read_to_string(path) {
                Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
                Ok(_) => format!("the file `{path}` is empty"),
                Err(error) => format!("the file `{path}` cannot be read: {error}"),
            },
        };
        Err(SetupError::setting(entry, problem))
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The rest of a URL may hold a password.
            Self::Text(text) => match text.split_once(':') {
                Some((scheme, _)) => write!(f, "{scheme}:…"),
                None => f.write_str("…"),
            },
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{path}"),
        }
    }
}

/// Builds the ring of `keys`, in this order.
#[cfg(feature = "keys")]
pub(super) fn ring(keys: &[Reference]) -> Result<crate::keys::KeyRing, SetupError> {
    let texts = keys.iter().map(|key| key.resolve("keys")).collect::<Result<Vec<_>, _>>()?;
    texts
        .join(",")
        .parse()
        .map_err(|error: crate::keys::InvalidKey| SetupError::setting("keys", error.to_string()))
}

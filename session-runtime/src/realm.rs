//! The realm that a layer's sessions belong to.

use std::fmt;
use std::sync::Arc;

/// A namespace that separates the sessions of several layers or applications in one
/// store.
///
/// The realm is part of the hash of a token's secret, of its signature, of encrypted
/// fields and of the principal's text: a token of one realm is unknown in all others.
///
/// ```
/// use session_runtime::{InvalidRealm, Realm};
///
/// assert_eq!(Realm::new("admin")?.as_str(), "admin");
/// assert_eq!(Realm::new("a b"), Err(InvalidRealm));
/// # Ok::<(), InvalidRealm>(())
/// ```
///
/// # Default
///
/// `session`. A layer uses the name of its cookie without the prefix.
// `None` is the default realm, which nearly every record has and which needs no
// allocation. Otherwise a thin pointer, because every record holds a realm.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Realm(Option<Arc<Box<str>>>);

impl Realm {
    /// The maximum length of a name, in bytes.
    pub const LONGEST: usize = 64;

    const DEFAULT: &'static str = "session";

    /// Creates the realm with this name.
    ///
    /// # Errors
    ///
    /// If the name is empty, longer than [`LONGEST`](Self::LONGEST), or contains
    /// anything but visible ASCII characters other than `:`.
    pub fn new(name: &str) -> Result<Self, InvalidRealm> {
        let fits = !name.is_empty() && name.len() <= Self::LONGEST;
        if !fits || !name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':') {
            return Err(InvalidRealm);
        }
        Ok(match name {
            Self::DEFAULT => Self::default(),
            other => Self(Some(Arc::new(other.into()))),
        })
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_ref().map_or(Self::DEFAULT, |name| name)
    }

    /// Returns whether this is the default realm.
    #[must_use]
    pub const fn is_default(&self) -> bool {
        self.0.is_none()
    }
}

impl fmt::Display for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Realm({self})")
    }
}

/// The error for a name that is not valid for a [`Realm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidRealm;

impl fmt::Display for InvalidRealm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a realm is 1 to 64 visible ASCII characters without `:`")
    }
}

impl std::error::Error for InvalidRealm {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_realm_is_the_one_named_session() {
        assert_eq!(Realm::new("session"), Ok(Realm::default()));
        assert_eq!(Realm::default().as_str(), "session");
        let admin = Realm::new("admin").unwrap();
        assert_eq!((admin.as_str(), admin.is_default()), ("admin", false));
    }

    #[test]
    fn names_that_could_be_taken_for_something_else_are_refused() {
        let long = "x".repeat(65);
        for name in ["", "a:b", "a b", "a\n", "ä", long.as_str()] {
            assert_eq!(Realm::new(name), Err(InvalidRealm), "{name:?}");
        }
    }
}

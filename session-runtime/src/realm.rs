//! Which layer a session belongs to.

use std::fmt;
use std::sync::Arc;

/// What keeps the sessions of several layers, or several applications, apart in
/// one store.
///
/// The realm goes into the hash of a token's secret, into its signature, into
/// encrypted fields and into the text of the principal: a token of one realm is
/// unknown in every other.
///
/// # Default
///
/// `session`. A layer takes the name of its cookie without its prefix.
// `None`: the default, which nearly every record has, and which takes no room of
// its own. Otherwise a thin pointer, for every record has one.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Realm(Option<Arc<Box<str>>>);

impl Realm {
    /// The longest name, in bytes.
    pub const LONGEST: usize = 64;

    const DEFAULT: &'static str = "session";

    /// The realm of this name.
    ///
    /// # Errors
    ///
    /// If it is empty, longer than [`LONGEST`](Self::LONGEST), or not of visible
    /// ASCII characters other than `:`.
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

    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_ref().map_or(Self::DEFAULT, |name| name)
    }

    /// Whether it is the default one.
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

/// A text that cannot name a [`Realm`].
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

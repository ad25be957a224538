//! The user that a session belongs to.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::codec::canonical;
use crate::inline::Inline;
use crate::realm::Realm;

/// The user that a session belongs to: a realm, a namespace and the JSON of the principal field.
///
/// The realm and the namespace distinguish customer 42 from administrator 42. The entries of JSON
/// objects are sorted by name, so that a principal that contains a `HashMap` always has the same
/// text.
#[derive(Clone, PartialEq, Eq)]
pub struct Principal(Inline<Arc<[u8]>>);

impl Principal {
    /// Creates the principal with this JSON in `namespace` (which has no `:`), in the default
    /// realm.
    #[must_use]
    #[doc(hidden)]
    pub fn new(namespace: &str, json: &str) -> Self {
        Self::of(&Realm::default(), namespace, json)
    }

    /// Creates the principal with this JSON in `namespace` (which has no `:`) of `realm`.
    #[must_use]
    #[doc(hidden)]
    pub fn of(realm: &Realm, namespace: &str, json: &str) -> Self {
        let json = canonical(json.as_bytes());
        let (realm, namespace) = (realm.as_str().as_bytes(), namespace.as_bytes());
        Self(Inline::concat(&[realm, b":", namespace, b":", &json], Into::into))
    }

    /// Parses [`Principal::as_str`].
    #[must_use]
    #[doc(hidden)]
    pub fn from_stored(text: &str) -> Self {
        Self::concat([text])
    }

    fn concat<const N: usize>(parts: [&str; N]) -> Self {
        Self(Inline::concat(&parts.map(str::as_bytes), Into::into))
    }

    /// Returns `realm:namespace:json`, for a store that writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.0.as_slice()).unwrap_or_default()
    }

    /// The bytes that it takes besides its own size.
    pub(super) fn outside(&self) -> usize {
        self.0.outside()
    }

    /// Returns the JSON of the principal field.
    #[must_use]
    pub fn json(&self) -> &str {
        self.in_realm().split_once(':').map_or("", |(_, json)| json)
    }

    /// Returns the namespace of the schema.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.in_realm().split_once(':').map_or("", |(namespace, _)| namespace)
    }

    /// Returns the principal of sessions in which another user acts as this one: listed and ended
    /// with theirs, and in no other way theirs.
    pub(crate) fn acted(&self) -> Self {
        let (realm, json) = (self.realm(), self.json());
        Self::concat([realm, ":", self.namespace(), ACTED, ":", json])
    }

    /// Whether it is one of those.
    pub(crate) fn is_acted(&self) -> bool {
        // In most cases the mark occurs nowhere.
        self.0.as_slice().contains(&ACTED.as_bytes()[0]) && self.namespace().ends_with(ACTED)
    }

    /// Returns the user, whoever acts as them.
    pub(crate) fn user(&self) -> Self {
        match self.namespace().strip_suffix(ACTED) {
            Some(own) => Self::concat([self.realm(), ":", own, ":", self.json()]),
            None => self.clone(),
        }
    }

    fn realm(&self) -> &str {
        self.as_str().split_once(':').map_or("", |(realm, _)| realm)
    }

    /// Returns `namespace:json`, if the principal belongs to `realm`.
    pub(super) fn within(&self, realm: &Realm) -> Option<&str> {
        self.as_str().strip_prefix(realm.as_str())?.strip_prefix(':')
    }

    /// Whether both are the same user, whatever their realms.
    pub(crate) fn is_namesake(&self, other: &Self) -> bool {
        self.in_realm() == other.in_realm()
    }

    /// Returns `namespace:json`.
    fn in_realm(&self) -> &str {
        self.as_str().split_once(':').map_or("", |(_, rest)| rest)
    }

    /// Whether it equals the principal [`of`](Self::of) these arguments, whoever acts as them.
    #[must_use]
    #[doc(hidden)]
    pub fn is(&self, realm: &Realm, namespace: &str, json: &str) -> bool {
        let within = self.0.as_slice().strip_prefix(realm.as_str().as_bytes());
        let rest = within.and_then(|it| it.strip_prefix(b":")?.strip_prefix(namespace.as_bytes()));
        let known =
            rest.and_then(|it| it.strip_prefix(ACTED.as_bytes()).unwrap_or(it).strip_prefix(b":"));
        let json = json.as_bytes();
        known.is_some_and(|known| known == json || known == &*canonical(json))
    }

    /// Returns the hash by which a session remembers its last principal.
    #[must_use]
    #[doc(hidden)]
    pub fn hash(&self) -> PrincipalHash {
        let hash: [u8; 32] = Sha256::digest(self.0.as_slice()).into();
        let mut half = [0; PrincipalHash::BYTES];
        half.copy_from_slice(&hash[..PrincipalHash::BYTES]);
        PrincipalHash(half)
    }
}

impl Hash for Principal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_slice().hash(state);
    }
}

/// Follows the namespace where another user acts as this one. It occurs in no namespace.
const ACTED: &str = "!";

impl fmt::Debug for Principal {
    /// Does not show the value: it may be an address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Principal({}:…)", self.namespace())
    }
}

/// The first half of the SHA-256 hash of a [`Principal`]: enough to recognise it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PrincipalHash([u8; PrincipalHash::BYTES]);

impl PrincipalHash {
    /// The length in bytes.
    pub const BYTES: usize = 16;

    /// Creates the hash from its bytes, for a store that reads them back.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes, for a store that writes them.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Display for PrincipalHash {
    /// Writes it in hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PrincipalHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrincipalHash({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_entries_makes_nobody_else() {
        let (realm, text) = (Realm::default(), r#"{"tenant":{"a":1,"b":2},"id":7}"#);
        let other = r#"{"id":7,"tenant":{"b":2,"a":1}}"#;
        let principal = Principal::of(&realm, "", text);
        assert_eq!(principal, Principal::of(&realm, "", other));
        assert!(principal.is(&realm, "", text) && principal.is(&realm, "", other));
        assert!(!principal.is(&realm, "", r#"{"id":7,"tenant":{"b":1,"a":2}}"#));
        assert_ne!(Principal::new("", "[1,2]"), Principal::new("", "[2,1]"));
    }

    #[test]
    fn to_act_as_a_user_is_not_to_be_that_user() {
        for (realm, namespace) in [("shop", ""), ("shop", "staff"), ("a!", "staff")] {
            let realm = Realm::new(realm).unwrap();
            let user = Principal::of(&realm, namespace, "\"a!:b\"");
            let acted = user.acted();
            assert_ne!(acted, user);
            assert!(acted.is_acted() && !user.is_acted());
            assert!(acted.is(&realm, namespace, "\"a!:b\""));
            assert!(!acted.is(&realm, namespace, "\"a\""));
            assert_eq!((acted.user(), user.user()), (user.clone(), user));
        }
    }

    #[test]
    fn the_same_number_in_another_realm_or_namespace_is_somebody_else() {
        let realm = |name| Realm::new(name).unwrap();
        let customer = Principal::of(&realm("shop"), "staff", "\"a:b\"");
        assert!(customer.is(&realm("shop"), "staff", "\"a:b\""));
        for (name, namespace, json) in [
            ("admin", "staff", "\"a:b\""),
            ("shop", "", "\"a:b\""),
            ("shop", "staf", "\"a:b\""),
            ("shop", "staff", "\"a\""),
        ] {
            assert!(!customer.is(&realm(name), namespace, json), "{name} {namespace} {json}");
            assert_ne!(customer, Principal::of(&realm(name), namespace, json));
        }
    }
}

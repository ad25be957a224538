//! The user that a session belongs to.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::codec::canonical;
use crate::realm::Realm;

/// The user that a session belongs to: a realm, a namespace and the JSON of the principal field.
///
/// The realm and the namespace distinguish customer 42 from administrator 42. The entries of JSON
/// objects are sorted by name, so that a principal that contains a `HashMap` always has the same
/// text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principal(Arc<str>);

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
        let json = String::from_utf8_lossy(&json);
        Self([realm.as_str(), ":", namespace, ":", &json].concat().into())
    }

    /// Parses [`Principal::as_str`].
    #[must_use]
    #[doc(hidden)]
    pub fn from_stored(text: &str) -> Self {
        Self(text.into())
    }

    /// Returns `realm:namespace:json`, for a store that writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
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
        Self([realm, ":", self.namespace(), ACTED, ":", json].concat().into())
    }

    /// Whether it is one of those.
    pub(crate) fn is_acted(&self) -> bool {
        // In most cases the mark occurs nowhere.
        self.0.contains(ACTED) && self.namespace().ends_with(ACTED)
    }

    /// Returns the user, whoever acts as them.
    pub(crate) fn user(&self) -> Self {
        match self.namespace().strip_suffix(ACTED) {
            Some(own) => Self([self.realm(), ":", own, ":", self.json()].concat().into()),
            None => self.clone(),
        }
    }

    fn realm(&self) -> &str {
        self.0.split_once(':').map_or("", |(realm, _)| realm)
    }

    /// Returns `namespace:json`, if the principal belongs to `realm`.
    pub(super) fn within(&self, realm: &Realm) -> Option<&str> {
        self.0.strip_prefix(realm.as_str())?.strip_prefix(':')
    }

    /// Whether both are the same user, whatever their realms.
    pub(crate) fn is_namesake(&self, other: &Self) -> bool {
        self.in_realm() == other.in_realm()
    }

    /// Returns `namespace:json`.
    fn in_realm(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, rest)| rest)
    }

    /// Whether it equals the principal [`of`](Self::of) these arguments, whoever acts as them.
    #[must_use]
    #[doc(hidden)]
    pub fn is(&self, realm: &Realm, namespace: &str, json: &str) -> bool {
        let known = self.within(realm);
        known
            .and_then(|rest| {
                let rest = rest.strip_prefix(namespace)?;
                rest.strip_prefix(ACTED).unwrap_or(rest).strip_prefix(':')
            })
            .is_some_and(|known| known == json || known.as_bytes() == &*canonical(json.as_bytes()))
    }

    /// Returns the hash by which a session remembers its last principal.
    #[must_use]
    #[doc(hidden)]
    pub fn hash(&self) -> PrincipalHash {
        let hash: [u8; 32] = Sha256::digest(self.0.as_bytes()).into();
        let mut half = [0; PrincipalHash::BYTES];
        half.copy_from_slice(&hash[..PrincipalHash::BYTES]);
        PrincipalHash(half)
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

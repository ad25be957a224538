//! The layer's optional keys; without the feature `keys` there are none.

#[cfg(feature = "keys")]
use super::ring::KeyRing;
#[cfg(feature = "keys")]
use super::seal::Opened;
use crate::clock::Timestamp;
use crate::codec::expiring;
use crate::id::SessionId;
use crate::realm::Realm;
use crate::token::{NoRandomness, SessionToken};

/// The record that a value belongs to.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "keys"), allow(dead_code))]
pub(crate) struct Home<'r> {
    pub(crate) realm: &'r Realm,
    pub(crate) session: SessionId,
}

/// The place of a value: it decrypts nowhere else.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "keys"), allow(dead_code))]
pub(crate) struct Place<'n> {
    pub(crate) home: Home<'n>,
    /// The stored name, including the namespace.
    pub(crate) name: &'n str,
    /// The expiry time of the value.
    pub(crate) until: Option<Timestamp>,
}

/// The decrypted value of a secret field.
pub(crate) struct Plain {
    /// The value as stored without encryption. Invalid JSON if it does not decrypt.
    pub(crate) value: Vec<u8>,
    /// Whether it is stored as the current settings would store it.
    pub(crate) settled: bool,
}

/// How a field's values are stored: with `ttl`, the expiry time is stored beside the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Plain,
    Expiring,
}

/// The prefix of values that do not decrypt. No JSON begins with it.
const LOCKED: &[u8] = b"!";

#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    #[cfg(feature = "keys")]
    pub(crate) ring: Option<KeyRing>,
    #[cfg(feature = "keys")]
    pub(crate) accept_plain_fields: bool,
    #[cfg(feature = "keys")]
    pub(crate) sign_tokens: bool,
    #[cfg(feature = "keys")]
    pub(crate) accept_unsigned_tokens: bool,
}

impl Keys {
    /// Returns whether there is a key.
    pub(crate) fn are_there(&self) -> bool {
        #[cfg(feature = "keys")]
        return self.ring.is_some();
        #[cfg(not(feature = "keys"))]
        false
    }

    /// Decrypts the stored value of a secret field.
    pub(crate) fn open(&self, form: Form, home: Home<'_>, name: &str, stored: &[u8]) -> Plain {
        let (until, sealed) = parts_of(form, stored);
        let (value, settled) = match self.open_at(&Place { home, name, until }, sealed) {
            Some((json, settled)) => (json, settled),
            None => ([LOCKED, sealed].concat(), false),
        };
        Plain { value: whole(until, value), settled }
    }

    /// Decrypts the stored value of any field; `None` if it is not encrypted.
    pub(crate) fn open_any(&self, home: Home<'_>, name: &str, stored: &[u8]) -> Option<Vec<u8>> {
        #[cfg(feature = "keys")]
        {
            let (until, sealed) = parts(stored);
            match self.ring.as_ref()?.open(&Place { home, name, until }, sealed) {
                Opened::Value { json, .. } => Some(whole(until, json)),
                Opened::Refused => Some(whole(until, [LOCKED, sealed].concat())),
                Opened::Plain => None,
            }
        }
        #[cfg(not(feature = "keys"))]
        {
            let _ = (home, name, stored);
            None
        }
    }

    #[cfg(feature = "keys")]
    fn open_at(&self, place: &Place<'_>, sealed: &[u8]) -> Option<(Vec<u8>, bool)> {
        match self.ring.as_ref()?.open(place, sealed) {
            Opened::Value { json, first } => Some((json, first)),
            Opened::Plain if self.accept_plain_fields => Some((sealed.to_vec(), false)),
            Opened::Plain | Opened::Refused => None,
        }
    }

    #[cfg(not(feature = "keys"))]
    fn open_at(&self, _: &Place<'_>, _: &[u8]) -> Option<(Vec<u8>, bool)> {
        None
    }

    /// Encrypts `plain`, a value as returned by [`open`](Self::open), for a secret field.
    /// Returns `None` for a value that did not decrypt, and if there is no key (then no
    /// schema with a secret field is admitted).
    pub(crate) fn seal(
        &self,
        form: Form,
        home: Home<'_>,
        name: &str,
        plain: &[u8],
    ) -> Result<Option<Vec<u8>>, NoRandomness> {
        let (until, json) = parts_of(form, plain);
        if is_locked(json) {
            return Ok(None);
        }
        let sealed = self.seal_at(&Place { home, name, until }, json)?;
        Ok(sealed.map(|sealed| whole(until, sealed)))
    }

    #[cfg(feature = "keys")]
    fn seal_at(&self, place: &Place<'_>, json: &[u8]) -> Result<Option<Vec<u8>>, NoRandomness> {
        self.ring.as_ref().map(|ring| ring.seal(place, json)).transpose()
    }

    #[cfg(not(feature = "keys"))]
    fn seal_at(&self, _: &Place<'_>, _: &[u8]) -> Result<Option<Vec<u8>>, NoRandomness> {
        Ok(None)
    }

    /// Re-encrypts a value of the session `home` for the same field of `other`. Returns
    /// `None` if it does not decrypt.
    pub(crate) fn move_to(
        &self,
        other: Home<'_>,
        home: Home<'_>,
        name: &str,
        stored: &[u8],
    ) -> Result<Option<Vec<u8>>, NoRandomness> {
        #[cfg(feature = "keys")]
        {
            let (until, sealed) = parts(stored);
            let place = Place { home, name, until };
            let Some(ring) = &self.ring else { return Ok(None) };
            let Opened::Value { json, .. } = ring.open(&place, sealed) else { return Ok(None) };
            let sealed = ring.seal(&Place { home: other, ..place }, &json)?;
            Ok(Some(whole(until, sealed)))
        }
        #[cfg(not(feature = "keys"))]
        {
            let _ = (other, home, name, stored);
            Ok(None)
        }
    }

    /// Parses, and if required verifies, the token in a cookie's value.
    pub(crate) fn token_in(&self, realm: &Realm, text: &str) -> Option<SessionToken> {
        #[cfg(feature = "keys")]
        if let (true, Some(ring)) = (self.sign_tokens, &self.ring) {
            return match ring.verify(realm, text) {
                None if self.accept_unsigned_tokens => SessionToken::parse(text),
                signed => signed,
            };
        }
        #[cfg(not(feature = "keys"))]
        let _ = realm;
        SessionToken::parse(text)
    }

    /// Appends the cookie's value for `token`.
    pub(crate) fn write_text_of(&self, realm: &Realm, token: &SessionToken, text: &mut String) {
        #[cfg(feature = "keys")]
        if let (true, Some(ring)) = (self.sign_tokens, &self.ring) {
            text.push_str(&ring.sign(realm, token));
            return;
        }
        #[cfg(not(feature = "keys"))]
        let _ = realm;
        token.write_to(text);
    }
}

/// Returns whether this is a value that did not decrypt.
pub(crate) fn is_locked(value: &[u8]) -> bool {
    expiring::value_of(value).starts_with(LOCKED)
}

/// Splits only values of fields with `ttl`: others may look as if they had an expiry time.
fn parts_of(form: Form, stored: &[u8]) -> (Option<Timestamp>, &[u8]) {
    match form {
        Form::Expiring => parts(stored),
        Form::Plain => (None, stored),
    }
}

/// Splits off the expiry time, which is stored in clear beside the encrypted value.
fn parts(stored: &[u8]) -> (Option<Timestamp>, &[u8]) {
    match expiring::unwrap(stored) {
        Some((until, value)) => (Some(until), value),
        None => (None, stored),
    }
}

fn whole(until: Option<Timestamp>, value: Vec<u8>) -> Vec<u8> {
    match until {
        Some(until) => expiring::wrap(&value, until),
        None => value,
    }
}

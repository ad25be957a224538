//! Encryption of a field's value as a JSON string.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use super::layer_keys::Place;
use super::ring::{HINT, KeyRing};
use crate::token::{NoRandomness, random};

const BEGIN: &[u8] = b"\"sealed:1:";
const NONCE: usize = 24;

/// The result of decrypting a stored value.
#[derive(Debug, PartialEq)]
pub(crate) enum Opened {
    /// The value was encrypted for this place.
    Value {
        json: Vec<u8>,
        /// Whether it was encrypted with the first key of the ring.
        first: bool,
    },
    /// The value is not encrypted.
    Plain,
    /// The value is damaged, or was encrypted for another place or with another key.
    Refused,
}

impl KeyRing {
    pub(crate) fn seal(&self, place: &Place<'_>, json: &[u8]) -> Result<Vec<u8>, NoRandomness> {
        let key = self.first().ok_or(NoRandomness)?;
        let mut nonce = [0; NONCE];
        random(&mut nonce)?;
        let payload = Payload { msg: json, aad: &bound_to(place) };
        // Fails only beyond 256 GiB.
        let sealed = key.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| NoRandomness)?;
        let data = URL_SAFE_NO_PAD.encode([&nonce, &*sealed].concat());
        Ok([BEGIN, &key.hint, b":", data.as_bytes(), b"\""].concat())
    }

    pub(crate) fn open(&self, place: &Place<'_>, stored: &[u8]) -> Opened {
        let Some(rest) = stored.strip_prefix(BEGIN) else { return Opened::Plain };
        self.open_sealed(place, rest).unwrap_or(Opened::Refused)
    }

    fn open_sealed(&self, place: &Place<'_>, rest: &[u8]) -> Option<Opened> {
        let (hint, data) = rest.split_at_checked(HINT)?;
        let data = data.strip_prefix(b":")?.strip_suffix(b"\"")?;
        let data = URL_SAFE_NO_PAD.decode(data).ok()?;
        let (nonce, sealed) = data.split_first_chunk::<NONCE>()?;
        let (nonce, aad) = (XNonce::from(*nonce), bound_to(place));
        let open = |cipher: &XChaCha20Poly1305| {
            cipher.decrypt(&nonce, Payload { msg: sealed, aad: &aad }).ok()
        };
        let keys = self.0.iter().enumerate().filter(|(_, key)| key.hint == hint);
        let mut opened = keys.filter_map(|(at, key)| Some((at, open(&key.cipher)?)));
        opened.next().map(|(at, json)| Opened::Value { json, first: at == 0 })
    }
}

/// Returns the associated data, which must be the same at decryption. The encoding is
/// unambiguous: a realm has no zero byte, and all parts between it and the final name have
/// a fixed length.
fn bound_to(place: &Place<'_>) -> Vec<u8> {
    let until = place.until.map_or([0; 9], |until| {
        let mut bytes = [1; 9];
        bytes[1..].copy_from_slice(&until.as_millis().to_be_bytes());
        bytes
    });
    let (realm, session) = (place.home.realm.as_str().as_bytes(), place.home.session.as_bytes());
    [b"session field 1", realm, &[0], &session[..], &until, place.name.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::clock::Timestamp;
    use crate::id::SessionId;
    use crate::keys::Home;
    use crate::keys::ring::strong;
    use crate::realm::Realm;

    static REALM: LazyLock<Realm> = LazyLock::new(Realm::default);
    static HERE: LazyLock<Place<'static>> = LazyLock::new(|| Place {
        home: Home { realm: &REALM, session: SessionId::from_bytes([1; 16]) },
        name: "admin:token",
        until: None,
    });

    fn ring(first: u8) -> KeyRing {
        KeyRing::from_bytes(&strong(first)).unwrap()
    }

    fn value(json: &[u8]) -> Opened {
        Opened::Value { json: json.to_vec(), first: true }
    }

    #[test]
    fn the_cipher_agrees_with_the_published_vector() {
        // draft-irtf-cfrg-xchacha-03, A.3.1.
        let key: [u8; 32] = std::array::from_fn(|i| 0x80 + i as u8);
        let nonce: [u8; 24] = std::array::from_fn(|i| 0x40 + i as u8);
        let aad = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let msg = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
        let cipher = <XChaCha20Poly1305 as hmac::KeyInit>::new(&key.into());
        let sealed = cipher.encrypt(&nonce.into(), Payload { msg, aad: &aad }).unwrap();
        assert_eq!(sealed[..8], [0xbd, 0x6d, 0x17, 0x9d, 0x3e, 0x83, 0xd4, 0x3b]);
        let tag = [
            0xc0, 0x87, 0x59, 0x24, 0xc1, 0xc7, 0x98, 0x79, 0x47, 0xde, 0xaf, 0xd8, 0x78, 0x0a,
            0xcf, 0x49,
        ];
        assert_eq!(sealed[sealed.len() - 16..], tag);
    }

    #[test]
    fn a_sealed_value_is_json_and_never_the_same_twice() {
        let (one, two) = (ring(1).seal(&HERE, b"1").unwrap(), ring(1).seal(&HERE, b"1").unwrap());
        assert_ne!(one, two);
        assert!(serde_json::from_slice::<String>(&one).unwrap().starts_with("sealed:1:"));
        assert_eq!(ring(1).open(&HERE, &one), value(b"1"));
    }

    #[test]
    fn a_change_at_any_position_and_any_truncation_is_refused() {
        let sealed = ring(1).seal(&HERE, br#"{"a":"secret"}"#).unwrap();
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let mut changed = sealed.clone();
                changed[at] ^= 1 << bit;
                let opened = ring(1).open(&HERE, &changed);
                // What does not begin as a sealed value does is a plain one.
                let expected = if at < BEGIN.len() { Opened::Plain } else { Opened::Refused };
                assert_eq!(opened, expected, "bit {bit} of byte {at}");
            }
            // One shorter is the whole again, with its closing quote.
            if at + 1 < sealed.len() {
                let short = [&sealed[..at], b"\""].concat();
                assert!(!matches!(ring(1).open(&HERE, &short), Opened::Value { .. }), "{at}");
            }
            let mut without = sealed.clone();
            without.remove(at);
            assert!(!matches!(ring(1).open(&HERE, &without), Opened::Value { .. }), "{at}");
        }
    }

    #[test]
    fn a_value_opens_in_its_place_alone() {
        let until = |millis| Some(Timestamp::from_millis(millis));
        let here = Place { until: until(1), ..*HERE };
        let sealed = ring(1).seal(&here, b"1").unwrap();
        assert_eq!(ring(1).open(&here, &sealed), value(b"1"));
        let other = SessionId::from_bytes([2; 16]);
        let admin = Realm::new("admin").unwrap();
        for place in [
            Place { home: Home { realm: &admin, ..here.home }, ..here },
            Place { home: Home { session: other, ..here.home }, ..here },
            Place { name: "token", ..here },
            Place { name: "admin:toke", ..here },
            Place { until: None, ..here },
            Place { until: until(2), ..here },
        ] {
            assert_eq!(ring(1).open(&place, &sealed), Opened::Refused);
        }
    }

    #[test]
    fn every_key_of_the_ring_opens_and_the_first_one_seals() {
        let texts = [strong(1), strong(2)].map(|key| URL_SAFE_NO_PAD.encode(key));
        let both = KeyRing::from_base64(&texts.join(",")).unwrap();
        let old = ring(2).seal(&HERE, b"1").unwrap();
        assert_eq!(both.open(&HERE, &old), Opened::Value { json: b"1".to_vec(), first: false });
        let new = both.seal(&HERE, b"1").unwrap();
        assert_eq!(ring(1).open(&HERE, &new), value(b"1"));
        assert_eq!(ring(2).open(&HERE, &new), Opened::Refused);
        assert_eq!(ring(3).open(&HERE, &old), Opened::Refused);
    }
}

//! Master secrets, and the keys derived from them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chacha20poly1305::XChaCha20Poly1305;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The shortest master secret, in bytes.
const SHORTEST: usize = 32;
/// 32 random bytes contain about 30 distinct values, and practically never fewer than these.
const FEWEST_DIFFERENT: usize = 16;
/// The length of the public hint that identifies a key in the values that it encrypted.
pub(super) const HINT: usize = 6;

/// One or more master secrets: the first signs and encrypts, all verify and
/// decrypt. Clones share the keys, which are wiped when the last clone is dropped.
///
/// # Key rotation
///
/// Put the new key before the old one, `"new,old"`, in every process. If several
/// processes run, deploy `"old,new"` to all of them first, so that none meets an
/// unknown key. Remove the old key once no older session is left: after the
/// [`absolute_timeout`](crate::SessionLayer::absolute_timeout), or after 400 days
/// if there is none or sessions are remembered. A field is encrypted with the new
/// key when it is next set, and a token is signed with it when it is next sent.
///
/// A master secret is never used directly: HKDF-SHA-256 (RFC 5869) derives a key
/// for each purpose.
#[derive(Clone)]
pub struct KeyRing(pub(super) Arc<[Key]>);

pub(super) struct Key {
    /// Public.
    pub(super) hint: [u8; HINT],
    pub(super) cipher: XChaCha20Poly1305,
    pub(super) mac: Hmac<Sha256>,
}

impl KeyRing {
    /// Creates a ring with one master secret of at least 32 random bytes. Do not use a
    /// password: there is no key stretching that slows down guessing.
    ///
    /// # Errors
    ///
    /// If the secret is shorter, or too regular to be random.
    pub fn from_bytes(secret: &[u8]) -> Result<Self, InvalidKey> {
        check(secret, 1)?;
        Ok(Self([Key::derive(secret)].into()))
    }

    /// Parses the master secrets in `text`, the newest first: each at least 32 random
    /// bytes in base64 of either alphabet, padded or not, separated by commas or white
    /// space. `text.parse()` does the same.
    ///
    /// ```
    /// use session_runtime::keys::{InvalidKey, KeyRing};
    ///
    /// let error = KeyRing::from_base64("aHVudGVyMg==").unwrap_err();
    /// assert_eq!(error, InvalidKey::TooShort { position: 1, bytes: 7 });
    /// assert!(error.to_string().contains("openssl rand -base64 32"));
    /// ```
    ///
    /// # Errors
    ///
    /// If a secret is shorter, is not base64, is too regular to be random or repeats
    /// another one, or if there is none.
    pub fn from_base64(text: &str) -> Result<Self, InvalidKey> {
        let texts = text.split([',', ' ', '\t', '\r', '\n']).filter(|text| !text.is_empty());
        let mut secrets: Vec<Zeroizing<Vec<u8>>> = Vec::new();
        for (text, position) in texts.zip(1..) {
            let secret = decode(text).ok_or(InvalidKey::NotBase64 { position })?;
            check(&secret, position)?;
            if secrets.contains(&secret) {
                return Err(InvalidKey::Repeated { position });
            }
            secrets.push(secret);
        }
        let keys: Arc<[_]> = secrets.iter().map(|secret| Key::derive(secret)).collect();
        if keys.is_empty() { Err(InvalidKey::Missing) } else { Ok(Self(keys)) }
    }

    /// Returns the key that signs and encrypts.
    pub(super) fn first(&self) -> Option<&Key> {
        self.0.first()
    }
}

impl FromStr for KeyRing {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        Self::from_base64(text)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing({} redacted)", self.0.len())
    }
}

/// Rejects secrets that are not random bytes: without key stretching, a password can be
/// guessed.
fn check(secret: &[u8], position: usize) -> Result<(), InvalidKey> {
    if secret.len() < SHORTEST {
        return Err(InvalidKey::TooShort { position, bytes: secret.len() });
    }
    let is_text = std::str::from_utf8(secret).is_ok_and(|it| !it.contains(char::is_control));
    let mut different = [false; 256];
    secret.iter().for_each(|byte| different[usize::from(*byte)] = true);
    if is_text || different.iter().filter(|it| **it).count() < FEWEST_DIFFERENT {
        return Err(InvalidKey::Weak { position });
    }
    Ok(())
}

impl Key {
    fn derive(secret: &[u8]) -> Self {
        let master = Hkdf::<Sha256>::new(Some(b"session-runtime"), secret);
        let key = |purpose: &[u8]| {
            let mut key = Zeroizing::new([0; 32]);
            // HKDF fails only beyond 255 * 32 bytes.
            let _ = master.expand(purpose, &mut *key);
            key
        };
        let mut hint = [0; HINT];
        // Four bytes encode to six characters, without padding.
        let _ = URL_SAFE_NO_PAD.encode_slice(&key(b"key hint 1")[..4], &mut hint);
        // HMAC pads a key with zeros to the block size of its hash.
        let mut block = Zeroizing::new([0; 64]);
        block[..32].copy_from_slice(&*key(b"token signature 1"));
        Self {
            hint,
            cipher: XChaCha20Poly1305::new((&*key(b"field encryption 1")).into()),
            mac: Hmac::new((&*block).into()),
        }
    }
}

fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let either =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let decode = |alphabet| GeneralPurpose::new(alphabet, either).decode(text).ok();
    decode(&alphabet::STANDARD).or_else(|| decode(&alphabet::URL_SAFE)).map(Zeroizing::new)
}

/// The error for an invalid master secret. Does not contain the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidKey {
    /// There is no secret.
    Missing,
    /// The secret is not base64.
    NotBase64 {
        /// The position of the secret, counted from one.
        position: usize,
    },
    /// The secret is shorter than 32 bytes.
    TooShort {
        /// The position of the secret, counted from one.
        position: usize,
        /// The length in bytes.
        bytes: usize,
    },
    /// The secret is text, or has fewer than 16 distinct bytes: a password or placeholder.
    Weak {
        /// The position of the secret, counted from one.
        position: usize,
    },
    /// The secret repeats an earlier one.
    Repeated {
        /// The position of the secret, counted from one.
        position: usize,
    },
}

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there is no session key")?,
            Self::NotBase64 { position } => write!(f, "session key {position} is not base64")?,
            Self::TooShort { position, bytes } => {
                write!(f, "session key {position} has {bytes} bytes, and 32 are needed")?;
            }
            Self::Weak { position } => {
                write!(f, "session key {position} is a text or a pattern, not random bytes")?;
            }
            Self::Repeated { position } => {
                write!(f, "session key {position} is the same as one before it")?;
            }
        }
        f.write_str(": make one with `openssl rand -base64 32`")
    }
}

impl std::error::Error for InvalidKey {}

/// Returns a master secret for tests, determined by `number`.
#[cfg(test)]
pub(crate) fn strong(number: u8) -> [u8; 32] {
    use sha2::Digest as _;
    Sha256::digest([number]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "9vdcVlTgQeVAXWVCKeqVSIhgc5f4Kd7hIbaCQ7PXcJg";

    #[test]
    fn keys_are_read_in_every_form_of_base64_and_nothing_shows_them() {
        let other = URL_SAFE_NO_PAD.encode(strong(1));
        let ring = KeyRing::from_base64(&format!(" {KEY}=, {other}\n")).unwrap();
        let alone = |text: &str| KeyRing::from_base64(text).unwrap().0[0].hint;
        assert_eq!((ring.0.len(), ring.0[0].hint), (2, alone(KEY)));
        assert_eq!(ring.0[1].hint, KeyRing::from_bytes(&strong(1)).unwrap().0[0].hint);
        assert_eq!(format!("{ring:?}"), "KeyRing(2 redacted)");
        let both = ["-_".repeat(22), "+/".repeat(22)].map(|text| text[..43].to_owned());
        let [url, standard] = both.map(|text| decode(&text.replace(&text[42..], "8")));
        assert!(url.is_some() && url == standard);
    }

    #[test]
    fn what_is_no_key_is_refused_by_its_position() {
        let error = |text: &str| KeyRing::from_base64(text).unwrap_err();
        assert_eq!(error(" , "), InvalidKey::Missing);
        assert_eq!(error(&format!("{KEY},%")), InvalidKey::NotBase64 { position: 2 });
        let short = URL_SAFE_NO_PAD.encode(&strong(1)[1..]);
        assert_eq!(error(&short), InvalidKey::TooShort { position: 1, bytes: 31 });
        assert_eq!(error(&format!("{KEY},{KEY}=")), InvalidKey::Repeated { position: 2 });
        let long = URL_SAFE_NO_PAD.encode([[1; 32], strong(1)].concat());
        assert!(KeyRing::from_base64(&long).is_ok(), "a part of it is random");
        assert_eq!(
            KeyRing::from_bytes(&strong(1)[1..]).unwrap_err(),
            InvalidKey::TooShort { position: 1, bytes: 31 }
        );
    }

    #[test]
    fn what_nobody_drew_at_random_is_refused() {
        let fifteen: Vec<u8> = (0..64).map(|at| 200 + at % 15).collect();
        let sixteen: Vec<u8> = (0..64).map(|at| 200 + at % 16).collect();
        for weak in [
            &[0; 32][..],
            &[255; 100],
            &fifteen,
            b"passwordpasswordpasswordpassword",
            b"The quick brown fox jumps over the lazy dog",
            "Größe, Maß und übrige Wörter 1234".as_bytes(),
            KEY.as_bytes(),
        ] {
            assert_eq!(KeyRing::from_bytes(weak).unwrap_err(), InvalidKey::Weak { position: 1 });
            let both = format!("{KEY} {}", URL_SAFE_NO_PAD.encode(weak));
            let error = KeyRing::from_base64(&both).unwrap_err();
            assert_eq!(error, InvalidKey::Weak { position: 2 });
            assert!(error.to_string().contains("openssl rand -base64 32"));
        }
        assert!(KeyRing::from_bytes(&sixteen).is_ok());
        // What a generator gives is not refused.
        for _ in 0..10_000 {
            let mut bytes = [0; 32];
            crate::token::random(&mut bytes).unwrap();
            assert!(KeyRing::from_bytes(&bytes).is_ok());
        }
    }

    #[test]
    fn every_purpose_and_every_secret_has_a_key_of_its_own() {
        // HKDF-SHA-256 by another implementation: salt "session-runtime",
        // info "key hint 1", the first four bytes.
        let prk = crate::hmac::hmac(b"session-runtime", &[&strong(7)]);
        let okm = crate::hmac::hmac(&prk, &[b"key hint 1", &[1]]);
        let ring = KeyRing::from_bytes(&strong(7)).unwrap();
        assert_eq!(ring.0[0].hint, URL_SAFE_NO_PAD.encode(&okm[..4]).as_bytes());
        assert_ne!(ring.0[0].hint, KeyRing::from_bytes(&strong(8)).unwrap().0[0].hint);
    }
}

//! Master secrets, and the keys that are derived from them.

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

/// The shortest master secret, in bytes.
const SHORTEST: usize = 32;
/// Names a key in what it encrypted.
pub(super) const HINT: usize = 6;

/// One or more master secrets: the first signs and encrypts, all verify and
/// decrypt. Clones share the keys; dropped with the last clone, they are
/// wiped.
///
/// # A new key
///
/// Put it before the old one, `"new,old"`, in every process. Where several run,
/// first `"old,new"` everywhere, so that no process meets a key that it does
/// not know. Take the old one out once no session is left from before: after
/// the [`absolute_timeout`](crate::SessionLayer::absolute_timeout), or 400 days
/// where there is none or sessions are remembered. A field is encrypted with
/// the new key when it is next set, and a token is signed with it when it is
/// next sent.
///
/// A master secret is never used itself: HKDF-SHA-256 (RFC 5869) derives a key
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
    /// A ring of one master secret of at least 32 random bytes. No password:
    /// nothing here slows down whoever guesses.
    ///
    /// # Errors
    ///
    /// If it is shorter.
    pub fn from_bytes(secret: &[u8]) -> Result<Self, InvalidKey> {
        Ok(Self([Key::derive(secret, 1)?].into()))
    }

    /// The master secrets in `text`: base64 of either alphabet, padded or not,
    /// of at least 32 random bytes each, with commas or white space between
    /// them, the newest first. Also by `text.parse()`.
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
    /// If one of them is shorter or no base64, or there is none.
    pub fn from_base64(text: &str) -> Result<Self, InvalidKey> {
        let texts = text.split([',', ' ', '\t', '\r', '\n']).filter(|text| !text.is_empty());
        let keys = texts.zip(1..).map(|(text, position)| {
            let secret = decode(text).ok_or(InvalidKey::NotBase64 { position })?;
            Key::derive(&secret, position)
        });
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(InvalidKey::Missing) } else { Ok(Self(keys.into())) }
    }

    /// The key that signs and encrypts.
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

impl Key {
    fn derive(secret: &[u8], position: usize) -> Result<Self, InvalidKey> {
        if secret.len() < SHORTEST {
            return Err(InvalidKey::TooShort { position, bytes: secret.len() });
        }
        let master = Hkdf::<Sha256>::new(Some(b"session-runtime"), secret);
        let key = |purpose: &[u8]| {
            let mut key = [0; 32];
            // Up to 255 times 32 bytes can be had.
            let _ = master.expand(purpose, &mut key);
            key
        };
        let mut hint = [0; HINT];
        // Four bytes are six characters, without padding.
        let _ = URL_SAFE_NO_PAD.encode_slice(&key(b"key hint 1")[..4], &mut hint);
        // HMAC pads a key with zeros to the block of its hash.
        let mut block = [0; 64];
        block[..32].copy_from_slice(&key(b"token signature 1"));
        Ok(Self {
            hint,
            cipher: XChaCha20Poly1305::new(&key(b"field encryption 1").into()),
            mac: Hmac::new(&block.into()),
        })
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let either =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let decode = |alphabet| GeneralPurpose::new(alphabet, either).decode(text).ok();
    decode(&alphabet::STANDARD).or_else(|| decode(&alphabet::URL_SAFE))
}

/// A text or bytes that are no master secret. It does not hold them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidKey {
    /// There is none.
    Missing,
    /// Not base64.
    NotBase64 {
        /// Which one, counted from one.
        position: usize,
    },
    /// Shorter than 32 bytes.
    TooShort {
        /// Which one, counted from one.
        position: usize,
        /// How long it is.
        bytes: usize,
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
        }
        f.write_str(": make one with `openssl rand -base64 32`")
    }
}

impl std::error::Error for InvalidKey {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_in_every_form_of_base64_and_nothing_shows_them() {
        let standard = "9vdcVlTgQeVAXWVCKeqVSIhgc5f4Kd7hIbaCQ7PXcJ+=";
        let standard = standard.replace("+=", "8=");
        let url = standard.trim_end_matches('=').to_owned();
        let ring = KeyRing::from_base64(&format!(" {standard}, {url}\n")).unwrap();
        assert_eq!(ring.0.len(), 2);
        assert_eq!(ring.0[0].hint, ring.0[1].hint);
        assert_eq!(format!("{ring:?}"), "KeyRing(2 redacted)");
        let both = ["-_".repeat(22), "+/".repeat(22)].map(|text| text[..43].to_owned());
        let [url, standard] = both.map(|text| decode(&text.replace(&text[42..], "8")));
        assert_eq!(url, standard);
    }

    #[test]
    fn what_is_no_key_is_refused_by_its_position() {
        let good = "A".repeat(43);
        let error = |text: &str| KeyRing::from_base64(text).unwrap_err();
        assert_eq!(error(" , "), InvalidKey::Missing);
        assert_eq!(error(&format!("{good},%")), InvalidKey::NotBase64 { position: 2 });
        assert_eq!(error(&good[1..]), InvalidKey::TooShort { position: 1, bytes: 31 });
        assert!(KeyRing::from_bytes(&[7; 32]).is_ok());
        assert_eq!(
            KeyRing::from_bytes(&[7; 31]).unwrap_err(),
            InvalidKey::TooShort { position: 1, bytes: 31 }
        );
    }

    #[test]
    fn every_purpose_and_every_secret_has_a_key_of_its_own() {
        // HKDF-SHA-256 by another implementation: salt "session-runtime",
        // secret 32 times 0x07, info "key hint 1", the first four bytes.
        let prk = crate::hmac::hmac(b"session-runtime", &[&[7; 32]]);
        let okm = crate::hmac::hmac(&prk, &[b"key hint 1", &[1]]);
        let ring = KeyRing::from_bytes(&[7; 32]).unwrap();
        assert_eq!(ring.0[0].hint, URL_SAFE_NO_PAD.encode(&okm[..4]).as_bytes());
        assert_ne!(ring.0[0].hint, KeyRing::from_bytes(&[8; 32]).unwrap().0[0].hint);
    }
}

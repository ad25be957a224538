//! The public id of a record.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// The stable public id of a stored session: 128 random bits.
///
/// It may be logged, listed and sent to support staff. It is not a credential:
/// only a [`SessionToken`] opens a session.
///
/// Prints and parses as 22 characters of URL-safe base64 without padding.
///
/// [`SessionToken`]: crate::token::SessionToken
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; SessionId::BYTES]);

impl SessionId {
    /// Length in bytes.
    pub const BYTES: usize = 16;
    /// Length as text.
    pub const TEXT: usize = 22;

    /// Creates an id from its bytes, for stores that read them back.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes, for stores that write them.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// Derives the id of the session that replaces this one once it is over. All requests
    /// that still present its token derive the same id, so only the first of them to store
    /// something creates the replacement.
    pub(crate) fn successor(&self) -> Self {
        let hash = Sha256::new_with_prefix(b"the session after\0").chain_update(self.0).finalize();
        let mut bytes = [0; Self::BYTES];
        bytes.copy_from_slice(&hash[..Self::BYTES]);
        Self(bytes)
    }

    /// Writes the text form without allocating.
    pub(crate) fn encode<'b>(&self, buffer: &'b mut [u8; Self::TEXT]) -> &'b str {
        // 16 bytes are exactly 22 characters, so encoding cannot fail.
        let _ = URL_SAFE_NO_PAD.encode_slice(self.0, buffer);
        std::str::from_utf8(buffer).unwrap_or_default()
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.encode(&mut [0; Self::TEXT]))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

/// The error of parsing a malformed [`SessionId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidSessionId;

impl fmt::Display for InvalidSessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a session id is 22 characters of url-safe base64")
    }
}

impl std::error::Error for InvalidSessionId {}

impl FromStr for SessionId {
    type Err = InvalidSessionId;

    fn from_str(text: &str) -> Result<Self, InvalidSessionId> {
        let mut bytes = [0; Self::BYTES];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(Self::BYTES) => Ok(Self(bytes)),
            _ => Err(InvalidSessionId),
        }
    }
}

impl serde::Serialize for SessionId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.encode(&mut [0; Self::TEXT]))
    }
}

impl<'de> serde::Deserialize<'de> for SessionId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text_form() {
        let id = SessionId::from_bytes([7; 16]);
        assert_eq!(id.to_string().len(), SessionId::TEXT);
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn other_texts_are_refused() {
        let long = "A".repeat(23);
        for text in ["", "x", long.as_str(), "!!!!!!!!!!!!!!!!!!!!!!", "BwcHBwcHBwcHBwcHBwcHBw=="] {
            assert_eq!(text.parse::<SessionId>(), Err(InvalidSessionId), "{text:?}");
        }
    }
}

//! Short texts without an allocation: most values of a session are a number, a name or an id.

use std::fmt;
use std::ops::Deref;

/// How many bytes are kept in place. One more would make the type four words instead of three.
const SHORT: usize = 22;

/// Bytes, in place if they are few and else behind an `L`. Equal bytes always have the same
/// representation, so that the derived comparison compares bytes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Inline<L> {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(L),
}

impl<L: AsRef<[u8]>> Inline<L> {
    /// Keeps these bytes.
    pub(crate) fn of(bytes: L) -> Self {
        Self::short(&[bytes.as_ref()]).unwrap_or(Self::Long(bytes))
    }

    /// Keeps the bytes of `parts`, one after the other; `long` stores them if they do not fit.
    pub(crate) fn concat(parts: &[&[u8]], long: impl FnOnce(Vec<u8>) -> L) -> Self {
        Self::short(parts).unwrap_or_else(|| Self::Long(long(parts.concat())))
    }

    fn short(parts: &[&[u8]]) -> Option<Self> {
        let (mut bytes, mut end) = ([0; SHORT], 0);
        for part in parts {
            bytes.get_mut(end..end + part.len())?.copy_from_slice(part);
            end += part.len();
        }
        Some(Self::Short { length: end as u8, bytes })
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Short { length, bytes } => &bytes[..usize::from(*length)],
            Self::Long(long) => long.as_ref(),
        }
    }

    /// The number of bytes that are not in place.
    pub(crate) fn outside(&self) -> usize {
        match self {
            Self::Short { .. } => 0,
            Self::Long(long) => long.as_ref().len(),
        }
    }
}

/// The JSON that an operation stores or compares. Up to 22 bytes take no allocation: from the
/// handler to the store they are copied several times.
///
/// ```
/// use session_runtime::store::contract::FieldBytes;
///
/// let bytes = FieldBytes::from("42");
/// assert_eq!((&*bytes, bytes.len()), (&b"42"[..], 2));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct FieldBytes(Inline<Box<[u8]>>);

impl Deref for FieldBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl AsRef<[u8]> for FieldBytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<&[u8]> for FieldBytes {
    fn from(bytes: &[u8]) -> Self {
        Self(Inline::concat(&[bytes], Vec::into_boxed_slice))
    }
}

impl From<&str> for FieldBytes {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl From<Vec<u8>> for FieldBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Inline::of(bytes.into_boxed_slice()))
    }
}

impl From<String> for FieldBytes {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl fmt::Debug for FieldBytes {
    /// Shows the length only: the value may be personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_every_length_are_kept_in_three_words() {
        assert_eq!(size_of::<Inline<Box<[u8]>>>(), 24);
        assert_eq!(size_of::<Option<Inline<std::sync::Arc<[u8]>>>>(), 24);
        let all: Vec<u8> = (0..=255).collect();
        for length in 0..all.len() {
            for middle in [0, length / 2, length] {
                let parts = [&all[..middle], &all[middle..length]];
                let inline = Inline::concat(&parts, Vec::into_boxed_slice);
                assert_eq!(inline.as_slice(), &all[..length]);
                assert_eq!(inline.outside(), if length > SHORT { length } else { 0 });
                assert!(inline == Inline::of(all[..length].into()));
            }
        }
        let of = |bytes: &[u8]| Inline::<Box<[u8]>>::of(bytes.into());
        assert!(of(b"a\0") != of(b"a"));
    }
}

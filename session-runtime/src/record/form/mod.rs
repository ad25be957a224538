//! The stored form of a record: head, meta, base and tail. `docs/form.md` describes it; nothing
//! outside this folder depends on the bytes.
//!
//! - [`head`]: what an engine compares without parsing
//! - [`meta`]: the record's own data
//! - [`entries`]: fields, and the operations of the tail
//! - [`write`](mod@write), [`read`]: encoding and decoding of records
//! - [`text`]: numbers, hashes and lengths as text

mod entries;
mod head;
mod meta;
mod read;
#[cfg(test)]
mod tests;
mod text;
mod write;

use std::fmt;

pub(crate) use self::entries::{is_appendable, operations};
use self::head::ApartBase;
pub(crate) use self::head::{Head, Kind, schemas_of};
#[cfg(feature = "redis")]
pub(crate) use self::head::{NO_SCHEMAS, patch_text};
#[cfg(feature = "redis")]
pub(crate) use self::meta::letter;
pub(crate) use self::read::{Entry, Raw, RawRecord, decode};
pub(crate) use self::write::{
    Base, Form, apart, appended, as_read, entombed, fields_as_read, over_kept_base, whole,
};

/// The length of the mark at the front of a separate base.
const MARK: usize = 10;

/// What a store needs to know about the form that a record was read from, in order to replace it.
///
/// Opaque, and equal to every other note: it describes where a record was found, not its content.
#[derive(Clone, Copy, Debug, Default)]
pub struct FormNote {
    /// The number of writes of the form; 0 if it was not read from one.
    pub(crate) stamp: u64,
    /// The mark and the length of the separate base; 0 if there is none.
    pub(crate) mark: u64,
    pub(crate) base: u32,
    /// The length of the first value, and of head and meta in it.
    pub(crate) length: u32,
    pub(crate) body: u32,
}

impl FormNote {
    pub(crate) const NONE: Self = Self { stamp: 0, mark: 0, base: 0, length: 0, body: 0 };

    fn new(
        stamp: u64,
        apart: Option<ApartBase>,
        length: usize,
        body: usize,
    ) -> Result<Self, DoesNotFit> {
        let size = |bytes: usize| u32::try_from(bytes).map_err(|_| DoesNotFit);
        let (mark, base) = apart.map_or((0, 0), |apart| (apart.mark, apart.length));
        Ok(Self { stamp, mark, base: size(base)?, length: size(length)?, body: size(body)? })
    }

    /// Whether the base is stored separately.
    pub(crate) const fn is_apart(&self) -> bool {
        self.mark != 0
    }

    /// Returns the length of the tail in bytes, if the base is separate.
    pub(crate) const fn tail(&self) -> usize {
        self.length.saturating_sub(self.body) as usize
    }
}

impl PartialEq for FormNote {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for FormNote {}

/// The bytes are not a form of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvalidForm {
    /// They were written by a newer release.
    Newer(char),
    /// This part is missing or malformed.
    Malformed(&'static str),
    /// The separate base is missing.
    NoBase,
}

impl fmt::Display for InvalidForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer(version) => write!(
                f,
                "a stored session has form {version}, this program knows form {}; run the newer \
                 program",
                head::VERSION
            ),
            Self::Malformed(part) => write!(f, "the {part} of a stored session is malformed"),
            Self::NoBase => f.write_str("the fields of a stored session are missing"),
        }
    }
}

impl std::error::Error for InvalidForm {}

/// A number or a length has more digits than the head has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DoesNotFit;

impl fmt::Display for DoesNotFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the session exceeds the size or the number of changes that its stored form has room for")
    }
}

impl std::error::Error for DoesNotFit {}

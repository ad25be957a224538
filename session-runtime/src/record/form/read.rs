//! Decoding forms.

use std::sync::Arc;

use super::head::{Head, Kind};
use super::text::{Reader, read_fixed};
use super::{DoesNotFit, FormNote, InvalidForm, MARK, entries, meta};
use crate::id::SessionId;
use crate::record::{Meta, Record, Tombstone};

/// What is stored under the id of a session.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // matched at once, never stored
pub(crate) enum Entry {
    /// A session, live or expired.
    Record(Arc<Record>),
    /// The remains of a destroyed session.
    Tombstone(Tombstone),
}

/// A form whose head and meta have been read: enough to judge a secret before the fields are
/// parsed.
pub(crate) enum Raw<'v> {
    Record(RawRecord<'v>),
    Tombstone(Tombstone),
}

pub(crate) struct RawRecord<'v> {
    pub(crate) meta: Meta,
    pub(crate) head: Head,
    rest: &'v [u8],
}

/// Decodes a form.
///
/// # Errors
///
/// If the bytes are not a form, are damaged, or are of a newer version.
pub(crate) fn decode(
    id: SessionId,
    value: &[u8],
    base: Option<&[u8]>,
) -> Result<Entry, InvalidForm> {
    Ok(match Raw::read(value)? {
        Raw::Record(raw) => Entry::Record(Arc::new(raw.record(id, base)?)),
        Raw::Tombstone(tombstone) => Entry::Tombstone(tombstone),
    })
}

impl<'v> Raw<'v> {
    /// Reads head and meta.
    ///
    /// # Errors
    ///
    /// Same as [`decode`].
    pub(crate) fn read(value: &'v [u8]) -> Result<Self, InvalidForm> {
        let head = Head::read(value)?;
        if head.length != value.len() {
            return Err(InvalidForm::Malformed("length"));
        }
        let tokens = value.get(head.kind.head_len()..head.body);
        let meta = meta::read(&head, tokens.ok_or(InvalidForm::Malformed("meta"))?)?;
        let rest = &value[head.body..];
        if head.kind == Kind::Tombstone {
            return Ok(Self::Tombstone(Tombstone { meta, ended: meta::read_end(rest)? }));
        }
        Ok(Self::Record(RawRecord { meta, head, rest }))
    }
}

impl RawRecord<'_> {
    /// Returns the record, including its fields.
    ///
    /// # Errors
    ///
    /// Same as [`decode`].
    pub(crate) fn record(self, id: SessionId, base: Option<&[u8]>) -> Result<Record, InvalidForm> {
        let mut reader = Reader::new(self.rest);
        let below = match self.head.apart {
            Some(_) => entries::read_fields(&mut Reader::new(self.entries(base)?))?,
            None => entries::read_fields(&mut reader)?,
        };
        let fields = entries::fold(id, below, &mut reader)?;
        let Head { stamp, apart, length, body, .. } = self.head;
        let note = FormNote::new(stamp, apart, length, body)
            .map_err(|DoesNotFit| InvalidForm::Malformed("head"))?;
        Ok(Record { id, meta: self.meta, fields, note })
    }

    /// Returns the entries of the separate base, if it is the one that the head refers to.
    fn entries<'b>(&self, base: Option<&'b [u8]>) -> Result<&'b [u8], InvalidForm> {
        let (Some(apart), Some(base)) = (self.head.apart, base) else {
            return Err(InvalidForm::NoBase);
        };
        let (mark, entries) = base.split_at_checked(MARK).unwrap_or_default();
        match read_fixed(mark) {
            Some(mark) if mark == apart.mark && base.len() == apart.length => Ok(entries),
            _ => Err(InvalidForm::Malformed("base")),
        }
    }
}

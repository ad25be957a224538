//! A form as a record.

use std::sync::Arc;

use super::head::{Head, Kind};
use super::text::{Reader, read_fixed};
use super::{DoesNotFit, FormNote, InvalidForm, MARK, entries, meta};
use crate::id::SessionId;
use crate::record::{Meta, Record, Tombstone};

/// What is stored under the id of a session.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // taken apart at once
pub(crate) enum Entry {
    /// A session, live or expired.
    Record(Arc<Record>),
    /// What is left of one that was destroyed.
    Tombstone(Tombstone),
}

/// A form of which head and meta have been read: enough to judge a secret by,
/// before the fields are looked at.
pub(crate) enum Raw<'v> {
    Record(RawRecord<'v>),
    Tombstone(Tombstone),
}

pub(crate) struct RawRecord<'v> {
    pub(crate) meta: Meta,
    pub(crate) head: Head,
    rest: &'v [u8],
}

/// Reads a form back.
///
/// # Errors
///
/// If the bytes are something else, damaged, or of a newer version.
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
    /// As [`decode`].
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
    /// The record, with its fields.
    ///
    /// # Errors
    ///
    /// As [`decode`].
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

    /// The entries of the base that is kept apart, if it is the one that the head
    /// speaks of.
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

//! Encoding records.

use super::head::{ApartBase, Head, Kind, PATCHES};
use super::text::fixed;
use super::{DoesNotFit, FormNote, InvalidForm, MARK, entries, meta, schemas_of};
#[cfg(test)]
use crate::record::Tombstone;
use crate::record::{Ended, Meta, Record};
use crate::token::PatchId;

/// A form that is about to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// Head, meta, and what follows them.
    pub(crate) value: Vec<u8>,
    pub(crate) base: Base,
    /// The note of a record that is read from this form.
    pub(crate) note: FormNote,
}

impl Form {
    /// Returns what follows head and meta in the first value.
    pub(crate) fn tail(&self) -> &[u8] {
        self.value.get(self.note.body as usize..).unwrap_or_default()
    }
}

/// The base of a form that is about to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    /// In the value.
    Inside,
    /// Separate, and unchanged.
    Kept,
    /// Separate, and new.
    New(Vec<u8>),
}

/// Encodes `record` as one value with this `stamp`.
///
/// # Errors
///
/// If it is too large.
pub(crate) fn whole(record: &Record, stamp: u64) -> Result<Form, DoesNotFit> {
    let room = record.fields.byte_len_at_most();
    let (value, note) = build(&record.meta, stamp, Kind::Whole, None, room, |value| {
        entries::write_fields(value, &record.fields);
    })?;
    Ok(Form { value, base: Base::Inside, note })
}

/// Encodes `record` with a separate base and without a tail.
///
/// # Errors
///
/// If it is too large.
pub(crate) fn apart(record: &Record, stamp: u64) -> Result<Form, DoesNotFit> {
    let mut base = vec![0; MARK];
    if !fixed(&mut base, stamp) {
        return Err(DoesNotFit);
    }
    entries::write_fields(&mut base, &record.fields);
    let apart = ApartBase { length: base.len(), mark: stamp };
    let (value, note) = build(&record.meta, stamp, Kind::Apart, Some(apart), 0, |_| {})?;
    Ok(Form { value, base: Base::New(base), note })
}

/// Encodes `record` over the unchanged base that `before` was read with: the tail holds the
/// differences, one operation per field. `None` if `before` has no separate base, or the record no
/// longer shares it.
///
/// # Errors
///
/// If it is too large.
pub(crate) fn over_kept_base(
    record: &Record,
    before: &Record,
    stamp: u64,
) -> Result<Option<Form>, DoesNotFit> {
    let note = before.note;
    if note.mark == 0 || !record.fields.shares_base_with(&before.fields) {
        return Ok(None);
    }
    let apart = ApartBase { length: note.base as usize, mark: note.mark };
    let (value, note) = build(&record.meta, stamp, Kind::Apart, Some(apart), 512, |value| {
        entries::write_changes(value, &record.fields);
    })?;
    Ok(Some(Form { value, base: Base::Kept, note }))
}

/// Encodes the tombstone of a destroyed record in the same way as [`entombed`] does from a form.
/// For tests.
///
/// # Errors
///
/// If it is too large.
#[cfg(test)]
pub(crate) fn tombstone(
    Tombstone { meta, ended }: &Tombstone,
    stamp: u64,
) -> Result<Vec<u8>, DoesNotFit> {
    let end = |value: &mut Vec<u8>| meta::write_end(value, ended);
    Ok(build(meta, stamp, Kind::Tombstone, None, 64, end)?.0)
}

/// Turns the form `value` into its tombstone, as an engine does: head and meta are kept, followed
/// by who ended the session. The id of the end is added to the log, so that an end whose answer was
/// lost can be recognised.
///
/// # Errors
///
/// If `value` has no head.
pub(crate) fn entombed(value: &[u8], ended: Ended, id: PatchId) -> Result<Vec<u8>, InvalidForm> {
    let mut head = Head::read(value)?;
    let tokens = value.get(head.kind.head_len()..head.body);
    let tokens = tokens.ok_or(InvalidForm::Malformed("meta"))?;
    (head.kind, head.apart) = (Kind::Tombstone, None);
    let mut tombstone = vec![b' '; head.kind.head_len()];
    tombstone.extend_from_slice(tokens);
    head.body = tombstone.len();
    meta::write_end(&mut tombstone, &ended);
    head.length = tombstone.len();
    head.stamp += 1;
    head.patches.push(id);
    head.write(&mut tombstone).map_err(|DoesNotFit| InvalidForm::Malformed("head"))?;
    Ok(tombstone)
}

/// Appends `operations` to a form, as an engine does: it only computes the next numbers and the
/// shifted patch log.
///
/// # Errors
///
/// If `value` has no head, or would become too large.
pub(crate) fn appended(
    value: &[u8],
    patch: PatchId,
    operations: &[u8],
) -> Result<Vec<u8>, InvalidForm> {
    let mut head = Head::read(value)?;
    head.length = value.len() + operations.len();
    head.rev += 1;
    head.stamp += 1;
    head.patches.push(patch);
    let mut appended = Vec::with_capacity(head.length);
    appended.extend_from_slice(value);
    appended.extend_from_slice(operations);
    head.write(&mut appended).map_err(|DoesNotFit| InvalidForm::Malformed("length"))?;
    Ok(appended)
}

/// Returns the head of the form that `record` was read from, to be compared as text. `None` if it
/// was not read from one.
pub(crate) fn as_read(record: &Record) -> Option<Vec<u8>> {
    let note = record.note;
    if note.stamp == 0 {
        return None;
    }
    let (kind, apart) = match note.mark {
        0 => (Kind::Whole, None),
        mark => (Kind::Apart, Some(ApartBase { length: note.base as usize, mark })),
    };
    let mut text = vec![b' '; kind.head_len()];
    let (length, body) = (note.length as usize, note.body as usize);
    head(&record.meta, note.stamp, kind, apart, length, body).write(&mut text).ok()?;
    Some(text)
}

/// Returns the part of the head that stays the same as long as base and tail do, whatever is
/// touched or confirmed: the last patches and the mark of the base.
pub(crate) fn fields_as_read(record: &Record) -> Option<Vec<u8>> {
    as_read(record).map(|mut head| head.split_off(PATCHES.start))
}

fn build(
    meta: &Meta,
    stamp: u64,
    kind: Kind,
    apart: Option<ApartBase>,
    room: usize,
    rest: impl FnOnce(&mut Vec<u8>),
) -> Result<(Vec<u8>, FormNote), DoesNotFit> {
    let mut value = Vec::with_capacity(kind.head_len() + 160 + room);
    value.resize(kind.head_len(), b' ');
    meta::write(&mut value, meta);
    let body = value.len();
    rest(&mut value);
    let length = value.len();
    head(meta, stamp, kind, apart, length, body).write(&mut value)?;
    Ok((value, FormNote::new(stamp, apart, length, body)?))
}

fn head(
    meta: &Meta,
    stamp: u64,
    kind: Kind,
    apart: Option<ApartBase>,
    length: usize,
    body: usize,
) -> Head {
    Head {
        kind,
        length,
        body,
        epoch: meta.epoch,
        rev: meta.rev,
        stamp,
        expires: meta.expires_at(),
        schemas: schemas_of(&meta.versions),
        patches: meta.patches,
        apart,
    }
}

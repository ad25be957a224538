//! Converts a field's value to its stored form and back.

use std::any::Any;
use std::borrow::Cow;

use crate::clock::Timestamp;
use crate::codec::{CodecError, NULL, Value, expiring, same_value};
use crate::error::SessionError;
use crate::inline::FieldBytes;
use crate::keys::Form;
use crate::record::patch::Op;
use crate::record::{Fields, KEYED};
use crate::schema::{Field, FieldKind};

/// Returns the form in which values of `field` are stored.
pub(crate) const fn form(field: &Field) -> Form {
    match field.ttl {
        Some(_) => Form::Expiring,
        None => Form::Plain,
    }
}

/// Encodes `value`, set at `now`, as it is stored. Only a field with a `ttl` needs the time.
pub(super) fn encode(
    field: &'static Field,
    value: &Value,
    now: impl FnOnce() -> Timestamp,
) -> Result<FieldBytes, SessionError> {
    let json = json(field, value)?;
    Ok(match field.ttl {
        Some(ttl) => expiring::wrap(&json, now().after(ttl)).into(),
        None => json,
    })
}

/// Encodes the value alone, without its expiry time.
pub(super) fn json(field: &'static Field, value: &Value) -> Result<FieldBytes, SessionError> {
    field
        .codec()
        .bytes_of(&**value)
        .map_err(|source| SessionError::Unencodable { field: field.name, source })
}

/// Whether the principal's type alone tells that equal values have one text, which
/// [`identifying`] need not check then.
pub(super) fn has_one_text_by_type(principal: &(dyn Any + Send + Sync)) -> bool {
    principal.is::<Option<i64>>()
        || principal.is::<Option<u64>>()
        || principal.is::<Option<i32>>()
        || principal.is::<Option<u32>>()
        || principal.is::<Option<String>>()
}

/// Checks that `json` identifies a principal: if encoding it again gave another text, no listing,
/// cap or revocation would find it.
pub(crate) fn identifying(field: &'static Field, json: &[u8]) -> Result<(), SessionError> {
    match field.codec().has_one_text(json) {
        true => Ok(()),
        false => Err(SessionError::AmbiguousPrincipal { field: field.name }),
    }
}

/// Returns the value inside the stored bytes, unless it has expired.
pub(super) fn live<'b>(field: &Field, stored: &'b [u8], now: Timestamp) -> Option<&'b [u8]> {
    current(field, stored, || now)
}

/// Returns the JSON inside the stored bytes, unless it has expired.
pub(super) fn current<'b>(
    field: &Field,
    stored: &'b [u8],
    now: impl FnOnce() -> Timestamp,
) -> Option<&'b [u8]> {
    // Most fields have no `ttl` and need no clock.
    if field.ttl.is_none() { Some(stored) } else { expiring::live(stored, now()) }
}

/// Decodes a stored value; `None` if it has expired.
pub(super) fn decode(
    field: &'static Field,
    stored: &[u8],
    now: Timestamp,
) -> Option<Result<Value, CodecError>> {
    live(field, stored, now).map(field.codec().decode)
}

/// Returns the operation that stores what [`encode`] returned.
pub(super) fn set_or_remove(field: &Field, stored: FieldBytes) -> Op {
    let null = field.null_is_absent && bare(field, &stored) == NULL;
    if null { Op::Remove } else { Op::Set(stored) }
}

/// Whether two stored values are the same, ignoring their expiry times.
pub(super) fn same(field: &Field, a: &[u8], b: &[u8]) -> bool {
    same_value(bare(field, a), bare(field, b))
}

pub(super) fn bare<'b>(field: &Field, stored: &'b [u8]) -> &'b [u8] {
    if field.ttl.is_none() { stored } else { expiring::value_of(stored) }
}

/// Returns every name under which a value of `field` is stored.
pub(super) fn stored_names(field: &'static Field, fields: &Fields) -> Vec<Cow<'static, str>> {
    if field.kind == (FieldKind::Nonce { keyed: true }) {
        let keyed = fields.iter().filter(|(name, _)| is_keyed(field, name));
        return keyed.map(|(name, _)| name.to_owned().into()).collect();
    }
    field.names().filter(|name| fields.get(name).is_some()).map(Into::into).collect()
}

/// Whether `name` is the stored name of one value of a keyed nonce.
pub(super) fn is_keyed(field: &Field, name: &str) -> bool {
    name.strip_prefix(field.name).is_some_and(|rest| rest.starts_with(KEYED))
}

/// The longest key of a keyed nonce, in bytes.
const LONGEST_KEY: usize = 128;

/// Returns the limit that `key`, of a keyed nonce, exceeds.
pub(super) fn is_too_long(key: &str) -> Option<usize> {
    (key.len() > LONGEST_KEY).then_some(LONGEST_KEY)
}

//! Steps as arguments of scripts, and answers as values.

use std::io::Write as _;

use redis::Value;

use super::failure::Failure;
use super::server::Told;
use crate::clock::Timestamp;
use crate::record::form::{Base, Form, NO_SCHEMAS, patch_text};
use crate::record::patch::Denied;
use crate::store::engine::{Read, Step};

/// A step that does nothing: `step.lua` returns what is stored.
pub(super) const LOOK: &[u8] = b"p";

/// Encodes what a step does, for `step.lua`.
pub(super) fn what(step: &Step<'_>) -> Vec<u8> {
    let Some(patch) = step.patch else { return Vec::new() };
    let Some(append) = &step.append else { return LOOK.to_vec() };
    let mut what = Vec::with_capacity(32 + append.operations.len());
    what.extend_from_slice(&patch_text(patch));
    // Writing to memory does not fail.
    let _ = write!(what, "{}", step.epoch);
    if step.schemas == NO_SCHEMAS {
        what.push(b';');
    } else {
        what.push(b':');
        what.extend_from_slice(&step.schemas);
    }
    what.extend_from_slice(append.operations);
    what
}

/// Returns the separate base to write; empty if there is none.
pub(super) fn new_base(form: &Form) -> &[u8] {
    match &form.base {
        Base::New(base) => base,
        Base::Inside | Base::Kept => b"",
    }
}

/// Reads a session as a script returned it.
pub(super) fn as_it_stands(value: Value) -> Result<Read, Failure> {
    let Value::Array(parts) = value else { return Err(Failure::corrupt("answer")) };
    let mut parts = parts.into_iter();
    let (value, base) = (parts.next().and_then(into_bytes), parts.next().and_then(into_bytes));
    match parts.next() {
        Some(Value::Int(now)) => {
            let now = u64::try_from(now).map_err(|_| Failure::corrupt("answer"))?;
            Ok(Read { value, base, now: Timestamp::from_millis(now) })
        }
        _ => Err(Failure::corrupt("answer")),
    }
}

pub(super) fn denial(text: &str) -> Option<Denied> {
    (text == "revoked").then_some(Denied::Revoked)
}

impl Told {
    /// Returns the answer of a script whose result is a number.
    pub(super) const fn number(&self) -> Option<i64> {
        int(&self.value)
    }
}

pub(super) fn into_bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}

pub(super) fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}

pub(super) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::SimpleString(text) => Some(text),
        value => std::str::from_utf8(bytes(value)?).ok(),
    }
}

pub(super) const fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        _ => None,
    }
}

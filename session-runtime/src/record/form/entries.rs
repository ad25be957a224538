//! Fields, and the operations of the tail.

use std::borrow::Cow;

use super::InvalidForm;
use super::text::{Reader, write_bytes, write_signed};
use crate::id::SessionId;
use crate::record::Fields;
use crate::record::fields::Change;
use crate::record::patch::{Add, Expect, Integer, MetaPatch, Op, Patch};

pub(super) fn write_fields(out: &mut Vec<u8>, fields: &Fields) {
    for (name, value) in fields.iter() {
        write_bytes(out, name.as_bytes());
        write_bytes(out, value);
    }
}

/// Writes the changes of `fields` to their base, one operation per field.
pub(super) fn write_changes(out: &mut Vec<u8>, fields: &Fields) {
    for (name, value) in fields.changes() {
        out.push(if value.is_some() { b'=' } else { b'-' });
        write_bytes(out, name.as_bytes());
        if let Some(value) = value {
            write_bytes(out, value);
        }
    }
}

/// Reads fields until something else follows.
pub(super) fn read_fields(reader: &mut Reader<'_>) -> Result<Fields, InvalidForm> {
    let mut all: Vec<(&str, &[u8])> = Vec::new();
    while reader.peek().is_some_and(|byte| byte.is_ascii_digit()) {
        let field = reader.text().and_then(|name| Some((name, reader.bytes()?)));
        all.push(field.ok_or(InvalidForm::Malformed("base"))?);
    }
    Ok(all.into_iter().collect())
}

/// Whether `patch` may be appended to a form that its writer has not read: its effect does not
/// depend on what is stored, and its answer is only whether it was applied. The guard checks an
/// expected version.
pub(crate) fn is_appendable(patch: &Patch) -> bool {
    patch.meta == MetaPatch::default()
        && patch.expect.iter().all(|expect| matches!(expect, Expect::Version { .. }))
        && patch.ops.iter().all(|op| op.op != Op::Take)
}

/// Returns the operations of an [appendable](is_appendable) patch.
pub(crate) fn operations(patch: &Patch) -> Vec<u8> {
    let mut out = Vec::with_capacity(32 * patch.ops.len());
    for op in &patch.ops {
        let mut named = |letter| {
            out.push(letter);
            write_bytes(&mut out, op.name.as_bytes());
        };
        match &op.op {
            Op::Set(value) => {
                named(b'=');
                write_bytes(&mut out, value);
            }
            Op::Remove | Op::Take => named(b'-'),
            Op::RemoveIf(value) => {
                named(b'?');
                write_bytes(&mut out, value);
            }
            Op::Add(add) => {
                named(b'+');
                write_add(&mut out, add);
            }
        }
    }
    out
}

fn write_add(out: &mut Vec<u8>, add: &Add) {
    write_signed(out, i128::from(add.delta));
    out.push(b',');
    write_signed(out, add.absent.wide());
    out.extend(match add.absent {
        Integer::Signed(_) => b",i;",
        Integer::Unsigned(_) => b",u;",
    });
}

fn read_add(reader: &mut Reader<'_>) -> Option<Add> {
    let delta = i64::try_from(reader.signed()?).ok()?;
    reader.expect(b',')?;
    let absent = reader.signed()?;
    reader.expect(b',')?;
    let absent = match reader.byte()? {
        b'i' => Integer::Signed(absent.try_into().ok()?),
        b'u' => Integer::Unsigned(absent.try_into().ok()?),
        _ => return None,
    };
    reader.expect(b';')?;
    Some(Add { delta, absent })
}

/// Applies the operations of a tail to `below`, in order.
pub(super) fn fold(
    id: SessionId,
    below: Fields,
    tail: &mut Reader<'_>,
) -> Result<Fields, InvalidForm> {
    if tail.is_empty() {
        return Ok(below);
    }
    let mut changes: Vec<Change<'_>> = Vec::new();
    while !tail.is_empty() {
        fold_one(id, &below, &mut changes, tail).ok_or(InvalidForm::Malformed("tail"))?;
    }
    Ok(below.changed_by(changes))
}

fn fold_one<'t>(
    id: SessionId,
    below: &Fields,
    changes: &mut Vec<Change<'t>>,
    tail: &mut Reader<'t>,
) -> Option<()> {
    let letter = tail.byte()?;
    let name = tail.text()?;
    let at = changes.iter().position(|change| change.0 == name);
    let stored = || match at {
        Some(at) => changes[at].1.as_deref(),
        None => below.get(name),
    };
    let value = match letter {
        b'=' => Some(Cow::Borrowed(tail.bytes()?)),
        b'-' => None,
        b'?' => {
            if stored() != Some(tail.bytes()?) {
                return Some(());
            }
            None
        }
        b'+' => match read_add(tail)?.sum(name, stored()) {
            Ok(sum) => Some(Cow::Owned(sum.to_string().into_bytes())),
            Err(_) => {
                tracing::debug!(
                    session = %id,
                    field = name,
                    "an addition is left out: another request stored something other than an \
                     integer of the field's type"
                );
                return Some(());
            }
        },
        _ => return None,
    };
    match at {
        Some(at) => changes[at].1 = value,
        None => changes.push((name, value)),
    }
    Some(())
}

//! Secret fields between the store, which sees them encrypted, and everything
//! else, which does not: opened where a record becomes a view, sealed where a
//! plan becomes a write. So nothing in between compares, merges or migrates
//! anything but plain values, and a value is bound to the record that it goes
//! to, also when that is another one than was planned at first.

use super::plan::Write;
use super::value;
use crate::config::{Home, Keys};
use crate::error::SessionError;
use crate::patch::{FieldOp, Op};
use crate::record::Fields;
use crate::record::Record;
use crate::schema::{Field, FieldKind, Schema};

/// The fields of a record with those in clear that are secret in `schemas`,
/// and the names of those that are not stored as they would be now.
pub(super) fn opened(
    record: &Record,
    schemas: &[&'static Schema],
    keys: &Keys,
) -> (Fields, Vec<String>) {
    let (mut ops, mut stale) = (Vec::new(), Vec::new());
    for (name, stored) in record.fields.iter() {
        let Some(field) = secret_of(schemas, name) else { continue };
        let plain = keys.open(field, home(record), name, stored);
        ops.push(FieldOp::new(name.to_owned(), Op::Set(plain.value)));
        if !plain.settled {
            stale.push(name.to_owned());
        }
    }
    // Without additions nothing is refused.
    let fields = record.fields.apply(&ops).map_or_else(|_| Fields::new(), |(fields, _)| fields);
    (fields, stale)
}

/// `fields` with everything in clear that is encrypted in `record`, whatever the
/// schemas say now.
pub(super) fn all_opened(record: &Record, fields: &Fields, keys: &Keys) -> Fields {
    let mut ops = Vec::new();
    if keys.are_there() {
        for (name, stored) in fields.iter() {
            // Those of the present secret fields are in clear already.
            let as_stored = record.fields.get(name) == Some(stored);
            if let (true, Some(plain)) = (as_stored, keys.open_any(home(record), name, stored)) {
                ops.push(FieldOp::new(name.to_owned(), Op::Set(plain)));
            }
        }
    }
    fields.apply(&ops).map_or_else(|_| fields.clone(), |(fields, _)| fields)
}

/// Encrypts what is secret in a write, which is the last thing that happens to
/// it. A record that goes on from another one may hold secrets of schemas that this
/// request does not read.
pub(crate) fn seal(
    write: &mut Write,
    schemas: &[&'static Schema],
    keys: &Keys,
) -> Result<(), SessionError> {
    if !keys.are_there() {
        return Ok(());
    }
    match write {
        Write::Create { record, from, .. } => {
            let (to, mut ops) = (home(record), Vec::new());
            for (name, bytes) in record.fields.iter() {
                let sealed = match (secret_of(schemas, name), from.as_deref()) {
                    // What does not open here opens nowhere else.
                    (Some(field), _) => match keys.seal(field, to, name, bytes)? {
                        Some(sealed) => Op::Set(sealed),
                        None => Op::Remove,
                    },
                    (None, Some(from)) => match keys.move_to(to, home(from), name, bytes)? {
                        Some(sealed) => Op::Set(sealed),
                        None => continue,
                    },
                    (None, None) => continue,
                };
                ops.push(FieldOp::new(name.to_owned(), sealed));
            }
            if !ops.is_empty() {
                (record.fields, _) = record.fields.apply(&ops).map_err(SessionError::Refused)?;
            }
        }
        Write::Apply { id, realm, patch, .. } => {
            let home = Home { realm, session: *id };
            for op in &mut patch.ops {
                let (Op::Set(plain), Some(field)) = (&op.op, secret_of(schemas, &op.name)) else {
                    continue;
                };
                let sealed = keys.seal(field, home, &op.name, plain)?;
                op.op = Op::Set(sealed.ok_or(SessionError::Undecodable { field: field.name })?);
            }
        }
    }
    Ok(())
}

/// Where the sealed values of `record` belong.
pub(crate) const fn home(record: &Record) -> Home<'_> {
    Home { realm: &record.meta.realm, session: record.id }
}

/// The secret field of which something is stored under `name`.
fn secret_of(schemas: &[&'static Schema], name: &str) -> Option<&'static Field> {
    let schemas = schemas.iter().filter(|schema| schema.has_secrets());
    let mut secrets = schemas.flat_map(|schema| schema.fields).filter(|field| field.secret);
    secrets.find(|field| {
        let keyed = field.kind == (FieldKind::Nonce { keyed: true });
        field.names().any(|of| of == name) || (keyed && value::is_keyed(field, name))
    })
}

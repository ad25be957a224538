//! Encrypts secret fields, where a plan becomes a write. They are decrypted
//! where a record becomes a view, so that nothing in between compares, merges or
//! migrates anything but plain values, and a value is bound to the record that
//! it goes to, also when that is another one than was planned at first.

use std::sync::Arc;

use super::situation::{Apply, Create};
use crate::error::SessionError;
use crate::keys::{Home, Keys};
use crate::record::patch::{FieldOp, Op};
use crate::schema::Schema;
use crate::session::value;
use crate::session::view::{home, secret_of};

impl Create {
    /// Encrypts what is secret. A record that goes on from another one may hold secrets of
    /// schemas that this request does not read.
    pub(crate) fn seal(
        &mut self,
        schemas: &[&'static Schema],
        keys: &Keys,
    ) -> Result<(), SessionError> {
        if !keys.are_there() {
            return Ok(());
        }
        let Self { record, from, .. } = self;
        let (to, mut ops) = (home(record), Vec::new());
        for (name, bytes) in record.fields.iter() {
            let sealed = match (secret_of(schemas, name), from.as_deref()) {
                // What does not open here opens nowhere else.
                (Some(field), _) => match keys.seal(value::form(field), to, name, bytes)? {
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
            let (fields, _) = record.fields.apply(&ops).map_err(SessionError::Refused)?;
            Arc::make_mut(record).fields = fields;
        }
        Ok(())
    }
}

impl Apply {
    /// Encrypts what is secret.
    pub(crate) fn seal(
        &mut self,
        schemas: &[&'static Schema],
        keys: &Keys,
    ) -> Result<(), SessionError> {
        if !keys.are_there() {
            return Ok(());
        }
        let home = Home { realm: &self.realm, session: self.id };
        for op in &mut self.patch.ops {
            let (Op::Set(plain), Some(field)) = (&op.op, secret_of(schemas, &op.name)) else {
                continue;
            };
            let sealed = keys.seal(value::form(field), home, &op.name, plain)?;
            op.op = Op::Set(sealed.ok_or(SessionError::Undecodable { field: field.name })?);
        }
        Ok(())
    }
}

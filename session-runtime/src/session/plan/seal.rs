//! Encrypts secret fields when a plan becomes a write. They are decrypted when a record becomes a
//! view, so that everything in between compares, merges and migrates plain values only. Each value
//! is bound to the record that it is written to, even if that is not the one first planned.

use std::sync::Arc;

use super::situation::{Apply, Create};
use crate::error::SessionError;
use crate::keys::{Home, Keys};
use crate::record::patch::{FieldOp, Op};
use crate::schema::Schema;
use crate::session::value;
use crate::session::view::{home, secret_of};

impl Create {
    /// Encrypts the secret fields. A record that continues another one may hold secrets of schemas
    /// that this request does not read.
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
                // A value that cannot be decrypted here cannot be decrypted in another record
                // either.
                (Some(field), _) => match keys.seal(value::form(field), to, name, bytes)? {
                    Some(sealed) => Op::set(sealed),
                    None => Op::Remove,
                },
                (None, Some(from)) => match keys.move_to(to, home(from), name, bytes)? {
                    Some(sealed) => Op::set(sealed),
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
    /// Encrypts the secret fields.
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
            op.op = Op::set(sealed.ok_or(SessionError::Undecodable { field: field.name })?);
        }
        Ok(())
    }
}

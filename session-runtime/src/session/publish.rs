//! From the changes of a handle to what its request wants stored.

use std::sync::Arc;

use super::core::{Change, Core, How};
use super::pending::{Pending, PendingOp};
use super::scope::{Origin, State};
use crate::codec::{NULL, Value, same_value};
use crate::error::SessionError;
use crate::fields::Fields;
use crate::patch::Op;
use crate::schema::Field;

/// What becomes of unpublished field changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Publish {
    Everything,
    /// The handler is unwinding: only a sign-out counts.
    SignOutOnly,
}

impl Core {
    /// Hands what changed to the request. The handle then sees the request's
    /// latest state, without I/O.
    pub(super) fn publish(&mut self, what: Publish) {
        if !self.dirty {
            return;
        }
        let events = std::mem::take(&mut self.events);
        let changes = self.take_changes();
        // First, so that a panic in a value's `Serialize` leaves no count behind.
        self.dirty = false;
        self.backend.scope().became_clean();
        let backend = Arc::clone(&self.backend);
        let mut state = backend.scope().state();
        let current = state.generation == self.generation;
        if !current {
            tracing::debug!(
                schema = self.schema.name,
                "changes of a session that this request destroyed meanwhile are dropped"
            );
        }
        state.pending.ops.reserve(changes.len());
        // A handle has at most one change of a field.
        let others = state.pending.ops.len();
        for change in changes.into_iter().filter(|_| current) {
            let field = self.field(usize::from(change.index));
            if what == Publish::SignOutOnly && !field.principal && !field.renew {
                continue;
            }
            let mut publish = || {
                self.ops_of(&change, |op| {
                    if what == Publish::Everything || op.takes_privileges() {
                        // Saying who somebody is, is an event, whatever was stored.
                        state.pending.authenticated |= op.field.principal && !op.clears();
                        state.pending.push_among(others, op);
                    }
                })
            };
            let published = match what {
                Publish::Everything => publish(),
                // A second panic while the handler unwinds would end the process.
                Publish::SignOutOnly => {
                    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(publish)) {
                        Ok(published) => published,
                        Err(_) => continue,
                    }
                }
            };
            match published {
                Ok(()) => self.settle(change),
                Err(error) => state.pending.fail(error),
            }
        }
        if current && what == Publish::Everything {
            state.pending.authenticated |= events.authenticated;
            state.pending.renew |= events.renew;
            state.pending.remember = events.remember.or(state.pending.remember);
        }
    }

    /// The operations that a change amounts to; none if nothing changed.
    pub(super) fn ops_of(
        &self,
        change: &Change,
        mut push: impl FnMut(PendingOp),
    ) -> Result<(), SessionError> {
        let field = self.field(usize::from(change.index));
        let (seq, namespace) = (change.seq, self.schema.namespace);
        let op = match &change.how {
            How::Set => set_or_remove(field, encode(field, &change.value)?),
            How::Reset => Op::Remove,
            How::Added(add) if add.delta == 0 => return Ok(()),
            How::Added(add) => Op::Add(*add),
            How::Touched => match self.touched(field, change)? {
                Some(value) => set_or_remove(field, value),
                None => return Ok(()),
            },
            How::Taken => {
                // What does not decode was not handed out, so it stays.
                if matches!(self.decode(field), Some(Err(_))) {
                    return Ok(());
                }
                for name in field.names() {
                    if let Some(bytes) = self.fields.get(name) {
                        let alias = (name != field.name).then_some(name);
                        push(PendingOp {
                            field,
                            namespace,
                            seq,
                            op: Op::RemoveIf(bytes.to_vec()),
                            alias,
                        });
                    }
                }
                return Ok(());
            }
        };
        if op == Op::Remove || field.principal {
            // A removed field must not come back under its old name, and nobody
            // may be signed in under the old name as somebody else.
            for &alias in field.aliases {
                push(PendingOp { field, namespace, seq, op: Op::Remove, alias: Some(alias) });
            }
        }
        push(PendingOp { field, namespace, seq, op, alias: None });
        Ok(())
    }

    /// The new bytes of a field that was borrowed mutably, if it changed.
    fn touched(
        &self,
        field: &'static Field,
        change: &Change,
    ) -> Result<Option<Vec<u8>>, SessionError> {
        let value = encode(field, &change.value)?;
        let unchanged = match self.stored(field) {
            Some((_, bytes)) => same_value(bytes, &value),
            None => same_value(&encode(field, &field.default_value())?, &value),
        };
        if unchanged {
            return Ok(None);
        }
        if matches!(self.decode(field), Some(Err(_))) {
            // What was borrowed was the default in place of bytes that do not
            // decode: storing it would destroy them unasked.
            return Err(SessionError::Undecodable { field: field.name });
        }
        Ok(Some(value))
    }
}

pub(super) fn encode(field: &'static Field, value: &Value) -> Result<Vec<u8>, SessionError> {
    field
        .codec()
        .bytes_of(&**value)
        .map_err(|source| SessionError::Unencodable { field: field.name, source })
}

fn set_or_remove(field: &Field, value: Vec<u8>) -> Op {
    if field.null_is_absent && value == NULL { Op::Remove } else { Op::Set(value) }
}

impl State {
    /// The fields as the next handle of this request sees them.
    pub(super) fn projected(&self) -> Fields {
        let stored = match &self.origin {
            Origin::Stored(record) => record.fields.clone(),
            _ => Fields::new(),
        };
        project(stored, &self.pending)
    }
}

fn project(mut fields: Fields, pending: &Pending) -> Fields {
    for op in &pending.ops {
        // An addition to bytes that are no integer is left out here; the
        // commit reports it.
        if let Ok((next, _)) = fields.apply_all(std::iter::once((op.name(), &op.op))) {
            fields = next;
        }
    }
    fields
}

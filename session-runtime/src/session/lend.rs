//! Lending a value to be changed in place: it begins with the latest that the request
//! knows, and counts as changed if its own JSON has changed when it is published.

use std::sync::{Arc, OnceLock};

use super::core::{Change, Core, Slot};
use super::value;
use crate::record::patch::{FieldOp, Op};

impl Core {
    /// As `begin`, for a value that is changed in place: the latest of this request.
    pub(super) fn lend(&mut self, index: usize) -> &mut Change {
        if self.slots[index].change > 0 {
            return self.begin(index);
        }
        let seen = self.catch_up(index);
        let field = self.field(index);
        let value = match self.slots[index].loaded.take() {
            Some(value) => value,
            None => self.load(index),
        };
        let now = || self.backend.now();
        let stored = self.stored(field).and_then(|(_, stored)| value::current(field, stored, now));
        // What does not encode now is reported when it is published.
        let before = field.codec().bytes_unless(stored, &*value).ok().flatten();
        self.slots[index].loaded = OnceLock::from(value);
        let change = self.begin(index);
        (change.before, change.seen) = (before, seen);
        change
    }

    /// Sees what other handles of this request have published of a field that this one
    /// has not changed. Says which publications it has seen then.
    pub(super) fn catch_up(&mut self, index: usize) -> u64 {
        if self.backend.scope().published() == self.seen || self.slots[index].change > 0 {
            return self.seen;
        }
        let backend = Arc::clone(&self.backend);
        let state = backend.scope().state();
        let (record, fields) = state.projected(&*backend);
        // Of a session that this handle does not see it has no field either.
        if state.generation != self.generation || (record.is_none() && self.record.is_some()) {
            return self.seen;
        }
        let seen = backend.scope().published();
        drop(state);
        let latest = self.field(index).names().filter_map(|name| {
            let latest = fields.get(name);
            let op = || latest.map_or(Op::Remove, |bytes| Op::Set(bytes.to_vec()));
            (latest != self.fields.get(name)).then(|| FieldOp::new(name, op()))
        });
        let latest: Vec<_> = latest.collect();
        if !latest.is_empty() {
            // Without additions nothing is refused.
            if let Ok((fields, _)) = self.fields.apply(&latest) {
                self.fields = fields;
                self.slots[index] = Slot::default();
            }
        }
        seen
    }
}

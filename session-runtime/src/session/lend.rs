//! Lends a value to be changed in place. The loan starts from the latest value known to the request
//! and counts as a change if its JSON differs when it is published.

use std::sync::{Arc, OnceLock};

use super::core::{Change, Core, Slot};
use super::value;
use crate::record::patch::{FieldOp, Op};

impl Core {
    /// Like `begin`, for a value to be changed in place: starts from the latest value of the
    /// request.
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
        // A value that does not encode is reported when it is published.
        let before = field.codec().bytes_unless(stored, &*value).ok().flatten();
        self.slots[index].loaded = OnceLock::from(value);
        let change = self.begin(index);
        (change.before, change.seen) = (before, seen);
        change
    }

    /// Picks up what other handles of this request have published of a field that this one has not
    /// changed. Returns the number of the last publication seen.
    pub(super) fn catch_up(&mut self, index: usize) -> u64 {
        if self.backend.scope().published() == self.seen || self.slots[index].change > 0 {
            return self.seen;
        }
        let backend = Arc::clone(&self.backend);
        let state = backend.scope().state();
        let (record, fields) = state.projected(&*backend);
        // A handle that does not see the session does not see its fields either.
        if state.generation != self.generation || (record.is_none() && self.record.is_some()) {
            return self.seen;
        }
        let seen = backend.scope().published();
        drop(state);
        let latest = self.field(index).names().filter_map(|name| {
            let latest = fields.get(name);
            let op = || latest.map_or(Op::Remove, Op::set);
            (latest != self.fields().get(name)).then(|| FieldOp::new(name, op()))
        });
        let latest: Vec<_> = latest.collect();
        if !latest.is_empty() {
            // `apply` fails only on additions, and there are none.
            if let Ok((fields, _)) = self.fields().apply(&latest) {
                self.projected = Some(fields);
                self.slots[index] = Slot::default();
            }
        }
        seen
    }
}

//! What the new store has refused for its size.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::id::SessionId;
use crate::record::Record;

/// How many are remembered.
const REFUSALS: usize = 4_096;

/// How large each of them was: it is not tried again with every request, but
/// once it has become smaller.
#[derive(Default)]
pub(super) struct Refusals(Mutex<HashMap<SessionId, usize>>);

impl Refusals {
    pub(super) fn note(&self, record: &Record) {
        let mut known = self.lock();
        if known.len() >= REFUSALS {
            known.clear();
        }
        known.insert(record.id, record.fields.byte_len());
    }

    pub(super) fn holds(&self, record: &Record) -> bool {
        let bytes = self.lock().get(&record.id).copied();
        bytes.is_some_and(|bytes| record.fields.byte_len() >= bytes)
    }

    pub(super) fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, usize>> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

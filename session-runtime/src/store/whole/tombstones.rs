//! Recently destroyed records, as far as this process knows.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::{EndReason, Ended, Meta, TOMBSTONE, Tombstone, Visit};
use crate::token::SecretHash;

/// The tombstones of the records that were destroyed within the last minute.
#[derive(Default)]
pub(super) struct Tombstones(Mutex<Graves>);

#[derive(Default)]
struct Graves {
    tombstones: HashMap<SessionId, Tombstone>,
    /// Oldest first.
    order: VecDeque<(Timestamp, SessionId)>,
}

impl Tombstones {
    /// Adds the tombstone of a record. Forgets up to two older ones, so that they do not accumulate
    /// if nothing sweeps.
    pub(super) fn add(&self, id: SessionId, meta: Meta, because: EndReason, now: Timestamp) {
        self.with(|graves| {
            graves.forget(2, now);
            graves.tombstones.insert(id, Tombstone { meta, ended: Ended::new(because, now) });
            graves.order.push_back((now.after(TOMBSTONE), id));
        });
    }

    /// Whether the record with that id was recently destroyed.
    pub(super) fn contains(&self, id: SessionId, now: Timestamp) -> bool {
        self.with(|graves| graves.tombstones.get(&id).is_some_and(|it| !it.is_over(now)))
    }

    /// Returns how it ended, if one of `secrets` was one of its own.
    pub(super) fn judge(
        &self,
        id: SessionId,
        secrets: &[SecretHash],
        visit: Visit,
        now: Timestamp,
    ) -> Option<Ended> {
        self.with(|graves| graves.tombstones.get(&id)?.judge(secrets, visit, now))
    }

    /// Forgets at most `limit` that are due; returns whether more are due.
    pub(super) fn forget(&self, limit: usize, now: Timestamp) -> bool {
        self.with(|graves| graves.forget(limit, now))
    }

    fn with<T>(&self, look: impl FnOnce(&mut Graves) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Graves {
    fn forget(&mut self, limit: usize, now: Timestamp) -> bool {
        for _ in 0..limit {
            match self.order.front() {
                Some((until, id)) if *until <= now => {
                    // If it was destroyed again since, it has a later end.
                    if self.tombstones.get(id).is_some_and(|it| it.is_over(now)) {
                        self.tombstones.remove(id);
                    }
                    self.order.pop_front();
                }
                _ => return false,
            }
        }
        self.order.front().is_some_and(|(until, _)| *until <= now)
    }
}

//! Recently destroyed records, as far as this process knows.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::{Ended, EndedBy, Meta, TOMBSTONE, Tombstone, Visit};
use crate::token::SecretHash;

/// What is left of the records that were destroyed within the last minute.
#[derive(Default)]
pub(super) struct Tombstones(Mutex<Graves>);

#[derive(Default)]
struct Graves {
    tombstones: HashMap<SessionId, Tombstone>,
    /// The oldest first.
    order: VecDeque<(Timestamp, SessionId)>,
}

impl Tombstones {
    /// Remembers a record. Forgets two older ones, so that they do not pile up where
    /// nothing sweeps.
    pub(super) fn add(&self, id: SessionId, meta: Meta, by: EndedBy, now: Timestamp) {
        self.with(|graves| {
            graves.forget(2, now);
            graves.tombstones.insert(id, Tombstone { meta, ended: Ended::new(by, now) });
            graves.order.push_back((now.after(TOMBSTONE), id));
        });
    }

    /// Whether the record of that id was destroyed.
    pub(super) fn contains(&self, id: SessionId, now: Timestamp) -> bool {
        self.with(|graves| graves.tombstones.get(&id).is_some_and(|it| !it.is_over(now)))
    }

    /// How it ended, if one of these was one of its secrets.
    pub(super) fn judge(
        &self,
        id: SessionId,
        secrets: &[SecretHash],
        visit: Visit,
        now: Timestamp,
    ) -> Option<Ended> {
        self.with(|graves| graves.tombstones.get(&id)?.judge(secrets, visit, now))
    }

    /// Forgets at most `limit` that are due, and says whether more are.
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
                    // Destroyed once more since, it has a later end.
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

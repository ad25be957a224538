//! What was destroyed lately, as far as this process knows.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::{Meta, TOMBSTONE};
use crate::token::SecretHash;

/// The secrets of the records that were destroyed within the last minute.
#[derive(Default)]
pub(super) struct Tombstones(Mutex<Graves>);

#[derive(Default)]
struct Graves {
    secrets: HashMap<SessionId, (Box<[SecretHash]>, Timestamp)>,
    /// The oldest first.
    order: VecDeque<(Timestamp, SessionId)>,
}

impl Tombstones {
    /// Remembers the secrets of a record. Forgets two older ones, so that they
    /// do not pile up where nobody sweeps.
    pub(super) fn add(&self, id: SessionId, meta: &Meta, now: Timestamp) {
        let until = now.after(TOMBSTONE);
        self.with(|graves| {
            graves.forget(2, now);
            graves.secrets.insert(id, (meta.secrets(now).collect(), until));
            graves.order.push_back((until, id));
        });
    }

    /// Whether the record of that id was destroyed.
    pub(super) fn contains(&self, id: SessionId, now: Timestamp) -> bool {
        self.with(|graves| graves.secrets.get(&id).is_some_and(|(_, until)| now < *until))
    }

    /// Whether it was, and this was one of its secrets.
    pub(super) fn opens(&self, id: SessionId, secret: &SecretHash, now: Timestamp) -> bool {
        self.with(|graves| {
            let found = graves.secrets.get(&id).filter(|(_, until)| now < *until);
            found.is_some_and(|(secrets, _)| secrets.contains(secret))
        })
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
                    if self.secrets.get(id).is_some_and(|(_, until)| *until <= now) {
                        self.secrets.remove(id);
                    }
                    self.order.pop_front();
                }
                _ => return false,
            }
        }
        self.order.front().is_some_and(|(until, _)| *until <= now)
    }
}

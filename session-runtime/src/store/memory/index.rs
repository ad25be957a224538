//! Who has which sessions: a superset of the live ones at all times.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::id::SessionId;
use crate::record::Principal;

const SHARDS: usize = 16;

type Sessions = HashMap<Principal, Vec<SessionId>>;

/// Lock order: a lock of the index comes before a lock of a record's shard.
pub(super) struct PrincipalIndex {
    shards: Box<[Mutex<Sessions>]>,
    hasher: RandomState,
}

impl PrincipalIndex {
    pub(super) fn new() -> Self {
        Self {
            shards: std::iter::repeat_with(Mutex::default).take(SHARDS).collect(),
            hasher: RandomState::new(),
        }
    }

    fn shard(&self, principal: &Principal) -> MutexGuard<'_, Sessions> {
        let index = self.hasher.hash_one(principal) as usize % SHARDS;
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `store`, which makes a session theirs if it says so, with the index
    /// locked: nobody sees the session without its entry.
    pub(super) fn while_adding<T>(
        &self,
        principal: &Principal,
        id: SessionId,
        store: impl FnOnce() -> (T, bool),
    ) -> T {
        let mut shard = self.shard(principal);
        let (answer, theirs) = store();
        if theirs {
            let ids = shard.entry(principal.clone()).or_insert_with(|| Vec::with_capacity(1));
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        answer
    }

    /// Removes an entry, unless `theirs` says that it is right after all.
    pub(super) fn remove_unless(
        &self,
        principal: &Principal,
        id: SessionId,
        theirs: impl FnOnce() -> bool,
    ) {
        let mut shard = self.shard(principal);
        let Some(ids) = shard.get_mut(principal) else { return };
        if theirs() {
            return;
        }
        ids.retain(|known| *known != id);
        if ids.is_empty() {
            shard.remove(principal);
        }
        if shard.capacity() > 64 + 4 * shard.len() {
            let keep = 2 * shard.len();
            shard.shrink_to(keep);
        }
    }

    pub(super) fn get(&self, principal: &Principal) -> Vec<SessionId> {
        self.shard(principal).get(principal).cloned().unwrap_or_default()
    }
}

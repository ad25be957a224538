//! Who has which sessions: a superset of the live ones at all times.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::id::SessionId;
use crate::record::Principal;

const SHARDS: usize = 16;

type Sessions = HashMap<Principal, Ids>;

/// Nearly everybody has one session, which then takes no block of its own.
enum Ids {
    One(SessionId),
    Many(Vec<SessionId>),
}

impl Ids {
    fn to_vec(&self) -> Vec<SessionId> {
        match self {
            Self::One(id) => vec![*id],
            Self::Many(ids) => ids.clone(),
        }
    }

    fn add(&mut self, id: SessionId) {
        match self {
            Self::One(one) if *one == id => {}
            Self::One(one) => *self = Self::Many(vec![*one, id]),
            Self::Many(ids) if ids.contains(&id) => {}
            Self::Many(ids) => ids.push(id),
        }
    }

    /// Whether none is left.
    fn remove(&mut self, id: SessionId) -> bool {
        match self {
            Self::One(one) => *one == id,
            Self::Many(ids) => {
                ids.retain(|known| *known != id);
                ids.is_empty()
            }
        }
    }
}

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
            match shard.entry(principal.clone()) {
                Entry::Vacant(entry) => drop(entry.insert(Ids::One(id))),
                Entry::Occupied(mut entry) => entry.get_mut().add(id),
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
        if ids.remove(id) {
            shard.remove(principal);
        }
        if shard.capacity() > 64 + 4 * shard.len() {
            let keep = 2 * shard.len();
            shard.shrink_to(keep);
        }
    }

    pub(super) fn get(&self, principal: &Principal) -> Vec<SessionId> {
        self.shard(principal).get(principal).map_or_else(Vec::new, Ids::to_vec)
    }
}

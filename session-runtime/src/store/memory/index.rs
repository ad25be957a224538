//! The sessions of each principal: at all times a superset of the live ones.
//!
//! A principal is represented by an eight-byte hash under a key of this store. In case two
//! principals have the same hash, a session's principal is compared before the session counts.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::hash::Hashed;
use super::members::Members;
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::{Principal, TICKET_LIFETIME};
use crate::store::engine::index::Order;

const SHARDS: usize = 16;

type ByOwner<T> = HashMap<u64, T, Hashed>;

/// The principals under one lock.
#[derive(Default)]
struct Principals {
    /// Nearly every principal has one session, which needs no allocation here.
    ones: ByOwner<SessionId>,
    several: ByOwner<Members>,
    /// When all sessions of a principal were last revoked.
    revoked: ByOwner<Timestamp>,
    /// Revocations to forget, oldest first. A principal may be listed several times.
    forget: VecDeque<(Timestamp, u64)>,
}

impl Principals {
    fn revoked(&self, owner: u64, now: impl FnOnce() -> Timestamp) -> Option<Timestamp> {
        self.revoked.get(&owner).copied().filter(|at| is_remembered(*at, now()))
    }

    /// Forgets at most `limit` revocations; returns whether more are due.
    fn forget(&mut self, limit: usize, now: Timestamp) -> bool {
        for _ in 0..limit {
            match self.forget.front() {
                Some((at, _)) if !is_remembered(*at, now) => {}
                _ => return false,
            }
            if let Some((_, owner)) = self.forget.pop_front()
                && self.revoked(owner, || now).is_none()
            {
                self.revoked.remove(&owner);
            }
        }
        if self.revoked.is_empty() {
            (self.revoked, self.forget) = Default::default();
        }
        self.forget.front().is_some_and(|(at, _)| !is_remembered(*at, now))
    }
}

/// The index of one principal, locked.
pub(super) struct Theirs<'i> {
    principals: MutexGuard<'i, Principals>,
    owner: u64,
}

impl Theirs<'_> {
    fn members(&self) -> Option<&Members> {
        self.principals.several.get(&self.owner)
    }

    fn one(&self) -> Option<SessionId> {
        self.principals.ones.get(&self.owner).copied()
    }

    /// Adds a session with its current age. `order_of` returns the age of other sessions.
    pub(super) fn add(
        &mut self,
        id: SessionId,
        order: Order,
        order_of: impl Fn(SessionId) -> Option<Order>,
    ) {
        let Principals { ones, several, .. } = &mut *self.principals;
        if let Some(members) = several.get_mut(&self.owner) {
            return members.add(id, order, order_of);
        }
        match ones.entry(self.owner) {
            Entry::Vacant(entry) => drop(entry.insert(id)),
            Entry::Occupied(entry) if *entry.get() == id => {}
            Entry::Occupied(entry) => {
                several.insert(self.owner, Members::both(entry.remove(), id));
            }
        }
    }

    pub(super) fn remove(&mut self, id: SessionId) {
        let Principals { ones, several, .. } = &mut *self.principals;
        if several.get_mut(&self.owner).is_some_and(|members| members.remove(id)) {
            several.remove(&self.owner);
            give_memory_back(several);
        }
        if ones.get(&self.owner) == Some(&id) {
            ones.remove(&self.owner);
            give_memory_back(ones);
        }
    }

    /// Records that a session has expired: it no longer counts, unless it is [added](Self::add)
    /// again.
    pub(super) fn expired(&mut self, id: SessionId) {
        if let Some(Members::Many(many)) = self.principals.several.get_mut(&self.owner) {
            many.expired(id);
        }
    }

    /// Returns an upper bound on the number of live sessions other than `id`.
    pub(super) fn others(&self, id: SessionId) -> usize {
        match self.members() {
            Some(members) => members.others(id),
            None => usize::from(self.one().is_some_and(|one| one != id)),
        }
    }

    /// Returns the next sessions to look at: the `most` oldest after `after`, or all of them if
    /// there are few.
    pub(super) fn oldest(&self, after: Option<SessionId>, most: usize) -> Vec<SessionId> {
        match self.members() {
            Some(members) => members.oldest(after, most),
            None => self.one().filter(|_| after.is_none()).into_iter().collect(),
        }
    }

    /// Returns the first `limit` sessions after `after`, by id, and whether there are more.
    pub(super) fn page(&self, after: Option<SessionId>, limit: usize) -> (Vec<SessionId>, bool) {
        match self.members() {
            Some(members) => members.page(after, limit),
            None => {
                let one = self.one().filter(|one| after.is_none_or(|after| *one > after));
                (one.into_iter().collect(), false)
            }
        }
    }

    /// Records that all sessions of the principal are revoked.
    pub(super) fn revoke(&mut self, now: Timestamp) {
        let at = self.principals.revoked.entry(self.owner).or_insert(now);
        *at = now.max(*at);
        let note = (*at, self.owner);
        self.principals.forget.push_back(note);
    }

    pub(super) fn revoked(&self, now: impl FnOnce() -> Timestamp) -> Option<Timestamp> {
        self.principals.revoked(self.owner, now)
    }
}

fn give_memory_back<T>(map: &mut ByOwner<T>) {
    if map.capacity() > 64 + 4 * map.len() {
        map.shrink_to(2 * map.len());
    }
}

/// Revocations are remembered until the last login that they may have to stop has ended, that
/// moment included.
fn is_remembered(revoked: Timestamp, now: Timestamp) -> bool {
    now.since(revoked) <= TICKET_LIFETIME
}

/// The index of all principals.
///
/// Lock order: a lock of the index is taken before a lock of a record's shard.
pub(super) struct PrincipalIndex {
    shards: Box<[Mutex<Principals>]>,
    hasher: RandomState,
}

impl PrincipalIndex {
    pub(super) fn new() -> Self {
        Self {
            shards: std::iter::repeat_with(Mutex::default).take(SHARDS).collect(),
            hasher: RandomState::new(),
        }
    }

    /// Locks the index of `principal`.
    pub(super) fn lock(&self, principal: &Principal) -> Theirs<'_> {
        let owner = self.hasher.hash_one(principal);
        // The maps use the low and the highest bits.
        Theirs { principals: self.lock_at((owner >> 32) as usize), owner }
    }

    fn lock_at(&self, index: usize) -> MutexGuard<'_, Principals> {
        self.shards[index % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes an entry, unless `theirs` returns that it is still right.
    pub(super) fn remove_unless(
        &self,
        principal: &Principal,
        id: SessionId,
        theirs: impl FnOnce() -> bool,
    ) {
        let mut sessions = self.lock(principal);
        if !theirs() {
            sessions.remove(id);
        }
    }

    /// Returns the number of principals, and the capacity for them.
    #[cfg(test)]
    pub(super) fn size(&self) -> (usize, usize) {
        (0..SHARDS).map(|index| self.lock_at(index)).fold((0, 0), |(held, room), shard| {
            let Principals { ones, several, .. } = &*shard;
            (held + ones.len() + several.len(), room + ones.capacity() + several.capacity())
        })
    }

    #[cfg(test)]
    pub(super) fn revocations(&self) -> (usize, usize) {
        (0..SHARDS).map(|index| self.lock_at(index)).fold((0, 0), |(revoked, forget), shard| {
            (revoked + shard.revoked.len(), forget + shard.forget.len())
        })
    }

    /// Forgets at most `limit` revocations per shard; returns whether more are due.
    pub(super) fn forget(&self, limit: usize, now: Timestamp) -> bool {
        (0..SHARDS).fold(false, |more, index| self.lock_at(index).forget(limit, now) | more)
    }
}

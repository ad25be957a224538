//! Who has which sessions: a superset of the live ones at all times.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::members::Members;
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::{Principal, TICKET_LIFETIME};
use crate::store::engine::index::Order;

const SHARDS: usize = 16;

/// The principals of one lock.
#[derive(Default)]
pub(super) struct Principals {
    sessions: HashMap<Principal, Members>,
    /// When all sessions of a principal were revoked last.
    revoked: HashMap<Principal, Timestamp>,
    /// What to forget, the oldest first. A principal may stand here several
    /// times.
    forget: VecDeque<(Timestamp, Principal)>,
}

impl Principals {
    /// Notes a session, with its present age. `order_of` is asked for the age of others.
    pub(super) fn add(
        &mut self,
        principal: &Principal,
        id: SessionId,
        order: Order,
        order_of: impl Fn(SessionId) -> Option<Order>,
    ) {
        match self.sessions.entry(principal.clone()) {
            Entry::Vacant(entry) => drop(entry.insert(Members::One(id))),
            Entry::Occupied(mut entry) => entry.get_mut().add(id, order, order_of),
        }
    }

    pub(super) fn remove(&mut self, principal: &Principal, id: SessionId) {
        if self.sessions.get_mut(principal).is_some_and(|members| members.remove(id)) {
            self.sessions.remove(principal);
        }
        if self.sessions.capacity() > 64 + 4 * self.sessions.len() {
            let keep = 2 * self.sessions.len();
            self.sessions.shrink_to(keep);
        }
    }

    /// A session has expired: it does not count any more, unless it is [added](Self::add)
    /// again.
    pub(super) fn expired(&mut self, principal: &Principal, id: SessionId) {
        if let Some(Members::Many(many)) = self.sessions.get_mut(principal) {
            many.expired(id);
        }
    }

    /// How many sessions but for this one may be live: at most so many are.
    pub(super) fn others(&self, principal: &Principal, id: SessionId) -> usize {
        self.sessions.get(principal).map_or(0, |members| members.others(id))
    }

    /// The next sessions to look at: the `most` oldest after that one, or all of them
    /// where they are few.
    pub(super) fn oldest(
        &self,
        principal: &Principal,
        after: Option<SessionId>,
        most: usize,
    ) -> Vec<SessionId> {
        let members = self.sessions.get(principal);
        members.map_or_else(Vec::new, |members| members.oldest(after, most))
    }

    /// Notes that all sessions of `principal` are revoked.
    pub(super) fn revoke(&mut self, principal: &Principal, now: Timestamp) {
        let at = self.revoked.entry(principal.clone()).or_insert(now);
        *at = now.max(*at);
        self.forget.push_back((*at, principal.clone()));
    }

    pub(super) fn revoked(&self, principal: &Principal, now: Timestamp) -> Option<Timestamp> {
        self.revoked.get(principal).copied().filter(|at| is_remembered(*at, now))
    }

    /// Forgets at most `limit` revocations, and says whether more are due.
    fn forget(&mut self, limit: usize, now: Timestamp) -> bool {
        for _ in 0..limit {
            match self.forget.front() {
                Some((at, _)) if !is_remembered(*at, now) => {}
                _ => return false,
            }
            if let Some((_, principal)) = self.forget.pop_front()
                && self.revoked(&principal, now).is_none()
            {
                self.revoked.remove(&principal);
            }
        }
        if self.revoked.is_empty() {
            (self.revoked, self.forget) = Default::default();
        }
        self.forget.front().is_some_and(|(at, _)| !is_remembered(*at, now))
    }
}

/// To the end of the last login that it may have to stop, that moment included.
fn is_remembered(revoked: Timestamp, now: Timestamp) -> bool {
    now.since(revoked) <= TICKET_LIFETIME
}

/// Lock order: a lock of the index comes before a lock of a record's shard.
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

    /// The shard that knows `principal`, locked.
    pub(super) fn lock(&self, principal: &Principal) -> MutexGuard<'_, Principals> {
        self.lock_at(self.hasher.hash_one(principal) as usize)
    }

    fn lock_at(&self, index: usize) -> MutexGuard<'_, Principals> {
        self.shards[index % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes an entry, unless `theirs` says that it is right after all.
    pub(super) fn remove_unless(
        &self,
        principal: &Principal,
        id: SessionId,
        theirs: impl FnOnce() -> bool,
    ) {
        let mut principals = self.lock(principal);
        if !theirs() {
            principals.remove(principal, id);
        }
    }

    /// The first `limit` sessions of `principal` after that one, by id, and whether
    /// there are more.
    pub(super) fn page(
        &self,
        principal: &Principal,
        after: Option<SessionId>,
        limit: usize,
    ) -> (Vec<SessionId>, bool) {
        let principals = self.lock(principal);
        let members = principals.sessions.get(principal);
        members.map_or_else(Default::default, |members| members.page(after, limit))
    }

    /// Notes that all sessions of `principal` are revoked.
    pub(super) fn revoke(&self, principal: &Principal, now: Timestamp) {
        self.lock(principal).revoke(principal, now);
    }

    #[cfg(test)]
    pub(super) fn revocations(&self) -> (usize, usize) {
        (0..SHARDS).map(|index| self.lock_at(index)).fold((0, 0), |(revoked, forget), shard| {
            (revoked + shard.revoked.len(), forget + shard.forget.len())
        })
    }

    /// Forgets revocations, at most `limit` a shard, and says whether more are
    /// due.
    pub(super) fn forget(&self, limit: usize, now: Timestamp) -> bool {
        (0..SHARDS).fold(false, |more, index| self.lock_at(index).forget(limit, now) | more)
    }
}

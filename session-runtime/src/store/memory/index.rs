//! Who has which sessions: a superset of the live ones at all times.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::{Principal, TICKET_LIFETIME};

const SHARDS: usize = 16;

/// The principals of one lock.
#[derive(Default)]
pub(super) struct Principals {
    sessions: HashMap<Principal, Ids>,
    /// When all sessions of a principal were revoked last.
    revoked: HashMap<Principal, Timestamp>,
    /// What to forget, the oldest first. A principal may stand here several
    /// times.
    forget: VecDeque<(Timestamp, Principal)>,
}

impl Principals {
    pub(super) fn ids(&self, principal: &Principal) -> Vec<SessionId> {
        self.sessions.get(principal).map_or_else(Vec::new, Ids::to_vec)
    }

    pub(super) fn add(&mut self, principal: &Principal, id: SessionId) {
        match self.sessions.entry(principal.clone()) {
            Entry::Vacant(entry) => drop(entry.insert(Ids::One(id))),
            Entry::Occupied(mut entry) => entry.get_mut().add(id),
        }
    }

    pub(super) fn remove(&mut self, principal: &Principal, id: SessionId) {
        if self.sessions.get_mut(principal).is_some_and(|ids| ids.remove(id)) {
            self.sessions.remove(principal);
        }
        if self.sessions.capacity() > 64 + 4 * self.sessions.len() {
            let keep = 2 * self.sessions.len();
            self.sessions.shrink_to(keep);
        }
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

/// Nearly every principal has one session, which then takes no block of its own.
enum Ids {
    One(SessionId),
    Many(BTreeSet<SessionId>),
}

impl Ids {
    fn to_vec(&self) -> Vec<SessionId> {
        match self {
            Self::One(id) => vec![*id],
            Self::Many(ids) => ids.iter().copied().collect(),
        }
    }

    fn page(&self, after: Option<SessionId>, limit: usize) -> (Vec<SessionId>, bool) {
        match self {
            Self::One(id) => {
                let id = Some(*id).filter(|id| after.is_none_or(|after| *id > after));
                (id.into_iter().collect(), false)
            }
            Self::Many(ids) => {
                let start = after.map_or(Bound::Unbounded, Bound::Excluded);
                let mut rest = ids.range((start, Bound::Unbounded)).copied();
                let page: Vec<_> = rest.by_ref().take(limit).collect();
                (page, rest.next().is_some())
            }
        }
    }

    fn add(&mut self, id: SessionId) {
        match self {
            Self::One(one) if *one == id => {}
            Self::One(one) => *self = Self::Many([*one, id].into()),
            Self::Many(ids) => drop(ids.insert(id)),
        }
    }

    /// Whether none is left.
    fn remove(&mut self, id: SessionId) -> bool {
        match self {
            Self::One(one) => *one == id,
            Self::Many(ids) => {
                ids.remove(&id);
                ids.is_empty()
            }
        }
    }
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

    /// Runs `store`, which makes a session theirs if it says so, with the index
    /// locked: nobody sees the session without its entry.
    pub(super) fn while_adding<T>(
        &self,
        principal: &Principal,
        id: SessionId,
        store: impl FnOnce() -> (T, bool),
    ) -> T {
        let mut principals = self.lock(principal);
        let (answer, theirs) = store();
        if theirs {
            principals.add(principal, id);
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
        let ids = principals.sessions.get(principal);
        ids.map_or_else(Default::default, |ids| ids.page(after, limit))
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

//! Sign-ins, and everything else that changes the index of a principal.
//!
//! All of it happens while the principal is locked in the index. The other sessions are looked at
//! one by one, oldest first and only at a cap: no session can join them meanwhile, and one that
//! ends only makes room. Then the shards of this session and of the evicted ones are locked
//! together, in ascending order, so that the write is one step.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard};

use super::index::Theirs;
use super::shard::{Seen, Shard};
use super::{Inner, SHARDS};
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::patch::{Denied, Outcome, Patch, SignIn};
use crate::record::{Principal, Record};
use crate::store::engine::index::{Admission, Verdict};
use crate::store::{Created, EndReason};

impl Inner {
    /// Stores a new record of `principal` if `sign_in` allows it.
    pub(super) fn create_signed_in(
        &self,
        record: Arc<Record>,
        principal: &Principal,
        sign_in: SignIn,
    ) -> Created {
        let id = record.id;
        let order = (record.meta.authenticated, record.meta.created);
        let mut theirs = self.index.lock(principal);
        // Read only when it is needed: for a tombstone, a revocation or a cap.
        let now = || self.clock.now();
        let mut shards = Locked::of(self, id, &[]);
        if !shards.own.is_free(id, now) {
            return Created::Exists;
        }
        let mut evicted = Vec::new();
        if sign_in.cap.is_some() {
            // Looks at other sessions, and so may not hold the lock of this one.
            drop(shards);
            match self.admit(&mut theirs, principal, id, sign_in, now()) {
                Ok(some) => evicted = some,
                Err(denied) => return Created::Denied(denied),
            }
            shards = Locked::of(self, id, &evicted);
            if !shards.own.is_free(id, now) {
                return Created::Exists;
            }
        } else if let Err(denied) = sign_in.admit([], theirs.revoked(now)) {
            return Created::Denied(denied);
        }
        self.evict(&mut theirs, &mut shards, principal, &evicted, now);
        shards.own.insert(record);
        drop(shards);
        theirs.add(id, order, |id| self.order_of(id));
        Created::Created { evicted }
    }

    /// Applies a patch that affects the index; returns the outcome and the previous principal.
    pub(super) fn apply_signed_in(
        &self,
        id: SessionId,
        epoch: u64,
        patch: &Patch,
    ) -> (Outcome, Option<Principal>) {
        let sign_in = patch.meta.sign_in;
        let mut principal = match &patch.meta.principal {
            Some(principal) => principal.clone(),
            None => self.shard(id).principal(id).cloned(),
        };
        loop {
            let mut theirs = principal.as_ref().map(|principal| self.index.lock(principal));
            let mut evicted = Vec::new();
            if let (Some(theirs), Some(owner)) = (&mut theirs, &principal)
                && !sign_in.is_unconditional()
            {
                let now = self.clock.now();
                // Other reasons for a refusal take precedence.
                match self.shard(id).prepare(id, epoch, patch, now, &self.limits()) {
                    Err(outcome) => return (outcome, None),
                    Ok(prepared) if prepared.after.meta.principal == principal => {}
                    Ok(prepared) => {
                        // The principal changed before it was locked.
                        principal.clone_from(&prepared.after.meta.principal);
                        continue;
                    }
                }
                match self.admit(theirs, owner, id, sign_in, now) {
                    Ok(some) => evicted = some,
                    Err(denied) => return (Outcome::Denied(denied), None),
                }
            }
            let mut shards = Locked::of(self, id, &evicted);
            let now = self.clock.now();
            let prepared = match shards.own.prepare(id, epoch, patch, now, &self.limits()) {
                Ok(prepared) => prepared,
                Err(outcome) => return (outcome, None),
            };
            let meta = &prepared.after.meta;
            if meta.principal != principal {
                principal.clone_from(&meta.principal);
                continue;
            }
            let order = (meta.authenticated, meta.created);
            if let (Some(theirs), Some(principal)) = (&mut theirs, &principal) {
                self.evict(theirs, &mut shards, principal, &evicted, || now);
            }
            let mut committed = shards.own.commit(prepared);
            if let Outcome::Applied(applied) = &mut committed.0 {
                applied.evicted = evicted;
            }
            drop(shards);
            if let Some(theirs) = &mut theirs {
                theirs.add(id, order, |id| self.order_of(id));
            }
            return committed;
        }
    }

    /// Decides whether the sign-in may be stored, and returns the sessions to evict for it.
    fn admit(
        &self,
        theirs: &mut Theirs<'_>,
        principal: &Principal,
        id: SessionId,
        sign_in: SignIn,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, Denied> {
        let ticket = SignIn { cap: None, ..sign_in };
        ticket.admit([], theirs.revoked(|| now))?;
        let Some(cap) = sign_in.cap else { return Ok(Vec::new()) };
        let mut admission = Admission::new(cap, theirs.others(id));
        let mut after = None;
        loop {
            match admission.verdict() {
                Verdict::Admitted(evicted) => {
                    return Ok(evicted.into_iter().map(|(_, id)| id).collect());
                }
                Verdict::Denied => return Err(Denied::AtLimit),
                Verdict::Look(most) => {
                    let oldest = theirs.oldest(after, most);
                    after = oldest.last().copied();
                    if oldest.is_empty() {
                        admission.fewer(usize::MAX);
                    }
                    for other in oldest.into_iter().filter(|other| *other != id) {
                        #[cfg(test)]
                        self.looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        let seen = self.shard(other).look(other, principal, now);
                        let order = match seen {
                            Seen::Live(order) => Some(order),
                            Seen::Other => None,
                        };
                        admission.saw(other, order);
                        if order.is_none() {
                            theirs.expired(other);
                        }
                    }
                }
            }
        }
    }

    fn evict(
        &self,
        theirs: &mut Theirs<'_>,
        shards: &mut Locked<'_>,
        principal: &Principal,
        evicted: &[SessionId],
        now: impl Fn() -> Timestamp,
    ) {
        let is_theirs = |record: &Record| record.meta.principal.as_ref() == Some(principal);
        for id in evicted {
            let Some(shard) = shards.get(*id) else { continue };
            if shard.delete(*id, EndReason::Limit, now(), is_theirs).is_some() {
                theirs.remove(*id);
                self.one_less();
            }
        }
    }
}

/// Shards that are locked together.
struct Locked<'s> {
    own: MutexGuard<'s, Shard>,
    /// Index of the shard that `own` belongs to.
    index: usize,
    others: BTreeMap<usize, MutexGuard<'s, Shard>>,
}

impl<'s> Locked<'s> {
    /// Locks the shards of `id` and of `others`.
    fn of(store: &'s Inner, id: SessionId, others: &[SessionId]) -> Self {
        let own_index = index(id);
        let mut indexes: Vec<_> = others.iter().map(|id| index(*id)).collect();
        // Several shards are only ever locked in this order.
        indexes.sort_unstable();
        indexes.dedup();
        let lock = |index: &usize| (*index, store.shard_at(*index));
        let below = indexes.iter().take_while(|index| **index < own_index);
        let mut others: BTreeMap<_, _> = below.map(lock).collect();
        let own = store.shard_at(own_index);
        others.extend(indexes.iter().filter(|index| **index > own_index).map(lock));
        Self { own, index: own_index, others }
    }

    fn get(&mut self, id: SessionId) -> Option<&mut Shard> {
        let index = index(id);
        if index == self.index {
            return Some(&mut *self.own);
        }
        self.others.get_mut(&index).map(|guard| &mut **guard)
    }
}

/// Returns the index of the session's shard.
fn index(id: SessionId) -> usize {
    usize::from(id.as_bytes()[0]) % SHARDS
}

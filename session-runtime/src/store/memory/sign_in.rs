//! Sign-ins with conditions: on how many sessions the principal has, and on
//! what was revoked since the login began.
//!
//! All of it happens with the principal locked in the index, and, where a cap
//! has to be counted, with the shards of all sessions of the principal locked
//! as well, in ascending order: it is one step. A sign-in without a cap locks
//! its own shard only.

use std::collections::BTreeMap;
use std::sync::MutexGuard;

use super::index::Principals;
use super::shard::Shard;
use super::{Inner, SHARDS};
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::patch::{Denied, Outcome, Patch, SignIn};
use crate::record::{Principal, Record};
use crate::store::{Created, EndedBy};

impl Inner {
    /// Stores a new record of `principal` if `sign_in` allows it.
    pub(super) fn create_signed_in(
        &self,
        record: Record,
        principal: &Principal,
        sign_in: SignIn,
    ) -> Created {
        let (id, mut principals) = (record.id, self.index.lock(principal));
        let mut shards = Locked::of(self, &principals, principal, id, sign_in);
        let now = self.clock.now();
        if !shards.own.is_free(id, now) {
            return Created::Exists;
        }
        if let Err(denied) = self.admit(&mut principals, &mut shards, principal, id, sign_in, now) {
            return Created::Denied(denied);
        }
        shards.own.insert(record);
        principals.add(principal, id);
        Created::Created
    }

    /// Applies a patch that leaves the record to somebody if `sign_in` allows
    /// it: the outcome, and the principal before it.
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
            let mut principals = principal.as_ref().map(|principal| self.index.lock(principal));
            let mut shards = match (&principals, &principal) {
                (Some(principals), Some(principal)) => {
                    Locked::of(self, principals, principal, id, sign_in)
                }
                _ => Locked::one(self, id),
            };
            let now = self.clock.now();
            let prepared = match shards.own.prepare(id, epoch, patch, now, &self.limits()) {
                Ok(prepared) => prepared,
                Err(outcome) => return (outcome, None),
            };
            if prepared.after.meta.principal != principal {
                // It changed before it was locked.
                principal.clone_from(&prepared.after.meta.principal);
                continue;
            }
            if let (Some(principals), Some(principal)) = (&mut principals, &principal) {
                match self.admit(principals, &mut shards, principal, id, sign_in, now) {
                    Ok(()) => principals.add(principal, id),
                    Err(denied) => return (Outcome::Denied(denied), None),
                }
            }
            return shards.own.commit(prepared);
        }
    }

    /// Whether the sign-in may be stored. Ends the sessions that make room.
    fn admit(
        &self,
        principals: &mut Principals,
        shards: &mut Locked<'_>,
        principal: &Principal,
        id: SessionId,
        sign_in: SignIn,
        now: Timestamp,
    ) -> Result<(), Denied> {
        let mut ids = Vec::new();
        if sign_in.cap.is_some() {
            ids = principals.ids(principal);
            ids.retain(|other| *other != id);
        }
        let others = ids.into_iter().filter_map(|other| shards.get(other)?.live(other, now));
        let theirs = others.filter(|other| other.meta.principal.as_ref() == Some(principal));
        let evicted =
            sign_in.admit(theirs.map(|other| &**other), principals.revoked(principal, now))?;
        for id in evicted {
            let shard = shards.get_mut(id);
            if shard.and_then(|shard| shard.delete(id, EndedBy::Elsewhere, now, |_| true)).is_some()
            {
                principals.remove(principal, id);
                self.one_less();
            }
        }
        Ok(())
    }
}

/// Shards that are locked together.
struct Locked<'s> {
    own: MutexGuard<'s, Shard>,
    /// Of which index `own` is.
    index: usize,
    others: BTreeMap<usize, MutexGuard<'s, Shard>>,
}

impl<'s> Locked<'s> {
    fn one(store: &'s Inner, id: SessionId) -> Self {
        Self { own: store.shard(id), index: index(id), others: BTreeMap::new() }
    }

    /// The shard of `id`, and, if there is a cap to be counted, those of all
    /// sessions of the principal.
    fn of(
        store: &'s Inner,
        principals: &Principals,
        principal: &Principal,
        id: SessionId,
        sign_in: SignIn,
    ) -> Self {
        if sign_in.cap.is_none() {
            return Self::one(store, id);
        }
        let own_index = index(id);
        let mut indexes: Vec<_> = principals.ids(principal).into_iter().map(index).collect();
        // The one order in which several are ever locked.
        indexes.sort_unstable();
        indexes.dedup();
        let lock = |index: &usize| (*index, store.shard_at(*index));
        let mut others: BTreeMap<_, _> =
            indexes.iter().take_while(|index| **index < own_index).map(lock).collect();
        let own = store.shard_at(own_index);
        others.extend(indexes.iter().filter(|index| **index > own_index).map(lock));
        Self { own, index: own_index, others }
    }

    fn get(&self, id: SessionId) -> Option<&Shard> {
        let index = index(id);
        if index == self.index { Some(&*self.own) } else { self.others.get(&index).map(|it| &**it) }
    }

    fn get_mut(&mut self, id: SessionId) -> Option<&mut Shard> {
        let index = index(id);
        if index == self.index {
            return Some(&mut *self.own);
        }
        self.others.get_mut(&index).map(|guard| &mut **guard)
    }
}

/// Of which shard the session is.
fn index(id: SessionId) -> usize {
    usize::from(id.as_bytes()[0]) % SHARDS
}

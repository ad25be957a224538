//! The sequential reference: what a store with these records must answer.
//!
//! It is written to be obvious, uses only the rules of a record, and knows nothing of indexes,
//! sweeps or concurrency.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::patch::{Add, Expect, FieldOp, Gone, Lifetime, Op, Outcome, Patch};
use crate::record::{Applying, Due, Judgement, Principal, Record, TOMBSTONE, Tombstone};
use crate::store::{EndReason, Ended, Lookup, Replayed, Revoke, Touch};
use crate::token::SecretHash;

/// Everything that was ever stored.
#[derive(Default)]
pub(super) struct Model {
    pub(super) entries: HashMap<SessionId, Entry>,
}

pub(super) struct Entry {
    pub(super) record: Arc<Record>,
    pub(super) destroyed: Option<Ended>,
    /// Whether it was live when it was destroyed. If not, the contract does not say what later
    /// loads see.
    was_live: bool,
}

/// What a load must answer.
#[derive(Debug)]
pub(super) enum Expected {
    Exactly(Lookup),
    /// `Absent` or `Ended`: the contract allows both.
    NotFound,
}

impl Expected {
    pub(super) fn matches(&self, seen: &Lookup) -> bool {
        match (self, seen) {
            (Self::Exactly(Lookup::Found(expected)), Lookup::Found(seen)) => expected == seen,
            (Self::Exactly(Lookup::Absent), Lookup::Absent)
            | (Self::NotFound, Lookup::Absent | Lookup::Ended(_)) => true,
            (Self::Exactly(Lookup::Ended(expected)), Lookup::Ended(seen)) => expected == seen,
            (Self::Exactly(Lookup::Expired(expected)), Lookup::Expired(seen)) => expected == seen,
            (Self::Exactly(Lookup::Replayed(expected)), Lookup::Replayed(seen)) => expected == seen,
            _ => false,
        }
    }
}

impl Model {
    pub(super) fn create(&mut self, record: Record) {
        let entry = Entry { record: Arc::new(record), destroyed: None, was_live: false };
        self.entries.insert(entry.record.id, entry);
    }

    fn live(&self, id: SessionId, now: Timestamp) -> Option<&Entry> {
        let alive =
            |entry: &&Entry| entry.destroyed.is_none() && !entry.record.meta.is_expired(now);
        self.entries.get(&id).filter(alive)
    }

    pub(super) fn load(
        &mut self,
        id: SessionId,
        secret: &SecretHash,
        touch: Touch,
        now: Timestamp,
    ) -> Expected {
        let Some(entry) = self.entries.get_mut(&id) else {
            return Expected::Exactly(Lookup::Absent);
        };
        let meta = &entry.record.meta;
        let replaced = meta.retired.replaced_at(secret, now).is_some();
        if let Some(ended) = entry.destroyed {
            let left = Tombstone { meta: meta.clone(), ended }.judge(&[*secret], touch.into(), now);
            return match left {
                Some(ended) if entry.was_live || replaced => {
                    Expected::Exactly(Lookup::Ended(ended))
                }
                _ if now.since(ended.at) < TOMBSTONE || replaced => Expected::NotFound,
                _ => Expected::Exactly(Lookup::Absent),
            };
        }
        if meta.is_expired(now) && replaced {
            return Expected::NotFound;
        }
        match meta.judge(&[*secret], touch.into(), now) {
            Judgement::Opens(Due::Nothing) => {}
            Judgement::Opens(due) => Arc::make_mut(&mut entry.record).meta.settle(due, now),
            Judgement::Ended(ended) => return Expected::Exactly(Lookup::Ended(ended)),
            Judgement::Replayed => {
                return Expected::Exactly(Lookup::Replayed(Replayed::of(meta)));
            }
            Judgement::Expired(because) => return Expected::Exactly(Lookup::Expired(because)),
            Judgement::Absent => return Expected::Exactly(Lookup::Absent),
        }
        Expected::Exactly(Lookup::Found(entry.record.clone()))
    }

    pub(super) fn reload(&self, id: SessionId, epoch: u64, now: Timestamp) -> Option<Arc<Record>> {
        let found = self.live(id, now).filter(|entry| entry.record.meta.epoch == epoch);
        found.map(|entry| entry.record.clone())
    }

    pub(super) fn apply(
        &mut self,
        id: SessionId,
        epoch: u64,
        patch: &Patch,
        now: Timestamp,
    ) -> Outcome {
        let kept =
            |entry: &&mut Entry| entry.destroyed.is_none() && !entry.record.meta.is_removable(now);
        let Some(entry) = self.entries.get_mut(&id).filter(kept) else {
            return Outcome::Gone(Gone::Absent);
        };
        match entry.record.apply(epoch, patch, now) {
            Applying::Stored(record, applied) => {
                entry.record = record;
                Outcome::Applied(applied)
            }
            Applying::Answer(outcome) => outcome,
        }
    }

    /// Whether this repeats a patch to a record that is due for removal: the answer depends on
    /// whether it was swept.
    pub(super) fn may_be_forgotten(&self, id: SessionId, patch: &Patch, now: Timestamp) -> bool {
        self.entries.get(&id).is_some_and(|entry| {
            let meta = &entry.record.meta;
            entry.destroyed.is_none() && meta.is_removable(now) && meta.patches.contains(patch.id)
        })
    }

    pub(super) fn delete(&mut self, id: SessionId, because: EndReason, now: Timestamp) -> bool {
        let live = self.live(id, now).is_some();
        if let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.destroyed.is_none()) {
            entry.destroyed = Some(Ended::new(because, now));
            entry.was_live = live;
        }
        live
    }

    pub(super) fn list(&self, principal: &Principal, now: Timestamp) -> Vec<Arc<Record>> {
        let theirs = |entry: &&Entry| entry.record.meta.principal.as_ref() == Some(principal);
        let live = self.entries.keys().filter_map(|id| self.live(*id, now));
        let mut all: Vec<_> = live.filter(theirs).map(|entry| entry.record.clone()).collect();
        all.sort_by_key(|record| record.id);
        all
    }

    pub(super) fn revoke(&mut self, principal: &Principal, which: Revoke, now: Timestamp) -> u64 {
        let theirs = self.entries.values().filter(|entry| {
            entry.record.meta.principal.as_ref() == Some(principal) && which.ends(entry.record.id)
        });
        let ids: Vec<_> = theirs.map(|entry| entry.record.id).collect();
        ids.into_iter().map(|id| u64::from(self.delete(id, EndReason::OtherDevice, now))).sum()
    }

    pub(super) fn count(&self, now: Timestamp) -> u64 {
        self.entries.keys().filter(|id| self.live(**id, now).is_some()).count() as u64
    }
}

/// Whether two outcomes are the same.
pub(super) fn same(one: &Outcome, other: &Outcome) -> bool {
    match (one, other) {
        (Outcome::Applied(one), Outcome::Applied(other)) => one == other,
        (Outcome::Gone(one), Outcome::Gone(other)) => one == other,
        (Outcome::Refused(one), Outcome::Refused(other)) => one == other,
        (Outcome::Denied(one), Outcome::Denied(other)) => one == other,
        (Outcome::Uncertain, Outcome::Uncertain) => true,
        (Outcome::Conflict(one), Outcome::Conflict(other)) => {
            one.field == other.field && one.current == other.current
        }
        _ => false,
    }
}

/// A repeatable source of random choices (SplitMix64).
pub(super) struct Dice(pub(super) u64);

const NAMES: [&str; 5] = ["a", "b", "c", "n", "m"];

impl Dice {
    /// Returns a number below `sides`.
    pub(super) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % sides as u64) as usize
    }

    pub(super) fn chance(&mut self, one_in: usize) -> bool {
        self.roll(one_in) == 0
    }

    pub(super) fn principal(&mut self) -> Principal {
        Principal::new(["customer", "admin"][self.roll(2)], ["1", "2"][self.roll(2)])
    }

    fn value(&mut self) -> Vec<u8> {
        ["1", "2", "3", "1.0", "\"x\""][self.roll(5)].into()
    }

    /// Returns field operations and expectations; at most one operation per field.
    pub(super) fn patch(&mut self) -> Patch {
        let mut patch = Patch::new();
        for name in NAMES {
            if !self.chance(3) {
                continue;
            }
            let op = match self.roll(6) {
                0 | 1 => Op::set(self.value()),
                2 => Op::Remove,
                3 => Op::remove_if(self.value()),
                4 => Op::Take,
                _ => Op::Add(Add::unsigned(self.roll(5) as i64 - 2, self.roll(3) as u64)),
            };
            patch.ops.push(FieldOp::new(name, op));
        }
        if self.chance(6) {
            let value = (!self.chance(3)).then(|| self.value());
            patch.expect.push(Expect::Field { name: NAMES[self.roll(5)].into(), value });
        }
        patch
    }

    /// Adds some changes of the record's own data, without a renewal.
    pub(super) fn meta(&mut self, patch: &mut Patch) {
        patch.meta.authenticated = self.chance(3);
        if self.chance(2) {
            patch.meta.principal = Some((!self.chance(4)).then(|| self.principal()));
        }
        if self.chance(2) {
            let minutes = |minutes: usize| Duration::from_secs(60 * minutes as u64);
            patch.meta.lifetime = Some(Lifetime {
                idle: (!self.chance(6)).then(|| minutes(self.roll(20) + 1)),
                absolute: (!self.chance(6)).then(|| minutes(self.roll(60) + 1)),
                remember: self.chance(2),
            });
        }
    }
}

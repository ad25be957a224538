//! One shard: records, tombstones, and when to look at them again.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::hash::Hashed;
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::patch::{Applied, Gone, Outcome, Patch};
use crate::record::{
    Applying, COMMIT_LEEWAY, Due, EndReason, Ended, Judgement, Principal, Record, TOMBSTONE,
    Tombstone,
};
use crate::store::engine::index::Order;
use crate::store::{Created, Limits, Lookup, Replayed, Visit};
use crate::token::SecretHash;

/// Width of an expiry bucket, in milliseconds. A bucket is an allocation, which several sessions share
/// if it is wide; the memory of a session comes back at most so much later.
const BUCKET: u64 = 8_000;

/// A record that is its own key.
struct Stored(Arc<Record>);

impl Borrow<SessionId> for Stored {
    fn borrow(&self) -> &SessionId {
        &self.0.id
    }
}

impl Hash for Stored {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.id.hash(hasher);
    }
}

impl PartialEq for Stored {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for Stored {}

#[derive(Default)]
pub(super) struct Shard {
    records: HashSet<Stored, Hashed>,
    tombstones: HashMap<SessionId, Tombstone, Hashed>,
    /// The ids to look at when a bucket has passed. An id may be in several buckets, and may be
    /// stale.
    due: BTreeMap<u64, Vec<SessionId>>,
    /// The number of ids in all buckets.
    armed: usize,
}

/// What a sign-in needs to know about another session.
pub(super) enum Seen {
    /// The session is live and belongs to the same principal.
    Live(Order),
    Other,
}

/// A patched record that has not been stored yet.
pub(super) struct Prepared {
    pub(super) after: Arc<Record>,
    applied: Applied,
}

/// A record that was removed from the map.
pub(super) struct Removed {
    pub(super) record: Arc<Record>,
    pub(super) was_live: bool,
}

impl Shard {
    fn stored(&self, id: SessionId) -> Option<&Arc<Record>> {
        self.records.get(&id).map(|Stored(record)| record)
    }

    pub(super) fn live(&self, id: SessionId, now: Timestamp) -> Option<&Arc<Record>> {
        self.stored(id).filter(|record| !record.meta.is_expired(now))
    }

    pub(super) fn principal(&self, id: SessionId) -> Option<&Principal> {
        self.stored(id)?.meta.principal.as_ref()
    }

    /// Returns what a sign-in of `principal` needs to know about a session.
    pub(super) fn look(&self, id: SessionId, principal: &Principal, now: Timestamp) -> Seen {
        match self.live(id, now) {
            Some(record) if record.meta.principal.as_ref() == Some(principal) => {
                Seen::Live(order(record))
            }
            _ => Seen::Other,
        }
    }

    pub(super) fn order(&self, id: SessionId) -> Option<Order> {
        self.stored(id).map(|record| order(record))
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Record>> {
        self.records.iter().map(|Stored(record)| record)
    }

    pub(super) fn count(&self, now: Timestamp) -> u64 {
        self.all().filter(|record| !record.meta.is_expired(now)).count() as u64
    }

    /// Returns the first `limit` live records after `after`, by id.
    pub(super) fn scan(
        &self,
        after: Option<SessionId>,
        limit: usize,
        now: Timestamp,
    ) -> Vec<Arc<Record>> {
        let live = self.all().filter(|record| !record.meta.is_expired(now));
        let mut page: Vec<_> =
            live.filter(|record| after.is_none_or(|after| record.id > after)).collect();
        if page.len() > limit {
            page.select_nth_unstable_by_key(limit, |record| record.id);
            page.truncate(limit);
        }
        page.sort_unstable_by_key(|record| record.id);
        page.into_iter().cloned().collect()
    }

    pub(super) fn load(
        &mut self,
        id: SessionId,
        secrets: &[SecretHash],
        visit: Visit,
        now: Timestamp,
    ) -> Lookup {
        let Some(record) = self.stored(id) else {
            let ended = self.tombstones.get(&id).and_then(|it| it.judge(secrets, visit, now));
            return ended.map_or(Lookup::Absent, Lookup::Ended);
        };
        match record.meta.judge(secrets, visit, now) {
            Judgement::Opens(Due::Nothing) => Lookup::Found(Arc::clone(record)),
            Judgement::Opens(due) => {
                self.settle(id, due, now).map_or(Lookup::Absent, Lookup::Found)
            }
            Judgement::Ended(ended) => Lookup::Ended(ended),
            Judgement::Replayed => Lookup::Replayed(Replayed::of(&record.meta)),
            Judgement::Expired(because) => Lookup::Expired(because),
            Judgement::Absent => Lookup::Absent,
        }
    }

    /// Writes what a load has to write to the record it has found.
    fn settle(&mut self, id: SessionId, due: Due, now: Timestamp) -> Option<Arc<Record>> {
        let Stored(mut record) = self.records.take(&id)?;
        // A touch moves the expiry time past the record's bucket; that bucket then schedules it
        // again.
        Arc::make_mut(&mut record).meta.settle(due, now);
        self.records.insert(Stored(Arc::clone(&record)));
        Some(record)
    }

    /// Whether the id is free.
    pub(super) fn is_free(&self, id: SessionId, now: impl FnOnce() -> Timestamp) -> bool {
        let buried = self.tombstones.get(&id).is_some_and(|tombstone| !tombstone.is_over(now()));
        !buried && !self.records.contains(&id)
    }

    /// Stores a record whose id [is free](Self::is_free).
    pub(super) fn insert(&mut self, record: Arc<Record>) {
        self.look_again(record.id, removable_at(&record));
        self.records.insert(Stored(record));
    }

    pub(super) fn create(
        &mut self,
        record: Arc<Record>,
        now: impl FnOnce() -> Timestamp,
    ) -> Created {
        if !self.is_free(record.id, now) {
            return Created::Exists;
        }
        self.insert(record);
        Created::ALONE
    }

    /// Computes the record after a patch, or the reason for a refusal. Changes nothing.
    pub(super) fn prepare(
        &self,
        id: SessionId,
        epoch: u64,
        patch: &Patch,
        now: Timestamp,
        limits: &Limits,
    ) -> Result<Prepared, Outcome> {
        let Some(before) = self.stored(id) else { return Err(Outcome::Gone(Gone::Absent)) };
        match before.apply(epoch, patch, now) {
            Applying::Answer(outcome) => Err(outcome),
            Applying::Stored(after, applied) => {
                match limits.check_change(&before.fields, &after.fields, &patch.ops) {
                    Ok(()) => Ok(Prepared { after, applied }),
                    Err(refused) => Err(Outcome::Refused(refused)),
                }
            }
        }
    }

    /// Stores a record that was prepared under the same lock; returns the outcome and the previous
    /// principal.
    pub(super) fn commit(&mut self, prepared: Prepared) -> (Outcome, Option<Principal>) {
        let Prepared { after, applied } = prepared;
        let (id, is) = (after.id, removable_at(&after));
        let before = self.records.replace(Stored(after)).map(|Stored(before)| before);
        if before.as_ref().is_none_or(|before| is < removable_at(before)) {
            self.look_again(id, is);
        }
        let principal = before.and_then(|before| before.meta.principal.clone());
        (Outcome::Applied(applied), principal)
    }

    pub(super) fn delete(
        &mut self,
        id: SessionId,
        because: EndReason,
        now: Timestamp,
        may: impl Fn(&Record) -> bool,
    ) -> Option<Removed> {
        self.stored(id).filter(|record| may(record))?;
        let Stored(record) = self.records.take(&id)?;
        let tombstone = Tombstone { meta: record.meta.clone(), ended: Ended::new(because, now) };
        self.tombstones.insert(id, tombstone);
        self.look_again(id, now.after(TOMBSTONE));
        let was_live = !record.meta.is_expired(now);
        Some(Removed { record, was_live })
    }

    /// Removes at most `limit` records that are due; returns whether more are due.
    pub(super) fn sweep(&mut self, now: Timestamp, limit: usize) -> (Vec<Removed>, bool) {
        // Looking takes time too, so it is bounded as well.
        let mut looks = limit.saturating_mul(4).max(64);
        let mut removed = Vec::new();
        while let Some(mut entry) = self.due.first_entry() {
            if *entry.key() > now.as_millis() / BUCKET {
                break;
            }
            if looks == 0 || removed.len() >= limit {
                return (removed, true);
            }
            looks -= 1;
            let Some(id) = entry.get_mut().pop() else {
                entry.remove();
                continue;
            };
            self.armed -= 1;
            if self.tombstones.get(&id).is_some_and(|tombstone| tombstone.is_over(now)) {
                self.tombstones.remove(&id);
            }
            match self.stored(id) {
                None => {}
                Some(record) if record.meta.is_removable(now) => {
                    let record = self.records.take(&id);
                    removed
                        .extend(record.map(|Stored(record)| Removed { record, was_live: false }));
                }
                Some(record) => {
                    let again = removable_at(record);
                    self.look_again(id, again);
                }
            }
        }
        self.give_memory_back();
        (removed, false)
    }

    fn look_again(&mut self, id: SessionId, at: Timestamp) {
        // Rounded up: when the bucket is due, so is the record.
        self.due.entry(at.as_millis() / BUCKET + 1).or_default().push(id);
        self.armed += 1;
    }

    /// Rebuilds the buckets if most of their entries are stale.
    ///
    /// A destroyed session stays in its bucket until it would have expired, which may take long.
    fn forget_ended(&mut self) {
        let needed = self.records.len() + self.tombstones.len();
        if self.armed <= 2 * needed + usize::from(needed > 0) * 64 {
            return;
        }
        self.due.clear();
        self.armed = 0;
        let records = self.all().map(|record| (record.id, removable_at(record)));
        let tombstones = self.tombstones.iter().map(|(id, it)| (*id, it.ended.at.after(TOMBSTONE)));
        for (id, at) in records.chain(tombstones).collect::<Vec<_>>() {
            self.look_again(id, at);
        }
    }

    #[cfg(test)]
    pub(super) fn armed(&self) -> usize {
        self.due.values().map(Vec::len).sum()
    }

    fn give_memory_back(&mut self) {
        self.forget_ended();
        if self.records.capacity() > 64 + 4 * self.records.len() {
            self.records.shrink_to(2 * self.records.len());
        }
        if self.tombstones.capacity() > 64 + 4 * self.tombstones.len() {
            self.tombstones.shrink_to(2 * self.tombstones.len());
        }
    }
}

fn order(record: &Record) -> Order {
    (record.meta.authenticated, record.meta.created)
}

fn removable_at(record: &Record) -> Timestamp {
    record.meta.expires_at().after(COMMIT_LEEWAY)
}

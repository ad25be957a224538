//! Run with `cargo run -p session-examples --example custom_store`, and its
//! tests, which are all the rules of the store contract, with
//! `cargo test -p session-examples --example custom_store`.
//!
//! A store of your own: here a `BTreeMap` behind a lock. [`Record::apply`] is
//! the reference for what a patch does; a store that can hold a lock or a
//! transaction around it has nothing to decide itself.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use session_runtime::SessionId;
use session_runtime::clock::{Clock, Timestamp};
use session_runtime::patch::{Gone, Outcome, Patch, SignIn};
use session_runtime::record::{Applying, Principal, Record, TOMBSTONE};
use session_runtime::store::{
    Created, Lookup, Revoke, SessionStore, StoreError, StoreFuture, Swept, Touch, Visit,
};
use session_runtime::token::SecretHash;

/// Sessions in a sorted map.
#[derive(Clone, Default)]
struct MapStore {
    clock: Clock,
    map: Arc<Mutex<BTreeMap<SessionId, Row>>>,
}

/// What the map holds for an id.
struct Row {
    record: Arc<Record>,
    /// Destroyed at this time. The row stays for a minute, so that a request
    /// that is still under way can be told (rule 3).
    ended: Option<Timestamp>,
}

impl Row {
    fn live(&self, now: Timestamp) -> Option<&Arc<Record>> {
        let live = self.ended.is_none() && !self.record.meta.is_expired(now);
        live.then_some(&self.record)
    }

    fn belongs_to(&self, principal: &Principal) -> bool {
        self.record.meta.principal.as_ref() == Some(principal)
    }

    /// Ends the session, and says whether it was live.
    fn end(&mut self, now: Timestamp) -> bool {
        let was_live = self.live(now).is_some();
        self.ended.get_or_insert(now);
        was_live
    }

    fn is_due(&self, now: Timestamp) -> bool {
        match self.ended {
            Some(ended) => now.since(ended) >= TOMBSTONE,
            None => self.record.meta.is_removable(now),
        }
    }
}

impl MapStore {
    fn rows(&self) -> MutexGuard<'_, BTreeMap<SessionId, Row>> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every answer is there at once; a store that waits for a server answers with
/// `StoreFuture::new(async move { … })`.
type Answer<'a, T> = StoreFuture<'a, Result<T, StoreError>>;

fn ready<'a, T>(answer: T) -> Answer<'a, T> {
    StoreFuture::ready(Ok(answer))
}

impl SessionStore for MapStore {
    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn load<'a>(
        &'a self,
        id: SessionId,
        secret: &'a SecretHash,
        visit: Visit,
    ) -> Answer<'a, Lookup> {
        let now = self.clock.now();
        let mut rows = self.rows();
        let Some(row) = rows.get_mut(&id) else { return ready(Lookup::Absent) };
        let meta = &row.record.meta;
        let current = meta.secret == *secret;
        ready(match row.ended {
            Some(ended) if now.since(ended) >= TOMBSTONE => Lookup::Absent,
            Some(_) if current || meta.retired.contains(secret, now) => Lookup::Retired,
            None if meta.is_expired(now) => Lookup::Absent,
            None if current => {
                if visit.touch == Touch::IfDue && meta.touch_is_due(now) {
                    Arc::make_mut(&mut row.record).meta.last_seen = now;
                }
                Lookup::Found(Arc::clone(&row.record))
            }
            None if meta.retired.contains(secret, now) => Lookup::Retired,
            _ => Lookup::Absent,
        })
    }

    fn reload(&self, id: SessionId, epoch: u64) -> Answer<'_, Option<Arc<Record>>> {
        let rows = self.rows();
        let live = rows.get(&id).and_then(|row| row.live(self.clock.now()));
        ready(live.filter(|record| record.meta.epoch == epoch).cloned())
    }

    fn create(&self, record: Record, _: SignIn) -> Answer<'_, Created> {
        ready(match self.rows().entry(record.id) {
            Entry::Occupied(_) => Created::Exists,
            Entry::Vacant(place) => {
                place.insert(Row { record: Arc::new(record), ended: None });
                Created::Created
            }
        })
    }

    fn apply<'a>(&'a self, id: SessionId, epoch: u64, patch: &'a Patch) -> Answer<'a, Outcome> {
        // The lock is held from the first check to the last write (rule 4).
        let mut rows = self.rows();
        let Some(row) = rows.get_mut(&id).filter(|row| row.ended.is_none()) else {
            return ready(Outcome::Gone(Gone::Absent));
        };
        ready(match row.record.apply(epoch, patch, self.clock.now()) {
            Applying::Answer(outcome) => outcome,
            Applying::Stored(record, applied) => {
                row.record = record;
                Outcome::Applied(applied)
            }
        })
    }

    fn delete(&self, id: SessionId) -> Answer<'_, bool> {
        let now = self.clock.now();
        ready(self.rows().get_mut(&id).is_some_and(|row| row.end(now)))
    }

    fn list<'a>(&'a self, principal: &'a Principal) -> Answer<'a, Vec<Arc<Record>>> {
        // No index: every row is looked at. A real store keeps one (rule 8).
        let now = self.clock.now();
        let rows = self.rows();
        let theirs = rows.values().filter(|row| row.belongs_to(principal));
        ready(theirs.filter_map(|row| row.live(now).cloned()).collect())
    }

    fn revoke<'a>(&'a self, principal: &'a Principal, which: Revoke) -> Answer<'a, u64> {
        let now = self.clock.now();
        let mut rows = self.rows();
        let ids = rows.iter_mut().filter(|(id, row)| which.ends(**id) && row.belongs_to(principal));
        ready(ids.map(|(_, row)| u64::from(row.end(now))).sum())
    }

    fn count(&self) -> Answer<'_, u64> {
        let now = self.clock.now();
        ready(self.rows().values().filter(|row| row.live(now).is_some()).count() as u64)
    }

    fn sweep(&self, limit: usize) -> Answer<'_, Swept> {
        let now = self.clock.now();
        let mut rows = self.rows();
        let mut due: Vec<_> =
            rows.iter().filter(|(_, row)| row.is_due(now)).map(|(id, _)| *id).collect();
        let more = due.len() > limit;
        due.truncate(limit);
        for id in &due {
            rows.remove(id);
        }
        ready(Swept { removed: due.len(), more })
    }
}

#[tokio::main]
async fn main() -> Result<(), StoreError> {
    let store = MapStore::default();
    // A `SessionLayer` takes it like any other, and so does `AnyStore::new`.
    let _sessions = session_runtime::SessionLayer::new(store.clone());
    println!("sessions in the map: {}", store.count().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::MapStore;

    session_runtime::store_conformance! {
        map_store, |clock| async move { MapStore { clock, ..MapStore::default() } }
    }
}

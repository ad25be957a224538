//! Run with: cargo test -p session-examples --example custom_store
//!
//! The tests are all the rules of the store contract.
//!
//! A store of your own: here a `BTreeMap` behind a lock. [`Record::apply`] says
//! what a patch does, [`Meta::presented`] what a secret opens, and
//! [`SignIn::admit`] who may sign in; a store that can hold a lock or a
//! transaction around them has nothing to decide itself.
//!
//! [`Meta::presented`]: session_runtime::record::Meta::presented

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use session_runtime::SessionId;
use session_runtime::clock::{Clock, Timestamp};
use session_runtime::patch::{Denied, Gone, Outcome, Patch, SignIn};
use session_runtime::record::{Applying, Presented, Principal, Record, TICKET_LIFETIME, TOMBSTONE};
use session_runtime::store::{
    Created, Cursor, Lookup, Page, Revoke, SessionStore, StoreError, StoreFuture, Swept, Touch,
    Visit,
};
use session_runtime::token::SecretHash;

/// Sessions in a sorted map.
#[derive(Clone, Default)]
struct MapStore {
    clock: Clock,
    map: Arc<Mutex<Rows>>,
}

/// All that is stored.
#[derive(Default)]
struct Rows {
    sessions: BTreeMap<SessionId, Row>,
    /// When all sessions of a principal were revoked last (rule 12).
    revoked: BTreeMap<Principal, Timestamp>,
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
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rows {
    /// Whether `record` may be stored as it is, signed in. Ends the sessions
    /// that make room for it (rule 11).
    fn admit(&mut self, record: &Record, sign_in: SignIn, now: Timestamp) -> Result<(), Denied> {
        let Some(principal) = &record.meta.principal else { return Ok(()) };
        let theirs = self.sessions.values().filter(|row| row.belongs_to(principal));
        let others = theirs.filter_map(|row| row.live(now)).filter(|other| other.id != record.id);
        let revoked = self.revoked.get(principal).copied();
        for id in sign_in.admit(others.map(|other| &**other), revoked)? {
            if let Some(row) = self.sessions.get_mut(&id) {
                row.end(now);
            }
        }
        Ok(())
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
        secrets: &'a [SecretHash],
        visit: Visit,
    ) -> Answer<'a, Lookup> {
        let now = self.clock.now();
        let mut rows = self.rows();
        let Some(row) = rows.sessions.get_mut(&id) else { return ready(Lookup::Absent) };
        let meta = &row.record.meta;
        if let Some(ended) = row.ended {
            let known = meta.secrets(ended).any(|left| left == *secret);
            let retired = known && now.since(ended) < TOMBSTONE;
            return ready(if retired { Lookup::Ended(_) } else { Lookup::Absent });
        }
        if meta.is_expired(now) {
            return ready(Lookup::Absent);
        }
        match meta.presented(secret, visit.arrived.unwrap_or(now), now) {
            Presented::Current | Presented::Previous => {}
            Presented::Next => Arc::make_mut(&mut row.record).meta.confirm(now),
            Presented::Replayed => return ready(Lookup::Replayed),
            Presented::Retired => return ready(Lookup::Ended(_)),
            Presented::Unknown => return ready(Lookup::Absent),
        }
        if visit.touch == Touch::IfDue && row.record.meta.touch_is_due(now) {
            Arc::make_mut(&mut row.record).meta.last_seen = now;
        }
        ready(Lookup::Found(Arc::clone(&row.record)))
    }

    fn reload(&self, id: SessionId, epoch: u64) -> Answer<'_, Option<Arc<Record>>> {
        let rows = self.rows();
        let live = rows.sessions.get(&id).and_then(|row| row.live(self.clock.now()));
        ready(live.filter(|record| record.meta.epoch == epoch).cloned())
    }

    fn create(&self, record: Record, sign_in: SignIn) -> Answer<'_, Created> {
        let mut rows = self.rows();
        if rows.sessions.contains_key(&record.id) {
            return ready(Created::Exists);
        }
        if let Err(denied) = rows.admit(&record, sign_in, self.clock.now()) {
            return ready(Created::Denied(denied));
        }
        rows.sessions.insert(record.id, Row { record: Arc::new(record), ended: None });
        ready(Created::Created)
    }

    fn apply<'a>(&'a self, id: SessionId, epoch: u64, patch: &'a Patch) -> Answer<'a, Outcome> {
        // The lock is held from the first check to the last write (rule 4).
        let (mut rows, now) = (self.rows(), self.clock.now());
        let Some(row) = rows.sessions.get(&id).filter(|row| row.ended.is_none()) else {
            return ready(Outcome::Gone(Gone::Absent));
        };
        let (record, applied) = match row.record.apply(epoch, patch, now) {
            Applying::Answer(outcome) => return ready(outcome),
            Applying::Stored(record, applied) => (record, applied),
        };
        if let Err(denied) = rows.admit(&record, patch.meta.sign_in, now) {
            return ready(Outcome::Denied(denied));
        }
        rows.sessions.insert(id, Row { record, ended: None });
        ready(Outcome::Applied(applied))
    }

    fn delete(&self, id: SessionId) -> Answer<'_, bool> {
        let now = self.clock.now();
        ready(self.rows().sessions.get_mut(&id).is_some_and(|row| row.end(now)))
    }

    fn list<'a>(&'a self, principal: &'a Principal) -> Answer<'a, Vec<Arc<Record>>> {
        // No index: every row is looked at. A real store keeps one (rule 8).
        let now = self.clock.now();
        let rows = self.rows();
        let theirs = rows.sessions.values().filter(|row| row.belongs_to(principal));
        ready(theirs.filter_map(|row| row.live(now).cloned()).collect())
    }

    fn revoke<'a>(&'a self, principal: &'a Principal, which: Revoke) -> Answer<'a, u64> {
        let now = self.clock.now();
        let mut rows = self.rows();
        if which == Revoke::All {
            rows.revoked.insert(principal.clone(), now);
        }
        let rows = rows.sessions.iter_mut();
        let theirs = rows.filter(|(id, row)| which.ends(**id) && row.belongs_to(principal));
        ready(theirs.map(|(_, row)| u64::from(row.end(now))).sum())
    }

    fn count(&self) -> Answer<'_, u64> {
        let now = self.clock.now();
        ready(self.rows().sessions.values().filter(|row| row.live(now).is_some()).count() as u64)
    }

    fn sweep(&self, limit: usize) -> Answer<'_, Swept> {
        let now = self.clock.now();
        let mut rows = self.rows();
        let mut due: Vec<_> =
            rows.sessions.iter().filter(|(_, row)| row.is_due(now)).map(|(id, _)| *id).collect();
        let more = due.len() > limit;
        due.truncate(limit);
        for id in &due {
            rows.sessions.remove(id);
        }
        rows.revoked.retain(|_, at| now.since(*at) <= TICKET_LIFETIME);
        ready(Swept { removed: due.len(), more })
    }

    /// One page is enough where everything is in memory anyway.
    fn scan<'a>(&'a self, _: Option<&'a Cursor>, _: usize) -> Answer<'a, Page> {
        let (rows, now) = (self.rows(), self.clock.now());
        let live = rows.sessions.values().filter_map(|row| row.live(now)).cloned();
        ready(Page { records: live.collect(), next: None })
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

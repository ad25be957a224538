//! Run with: cargo test -p session-examples --example custom_store
//!
//! The tests are all the rules of the store contract.
//!
//! A store of your own: here a `BTreeMap` behind a lock. [`Record::apply`] says
//! what a patch does, [`Meta::judge`] what a secret opens, and
//! [`SignIn::admit`] who may sign in; a store that can hold a lock or a
//! transaction around them has nothing to decide itself.
//!
//! [`Meta::judge`]: session_runtime::record::Meta::judge

use std::collections::BTreeMap;
use std::collections::btree_map::Range;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use session_runtime::SessionId;
use session_runtime::clock::{Clock, Timestamp};
use session_runtime::patch::{Denied, Gone, Outcome, Patch, SignIn};
use session_runtime::record::{Applying, Judgement, Principal, Record, TICKET_LIFETIME, Tombstone};
use session_runtime::store::{
    Created, Cursor, Ended, EndedBy, Lookup, Page, Revoke, Revoked, SessionStore, StoreError,
    StoreErrorKind, StoreFuture, Swept, Visit,
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
enum Row {
    Record(Arc<Record>),
    /// What is left of one for a minute, so that a request that is still under way
    /// can be told (rule 3).
    Tombstone(Box<Tombstone>),
}

impl Row {
    fn record(&self) -> Option<&Arc<Record>> {
        match self {
            Self::Record(record) => Some(record),
            Self::Tombstone(_) => None,
        }
    }

    fn live(&self, now: Timestamp) -> Option<&Arc<Record>> {
        self.record().filter(|record| !record.meta.is_expired(now))
    }

    fn belongs_to(&self, principal: &Principal) -> bool {
        self.record().is_some_and(|record| record.meta.principal.as_ref() == Some(principal))
    }

    /// Ends the session, and says whether it was live.
    fn end(&mut self, by: EndedBy, now: Timestamp) -> bool {
        let was_live = self.live(now).is_some();
        if let Self::Record(record) = self {
            let tombstone = Tombstone { meta: record.meta.clone(), ended: Ended::new(by, now) };
            *self = Self::Tombstone(Box::new(tombstone));
        }
        was_live
    }

    fn is_due(&self, now: Timestamp) -> bool {
        match self {
            Self::Record(record) => record.meta.is_removable(now),
            Self::Tombstone(tombstone) => tombstone.is_over(now),
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
                row.end(EndedBy::Elsewhere, now);
            }
        }
        Ok(())
    }

    /// The rows after the one where a page ended.
    fn after(&self, from: Option<&Cursor>) -> Result<Range<'_, SessionId, Row>, StoreError> {
        let after = from.map(|cursor| cursor.as_str().parse::<SessionId>()).transpose();
        let after = after.map_err(|_| StoreError::new(StoreErrorKind::Config))?;
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        Ok(self.sessions.range((start, Bound::Unbounded)))
    }
}

/// The first `limit` of `live`, and where the next page begins.
fn page<'r>(live: impl Iterator<Item = &'r Arc<Record>>, limit: usize) -> Page {
    let mut live = live.cloned();
    let records: Vec<_> = live.by_ref().take(limit.max(1)).collect();
    let last = records.last().filter(|_| live.next().is_some());
    Page { next: last.map(|last| Cursor::new(last.id.to_string())), records }
}

/// How many sessions one step of a revocation ends.
const STEP: usize = 500;

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
        let record = match row {
            Row::Record(record) => record,
            Row::Tombstone(tombstone) => {
                let ended = tombstone.judge(secrets, now);
                return ready(ended.map_or(Lookup::Absent, Lookup::Ended));
            }
        };
        ready(match record.meta.judge(secrets, visit, now) {
            Judgement::Opens(due) => {
                Arc::make_mut(record).meta.settle(due, now);
                Lookup::Found(Arc::clone(record))
            }
            Judgement::Ended(ended) => Lookup::Ended(ended),
            Judgement::Replayed => Lookup::Replayed,
            Judgement::Absent => Lookup::Absent,
        })
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
        rows.sessions.insert(record.id, Row::Record(Arc::new(record)));
        ready(Created::Created)
    }

    fn apply<'a>(
        &'a self,
        id: SessionId,
        epoch: u64,
        patch: &'a Patch,
        _: Option<&'a Arc<Record>>,
    ) -> Answer<'a, Outcome> {
        // The lock is held from the first check to the last write (rule 4).
        let (mut rows, now) = (self.rows(), self.clock.now());
        let Some(before) = rows.sessions.get(&id).and_then(Row::record) else {
            return ready(Outcome::Gone(Gone::Absent));
        };
        let (record, applied) = match before.apply(epoch, patch, now) {
            Applying::Answer(outcome) => return ready(outcome),
            Applying::Stored(record, applied) => (record, applied),
        };
        if let Err(denied) = rows.admit(&record, patch.meta.sign_in, now) {
            return ready(Outcome::Denied(denied));
        }
        rows.sessions.insert(id, Row::Record(record));
        ready(Outcome::Applied(applied))
    }

    fn delete(&self, id: SessionId, by: EndedBy) -> Answer<'_, bool> {
        let now = self.clock.now();
        ready(self.rows().sessions.get_mut(&id).is_some_and(|row| row.end(by, now)))
    }

    fn list<'a>(
        &'a self,
        principal: &'a Principal,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> Answer<'a, Page> {
        // No index: every row is looked at. A real store keeps one (rule 8).
        let (rows, now) = (self.rows(), self.clock.now());
        StoreFuture::ready(rows.after(from).map(|rest| {
            let theirs = rest.map(|(_, row)| row).filter(|row| row.belongs_to(principal));
            page(theirs.filter_map(|row| row.live(now)), limit)
        }))
    }

    fn revoke<'a>(
        &'a self,
        principal: &'a Principal,
        which: Revoke,
        from: Option<&'a Cursor>,
    ) -> Answer<'a, Revoked> {
        let (mut rows, now) = (self.rows(), self.clock.now());
        if which == Revoke::All && from.is_none() {
            rows.revoked.insert(principal.clone(), now);
        }
        let theirs: Vec<_> = match rows.after(from) {
            Ok(rest) => rest.filter(|(_, row)| row.belongs_to(principal)).map(|it| *it.0).collect(),
            Err(error) => return StoreFuture::ready(Err(error)),
        };
        let mut ended = 0;
        for id in theirs.iter().take(STEP).filter(|id| which.ends(**id)) {
            let row = rows.sessions.get_mut(id);
            ended += u64::from(row.is_some_and(|row| row.end(EndedBy::Elsewhere, now)));
        }
        let last = theirs.get(STEP - 1).filter(|_| theirs.len() > STEP);
        ready(Revoked::done(ended).and_then(last.map(|id| Cursor::new(id.to_string()))))
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

    fn scan<'a>(&'a self, from: Option<&'a Cursor>, limit: usize) -> Answer<'a, Page> {
        let (rows, now) = (self.rows(), self.clock.now());
        let rest = rows.after(from);
        StoreFuture::ready(rest.map(|rest| page(rest.filter_map(|(_, row)| row.live(now)), limit)))
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

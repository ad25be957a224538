//! Which entries a sign-in looks at: the oldest first, wherever they are kept.

use std::collections::{BTreeMap, HashMap};

use super::root::{Bucket, Joining, Place, Root};
use super::{Admission, Entry, Order, State, Verdict};
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::patch::Cap;

/// The entries of a principal as a sign-in sees them, between its reservation and its write.
pub(in crate::store) struct Survey {
    own: SessionId,
    admission: Admission,
    /// What may be looked at next, by age.
    pool: BTreeMap<(Order, SessionId), Vec<(Place, Entry)>>,
    /// The position of a session in the pool; `None` once it was looked at.
    known: HashMap<SessionId, Option<Order>>,
    /// Buckets that were not read; the one with the oldest entry is last.
    unread: Vec<Bucket>,
    counted: HashMap<SessionId, Vec<(Place, Entry)>>,
    found: Vec<(Place, Entry)>,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) enum Next {
    /// Read this bucket.
    Read(Bucket),
    /// Look at these sessions.
    Look(Vec<SessionId>),
    /// Nothing: the decision is final.
    Done(Verdict),
}

/// What a look at a session found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Seen {
    /// It is live and belongs to the principal.
    Live(Order),
    /// It has ended for good.
    Ended,
    /// It has expired; until this time a patch may still revive it.
    Expired(Timestamp),
    /// It is live or expired, and belongs to another principal or none.
    Foreign,
    /// Nothing is stored, or it is over.
    Absent,
}

impl Survey {
    /// Starts with the root that contains the reservation. Entries after the reservation are newer,
    /// and count it.
    pub(in crate::store) fn new(root: &Root, own: &Joining, cap: Cap) -> Self {
        let mut unread: Vec<_> =
            root.buckets.iter().filter(|bucket| bucket.count > 0).cloned().collect();
        unread.sort_unstable_by_key(|bucket| std::cmp::Reverse(bucket.oldest));
        let mut survey = Self {
            own: own.id,
            admission: Admission::new(cap, 0),
            pool: BTreeMap::new(),
            known: HashMap::new(),
            counted: HashMap::new(),
            found: Vec::new(),
            unread,
        };
        let before = root.entries.iter().take_while(|entry| !entry.is(own.id, own.tag));
        before.for_each(|entry| survey.add(Place::Root, entry.clone()));
        let apart = survey.unread.iter().map(|bucket| bucket.count).sum::<usize>();
        survey.admission = Admission::new(cap, survey.pool.len() + apart);
        survey
    }

    pub(in crate::store) fn next(&mut self) -> Next {
        let most = match self.admission.verdict() {
            Verdict::Look(most) => most,
            verdict => return Next::Done(verdict),
        };
        let youngest = self.pool.keys().nth(most - 1).map(|(order, _)| *order);
        // The bucket may contain older ones.
        if let Some(bucket) = self.unread.last()
            && youngest.is_none_or(|youngest| bucket.oldest <= youngest)
        {
            return Next::Read(bucket.clone());
        }
        Next::Look(self.pool.keys().take(most).map(|(_, id)| *id).collect())
    }

    /// Adds the entries of the bucket that was to be read; none if it no longer exists.
    pub(in crate::store) fn read(&mut self, bucket: &Bucket, entries: Vec<Entry>) {
        self.unread.retain(|unread| unread.number != bucket.number);
        let before = self.pool.len();
        for entry in entries {
            self.add(Place::Bucket(bucket.number), entry);
        }
        self.admission.fewer((before + bucket.count).saturating_sub(self.pool.len()));
    }

    fn add(&mut self, place: Place, entry: Entry) {
        let id = entry.id;
        if id == self.own || !entry.may_count() {
            return;
        }
        match self.known.get(&id).copied() {
            // It was already looked at under another entry.
            Some(None) => {
                if !self.counted.contains_key(&id) && entry.is_quiet() {
                    self.found.push((place, entry));
                }
            }
            Some(Some(order)) => {
                let mut entries = self.pool.remove(&(order, id)).unwrap_or_default();
                let order = order.max(entry.order);
                entries.push((place, entry));
                self.pool.insert((order, id), entries);
                self.known.insert(id, Some(order));
            }
            None => {
                let order = entry.order;
                self.pool.insert((order, id), vec![(place, entry)]);
                self.known.insert(id, Some(order));
            }
        }
    }

    /// Adds the result of a look at `id`.
    pub(in crate::store) fn saw(&mut self, id: SessionId, seen: Seen) {
        let Some(order) = self.known.insert(id, None).flatten() else { return };
        let entries = self.pool.remove(&(order, id)).unwrap_or_default();
        // A new session that has expired, or belongs to another principal now, has already been
        // written.
        let is_there = matches!(seen, Seen::Expired(_) | Seen::Foreign);
        let is_over = |entry: &Entry| is_there && matches!(entry.state, State::New(_));
        let under_way = entries.iter().filter(|(_, entry)| entry.is_under_way() && !is_over(entry));
        let under_way = under_way.map(|(_, entry)| entry.order).max();
        let counts = match seen {
            Seen::Live(order) => Some(under_way.map_or(order, |later| later.max(order))),
            Seen::Ended => None,
            Seen::Expired(_) | Seen::Foreign | Seen::Absent => under_way,
        };
        self.admission.saw(id, counts);
        if counts.is_some() {
            self.counted.insert(id, entries);
            return;
        }
        for (place, mut entry) in entries.into_iter().filter(|(_, it)| it.is_quiet()) {
            if let Seen::Expired(until) = seen {
                entry.state = State::Expired(until);
            }
            self.found.push((place, entry));
        }
    }

    /// Returns the entries of a session that counts.
    pub(in crate::store) fn entries_of(&self, id: SessionId) -> &[(Place, Entry)] {
        self.counted.get(&id).map_or(&[], Vec::as_slice)
    }

    /// Returns new entries that [are to be noted](Root::note).
    pub(in crate::store) fn take_found(&mut self) -> Vec<(Place, Entry)> {
        std::mem::take(&mut self.found)
    }
}

//! The root of a principal's index, and its changes.

use std::collections::{HashMap, HashSet};

use super::{Entry, MARGIN, Order, RESERVATION, State};
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::TICKET_LIFETIME;
use crate::record::patch::{Denied, SignIn};
use crate::token::PatchId;

/// How many entries are kept in the root itself.
const OPEN: usize = 512;
/// How many of them are moved into a bucket when there are more.
const SEALED: usize = 400;

/// The first value of a principal's index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Root {
    /// When all sessions were last revoked, as long as that matters.
    pub(in crate::store) revoked: Option<Timestamp>,
    /// The number of the next bucket.
    pub(in crate::store) next: u64,
    pub(in crate::store) entries: Vec<Entry>,
    /// Ordered by number. A walk visits them in that order and ends with the root, so it still
    /// finds entries that are moved from the root into a new bucket meanwhile.
    pub(in crate::store) buckets: Vec<Bucket>,
}

/// A summary of entries that are stored separately. Entries are only ever removed from a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Bucket {
    pub(in crate::store) number: u64,
    /// The name of its value. Two programs that create a bucket at the same time choose different
    /// names.
    pub(in crate::store) name: PatchId,
    /// How many may be live, at most.
    pub(in crate::store) count: usize,
    /// No entry is older than this.
    pub(in crate::store) oldest: Order,
    /// The time by which all of them have ended.
    pub(in crate::store) until: Timestamp,
}

/// Where an entry is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Place {
    Root,
    Bucket(u64),
}

/// A session that is about to belong to the principal.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Joining {
    pub(in crate::store) id: SessionId,
    pub(in crate::store) tag: PatchId,
    pub(in crate::store) bound: Timestamp,
    pub(in crate::store) order: Order,
    pub(in crate::store) sign_in: SignIn,
    /// Whether it is being created.
    pub(in crate::store) is_new: bool,
}

/// The state of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Standing {
    /// It is confirmed.
    Stands,
    /// A later sign-in has evicted it.
    Evicted,
    /// All sessions were revoked since.
    Revoked,
    /// It had ended before it was confirmed.
    TooLate,
}

impl Root {
    /// Whether it is empty, so that it need not be stored.
    pub(in crate::store) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.buckets.is_empty() && self.revoked.is_none()
    }

    /// Whether it has more entries than it should keep.
    pub(in crate::store) fn is_crowded(&self) -> bool {
        self.entries.len() > OPEN
    }

    /// Returns how long it has to be kept.
    pub(in crate::store) fn keep_until(&self) -> Timestamp {
        let revoked = self.revoked.map(|at| at.after(TICKET_LIFETIME));
        let entries = self.entries.iter().map(|entry| entry.bound);
        let buckets = self.buckets.iter().map(|bucket| bucket.until);
        let last = entries.chain(buckets).chain(revoked).max().unwrap_or_default();
        last.after(MARGIN)
    }

    /// Removes what is over. Every change begins with this.
    pub(in crate::store) fn tidy(&mut self, now: Timestamp) {
        // Until the last login that it may have to stop has ended, that moment included.
        self.revoked = self.revoked.filter(|at| now.since(*at) <= TICKET_LIFETIME);
        self.buckets.retain(|bucket| bucket.until.after(MARGIN) > now);
        for entry in &mut self.entries {
            entry.state = entry.state.at(now);
        }
        self.entries.retain(|entry| !entry.is_over(now));
        self.merge();
    }

    /// Merges settled entries of one session into the latest.
    fn merge(&mut self) {
        let mut places: HashMap<SessionId, usize> = HashMap::with_capacity(self.entries.len());
        let mut merged: Vec<Entry> = Vec::with_capacity(self.entries.len());
        for entry in self.entries.drain(..) {
            if entry.state == State::Settled {
                if let Some(place) = places.get(&entry.id) {
                    let earlier = &mut merged[*place];
                    earlier.bound = earlier.bound.max(entry.bound);
                    earlier.order = earlier.order.max(entry.order);
                    earlier.tag = entry.tag;
                    continue;
                }
                places.insert(entry.id, merged.len());
            }
            merged.push(entry);
        }
        self.entries = merged;
    }

    /// Makes the first step of a sign-in. From then on every later one counts it.
    pub(in crate::store) fn reserve(&mut self, it: &Joining, now: Timestamp) -> Result<(), Denied> {
        self.tidy(now);
        let since = it.sign_in.not_revoked_since;
        if since.is_some_and(|since| self.revoked.is_some_and(|at| since <= at)) {
            return Err(Denied::Revoked);
        }
        let until = now.after(RESERVATION);
        let state = match it.sign_in.is_unconditional() {
            true if it.is_new => State::New(until),
            true => State::Announced(until),
            false => State::Reserved(until),
        };
        let Joining { id, tag, bound, order, .. } = *it;
        match self.find(id, tag) {
            // The same step again, because its answer was lost.
            Some(entry) => {
                (entry.bound, entry.order) = (bound, order);
                if entry.state == State::Settled {
                    entry.state = state;
                }
            }
            None => self.entries.push(Entry { id, bound, order, tag, state }),
        }
        Ok(())
    }

    fn find(&mut self, id: SessionId, tag: PatchId) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.is(id, tag))
    }

    /// Returns the state of a reservation.
    pub(in crate::store) fn standing(&self, id: SessionId, tag: PatchId) -> Option<State> {
        self.entries.iter().find(|entry| entry.is(id, tag)).map(|entry| entry.state)
    }

    /// Makes the last step of a sign-in whose session is written.
    pub(in crate::store) fn confirm(
        &mut self,
        id: SessionId,
        tag: PatchId,
        now: Timestamp,
    ) -> Standing {
        self.tidy(now);
        match self.find(id, tag).map(|entry| &mut entry.state) {
            Some(state @ (State::Reserved(_) | State::Confirmed(_))) => {
                if let State::Reserved(until) = *state {
                    *state = State::Confirmed(until);
                }
                // Earlier entries of the same session are superseded.
                self.entries.retain(|it| it.id != id || it.tag == tag || !it.is_quiet());
                Standing::Stands
            }
            Some(State::Evicted(_)) => Standing::Evicted,
            Some(State::Revoked(_)) => Standing::Revoked,
            // Other sign-ins may not have counted it.
            _ => Standing::TooLate,
        }
    }

    /// Removes a reservation under which nothing was written.
    pub(in crate::store) fn cancel(&mut self, id: SessionId, tag: PatchId) {
        self.entries.retain(|entry| !entry.is(id, tag));
    }

    /// Marks sign-ins under way as evicted by a later one.
    pub(in crate::store) fn evict<'e>(&mut self, entries: impl IntoIterator<Item = &'e Entry>) {
        for entry in entries {
            if let Some(found) = self.find(entry.id, entry.tag)
                && let State::Reserved(until) = found.state
            {
                found.state = State::Evicted(until);
            }
        }
    }

    /// Notes the results of looks at sessions: entries that have ended, or expired ones, with that
    /// state.
    pub(in crate::store) fn note<'e>(&mut self, found: impl IntoIterator<Item = &'e Entry>) {
        note(&mut self.entries, found);
    }

    /// Sets how many entries of a bucket may be live; `None` if it is gone.
    pub(in crate::store) fn recount(&mut self, number: u64, count: Option<usize>) {
        self.buckets.retain_mut(|bucket| {
            if bucket.number == number {
                bucket.count = bucket.count.min(count.unwrap_or(0));
            }
            bucket.number != number || count.is_some()
        });
    }

    /// Records that all sessions are revoked. Comes before any session ends, so that a later
    /// sign-in sees it and one under way is not confirmed.
    pub(in crate::store) fn revoke(&mut self, now: Timestamp) {
        self.tidy(now);
        self.revoked = Some(self.revoked.map_or(now, |at| at.max(now)));
        for entry in &mut self.entries {
            if let State::Reserved(until) = entry.state {
                entry.state = State::Revoked(until);
            }
        }
    }

    /// If there are too many entries, moves the oldest into a bucket with that name. The bucket has
    /// to be written before the root.
    pub(in crate::store) fn seal(&mut self, name: PatchId) -> Option<(Bucket, Vec<Entry>)> {
        if !self.is_crowded() {
            return None;
        }
        let movable = self.entries.iter().filter(|entry| entry.may_be_apart());
        let mut sealed: Vec<_> = movable.cloned().collect();
        sealed.sort_by_key(|entry| (entry.order, entry.id));
        sealed.truncate(SEALED);
        let moved: HashSet<_> = sealed.iter().map(|entry| (entry.id, entry.tag)).collect();
        self.entries.retain(|entry| !moved.contains(&(entry.id, entry.tag)));
        let bucket = Bucket {
            number: self.next,
            name,
            count: sealed.iter().filter(|entry| entry.may_count()).count(),
            oldest: sealed.iter().map(|entry| entry.order).min()?,
            until: sealed.iter().map(|entry| entry.bound).max()?,
        };
        self.next += 1;
        self.buckets.push(bucket.clone());
        Some((bucket, sealed))
    }
}

/// Notes the results of looks at sessions in the entries of a root or a bucket.
pub(in crate::store) fn note<'e>(
    entries: &mut Vec<Entry>,
    found: impl IntoIterator<Item = &'e Entry>,
) {
    let found: HashMap<_, _> = found.into_iter().map(|it| ((it.id, it.tag), it.state)).collect();
    entries.retain_mut(|entry| match found.get(&(entry.id, entry.tag)) {
        Some(state @ State::Expired(_)) if entry.is_quiet() => {
            entry.state = *state;
            true
        }
        Some(_) => !entry.is_quiet(),
        None => true,
    });
}

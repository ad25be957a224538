//! One part of the cache: some sessions, and the writes to them in progress.

use std::collections::HashMap;
use std::sync::Arc;

use super::moment::Moment;
use crate::id::SessionId;
use crate::record::{Principal, Record};

/// The number of gates. Sessions whose ids map to the same gate share it; an event of one of them
/// only prevents a concurrent load of another from being cached.
const GATES: usize = 64;

pub(super) struct Shard {
    by_id: HashMap<SessionId, usize>,
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    limit: usize,
    /// Where the search for an entry to evict continues.
    hand: usize,
    gates: [Gate; GATES],
    /// The bytes that the cached records take.
    bytes: usize,
    pub(super) hits: u64,
    pub(super) misses: u64,
}

struct Slot {
    entry: Entry,
    /// Whether it was used since the hand last passed it.
    used: bool,
}

/// A record as the store returned it.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) record: Arc<Record>,
    /// When the store was asked: the record is no older than that.
    pub(super) read: Moment,
}

#[derive(Clone, Copy, Default)]
struct Gate {
    /// Incremented whenever the answers of loads in progress must not be cached.
    stamp: u64,
    /// How many writes are in progress.
    writers: u32,
    /// A revision that was returned but could not be cached. Older ones are not cached either:
    /// later loads must not go back in time.
    floor: Option<(SessionId, u64)>,
}

impl Shard {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            by_id: HashMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            limit,
            hand: 0,
            gates: [Gate::default(); GATES],
            bytes: 0,
            hits: 0,
            misses: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Returns the approximate number of bytes held.
    pub(super) fn bytes(&self) -> usize {
        let of_maps = self.by_id.capacity() * size_of::<(SessionId, usize)>();
        self.bytes + of_maps + self.slots.capacity() * size_of::<Option<Slot>>()
    }

    /// Returns the stamp for a load that begins now; `None` while a write is in progress.
    pub(super) fn stamp(&self, id: SessionId) -> Option<u64> {
        let gate = self.gates[gate(id)];
        (gate.writers == 0).then_some(gate.stamp)
    }

    pub(super) fn peek(&self, id: SessionId) -> Option<&Entry> {
        let slot = self.slots[*self.by_id.get(&id)?].as_ref()?;
        Some(&slot.entry)
    }

    /// Same as [`peek`](Self::peek), but counts as a use of the entry.
    pub(super) fn hit(&mut self, id: SessionId) -> Option<Arc<Record>> {
        let slot = self.slots[*self.by_id.get(&id)?].as_mut()?;
        slot.used = true;
        self.hits += 1;
        Some(Arc::clone(&slot.entry.record))
    }

    /// Caches the answer of a load, unless something happened since it got its stamp, or it is
    /// older than what is cached.
    pub(super) fn keep(&mut self, id: SessionId, stamp: u64, entry: Entry) {
        let rev = entry.record.meta.rev;
        if self.stamp(id) != Some(stamp) {
            let floor = &mut self.gates[gate(id)].floor;
            match floor {
                Some((of, floor)) if *of == id => *floor = rev.max(*floor),
                _ => *floor = Some((id, rev)),
            }
            if self.peek(id).is_some_and(|held| held.record.meta.rev < rev) {
                self.remove(id);
            }
            return;
        }
        let too_old = |(of, floor)| of == id && rev < floor;
        if self.limit == 0 || self.gates[gate(id)].floor.is_some_and(too_old) {
            return;
        }
        if let Some(slot) = self.by_id.get(&id).and_then(|at| self.slots[*at].as_mut()) {
            let age = |it: &Entry| (it.record.meta.rev, it.read.steady);
            if age(&slot.entry) <= age(&entry) {
                self.bytes = self.bytes - slot.entry.record.memory() + entry.record.memory();
                slot.entry = entry;
            }
            return;
        }
        self.bytes += entry.record.memory();
        let slot = Some(Slot { entry, used: false });
        let at = match self.free.pop() {
            Some(at) => at,
            None if self.slots.len() < self.limit => {
                self.slots.push(None);
                self.slots.len() - 1
            }
            None => self.make_room(),
        };
        self.slots[at] = slot;
        self.by_id.insert(id, at);
    }

    /// Evicts the first entry that was not used since the hand last passed it, and returns its
    /// slot. All slots must be taken.
    fn make_room(&mut self) -> usize {
        loop {
            self.hand = (self.hand + 1) % self.slots.len();
            match &mut self.slots[self.hand] {
                Some(slot) if slot.used => slot.used = false,
                Some(slot) => {
                    self.by_id.remove(&slot.entry.record.id);
                    self.bytes -= slot.entry.record.memory();
                    return self.hand;
                }
                None => return self.hand,
            }
        }
    }

    /// Drops the cached session, and voids the stamps of its loads in progress: the session has
    /// changed.
    pub(super) fn forget(&mut self, id: SessionId) {
        self.gates[gate(id)].stamp += 1;
        self.remove(id);
    }

    fn remove(&mut self, id: SessionId) {
        if let Some(at) = self.by_id.remove(&id) {
            let slot = self.slots[at].take();
            self.bytes -= slot.map_or(0, |slot| slot.entry.record.memory());
            self.free.push(at);
        }
    }

    /// Same for every session of `principal`. The principals of loads in progress are unknown, so
    /// all their stamps are voided.
    pub(super) fn forget_all_of(&mut self, principal: &Principal) {
        self.gates.iter_mut().for_each(|gate| gate.stamp += 1);
        let is_theirs = |slot: &&Slot| slot.entry.record.meta.principal.as_ref() == Some(principal);
        let slots = self.slots.iter().flatten();
        let theirs: Vec<_> = slots.filter(is_theirs).map(|slot| slot.entry.record.id).collect();
        theirs.into_iter().for_each(|id| self.forget(id));
    }

    pub(super) fn forget_all(&mut self) {
        self.gates.iter_mut().for_each(|gate| gate.stamp += 1);
        self.by_id.clear();
        self.slots.clear();
        self.free.clear();
        (self.hand, self.bytes) = (0, 0);
    }

    pub(super) fn begin_write(&mut self, id: SessionId) {
        self.forget(id);
        self.gates[gate(id)].writers += 1;
    }

    pub(super) fn end_write(&mut self, id: SessionId) {
        self.gates[gate(id)].writers -= 1;
    }
}

/// Ids are random; the shard is chosen by other bits than these.
const fn gate(id: SessionId) -> usize {
    id.as_bytes()[1] as usize % GATES
}

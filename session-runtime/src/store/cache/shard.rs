//! One part of the memory: some sessions, and what is being done to them.

use std::collections::HashMap;
use std::sync::Arc;

use super::moment::Moment;
use crate::id::SessionId;
use crate::record::{Principal, Record};

/// Sessions whose ids fall together share one of these: what happens to one of
/// them only makes a load of another be forgotten.
const GATES: usize = 64;

pub(super) struct Shard {
    by_id: HashMap<SessionId, usize>,
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    limit: usize,
    /// Where the search for an entry that makes room goes on.
    hand: usize,
    gates: [Gate; GATES],
    /// What the records that are held take.
    bytes: usize,
    pub(super) hits: u64,
    pub(super) misses: u64,
}

struct Slot {
    entry: Entry,
    /// It was asked for since the hand came by.
    used: bool,
}

/// A record as the store has shown it.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) record: Arc<Record>,
    /// When the store was asked: it is not older than that.
    pub(super) read: Moment,
}

#[derive(Clone, Copy, Default)]
struct Gate {
    /// Grows whenever what a load under way may bring is not to be kept.
    stamp: u64,
    /// How many writes are under way.
    writers: u32,
    /// A revision that was shown though it could not be kept. What is older is
    /// not kept either: nobody is to see it afterwards.
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

    /// About how many bytes are held.
    pub(super) fn bytes(&self) -> usize {
        let of_maps = self.by_id.capacity() * size_of::<(SessionId, usize)>();
        self.bytes + of_maps + self.slots.capacity() * size_of::<Option<Slot>>()
    }

    /// The stamp for a load that begins now; none while something is being
    /// written.
    pub(super) fn stamp(&self, id: SessionId) -> Option<u64> {
        let gate = self.gates[gate(id)];
        (gate.writers == 0).then_some(gate.stamp)
    }

    pub(super) fn peek(&self, id: SessionId) -> Option<&Entry> {
        let slot = self.slots[*self.by_id.get(&id)?].as_ref()?;
        Some(&slot.entry)
    }

    /// As [`peek`](Self::peek), for somebody who will be shown it.
    pub(super) fn hit(&mut self, id: SessionId) -> Option<Arc<Record>> {
        let slot = self.slots[*self.by_id.get(&id)?].as_mut()?;
        slot.used = true;
        self.hits += 1;
        Some(Arc::clone(&slot.entry.record))
    }

    /// Keeps what a load has brought, unless something happened since it got
    /// its stamp, or it is older than what is there.
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

    /// The place of the first entry that was not asked for since the last look
    /// at it. All places are taken when this is called.
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

    /// The session has changed: neither what is here nor what is under way
    /// counts any more.
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

    /// The same for every session of `principal`: of which ones is not known of
    /// what is under way.
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

/// Ids are random bits; the shard is chosen by others than these.
const fn gate(id: SessionId) -> usize {
    id.as_bytes()[1] as usize % GATES
}

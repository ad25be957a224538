//! Which sessions this process knows to have been touched lately.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Timestamp;
use crate::id::SessionId;

/// 256 KiB. Of two sessions that fall on one place the later one is known.
const PLACES: usize = 1 << 15;

/// Until when no touch of a session is due. A guess that may be wrong costs a
/// round trip, and nothing else.
#[derive(Debug)]
pub(super) struct Lately(Box<[AtomicU64]>);

impl Lately {
    pub(super) fn new() -> Self {
        Self(std::iter::repeat_with(AtomicU64::default).take(PLACES).collect())
    }

    /// The place, and half an entry that tells its session from others. Ids are
    /// random bits.
    fn of(&self, id: SessionId) -> (&AtomicU64, u64) {
        let [bits, ..] = *id.as_bytes().as_chunks::<8>().0 else { return (&self.0[0], 0) };
        let bits = u64::from_le_bytes(bits);
        let place = usize::try_from(bits & (PLACES as u64 - 1)).unwrap_or(0);
        (&self.0[place], bits >> 32 << 32)
    }

    /// No touch of `id` is due before `due`.
    pub(super) fn note(&self, id: SessionId, due: Timestamp) {
        let (place, whose) = self.of(id);
        let seconds = (due.as_millis() / 1_000).min(u64::from(u32::MAX));
        place.store(whose | seconds, Ordering::Relaxed);
    }

    /// Whether a touch of `id` may be due at `now`.
    pub(super) fn may_be_due(&self, id: SessionId, now: Timestamp) -> bool {
        let (place, whose) = self.of(id);
        let entry = place.load(Ordering::Relaxed);
        entry >> 32 << 32 != whose || now.as_millis() / 1_000 >= entry & u64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: fn(u64) -> Timestamp = |seconds| Timestamp::from_millis(seconds * 1_000);

    #[test]
    fn a_touch_may_be_due_unless_it_is_known_not_to_be() {
        let lately = Lately::new();
        let id = SessionId::from_bytes([7; 16]);
        assert!(lately.may_be_due(id, AT(10)), "nothing is known");
        lately.note(id, AT(20));
        assert!(!lately.may_be_due(id, AT(19)));
        assert!(lately.may_be_due(id, AT(20)));
    }

    #[test]
    fn what_is_known_of_one_session_is_not_said_of_another_in_its_place() {
        let lately = Lately::new();
        let mut other = [7; 16];
        other[7] ^= 1;
        let (one, other) = (SessionId::from_bytes([7; 16]), SessionId::from_bytes(other));
        assert!(std::ptr::eq(lately.of(one).0, lately.of(other).0));
        lately.note(one, AT(20));
        assert!(lately.may_be_due(other, AT(10)));
        lately.note(other, AT(20));
        assert!(lately.may_be_due(one, AT(10)), "the later one is known");
    }
}

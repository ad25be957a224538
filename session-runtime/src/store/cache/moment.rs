//! How the age of an entry is measured.

use std::time::Duration;

use crate::clock::{Clock, Timestamp};

/// A point in time by two clocks: a monotonic one, and the wall clock, which keeps running while a
/// machine is suspended. Ages use whichever clock says that more time has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Microseconds.
    pub(super) steady: u64,
    pub(super) wall: Timestamp,
}

impl Moment {
    pub(super) fn now(clock: &Clock) -> Self {
        Self { steady: clock.steady_micros(), wall: clock.now() }
    }

    /// Returns the moment that is `duration` later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self { steady: self.steady.saturating_add(micros), wall: self.wall.after(duration) }
    }

    /// Returns the time since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let steady = Duration::from_micros(self.steady.saturating_sub(earlier.steady));
        steady.max(self.wall.since(earlier.wall))
    }

    pub(super) fn is_before(self, deadline: Self) -> bool {
        self.steady < deadline.steady && self.wall < deadline.wall
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(steady: u64, wall: u64) -> Moment {
        Moment { steady: steady * 1_000, wall: Timestamp::from_millis(wall) }
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nothing_younger_and_a_sleep_counts() {
        let read = at(1_000, 50_000);
        assert_eq!(at(1_700, 10_000).since(read), Duration::from_millis(700));
        assert_eq!(at(1_001, 90_000).since(read), Duration::from_millis(40_000));
        let deadline = read.after(Duration::from_secs(2));
        assert!(at(2_999, 51_999).is_before(deadline));
        assert!(!at(3_000, 10_000).is_before(deadline));
        assert!(!at(1_001, 52_000).is_before(deadline));
    }
}

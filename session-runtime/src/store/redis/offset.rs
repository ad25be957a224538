//! The clock of the servers, as this process knows it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use redis::Value;

use crate::clock::{Clock, Timestamp};

/// The difference between a server's clock and this process's: learned again from each answer to
/// `TIME`, so that it follows a clock that drifts or is set.
///
/// The servers of a cluster share one offset, so differences between them are not compensated.
#[derive(Debug)]
pub(super) struct Offset {
    clock: Clock,
    /// How many milliseconds the server is ahead.
    ahead: AtomicI64,
}

impl Offset {
    /// Creates an offset of zero, used until a server has told its time.
    pub(super) const fn new(clock: Clock) -> Self {
        Self { clock, ahead: AtomicI64::new(0) }
    }

    /// Returns the time on this machine, to be taken before a server is asked for its own.
    pub(super) fn local(&self) -> Timestamp {
        self.clock.now()
    }

    /// Learns that a server, asked at `asked`, has just answered with `told`. Assumes that it read
    /// its clock half-way in between.
    pub(super) fn learn(&self, told: Timestamp, asked: Timestamp) {
        let local = self.local();
        let since_then = signed(told).saturating_add(signed_millis(local.since(asked) / 2));
        self.ahead.store(since_then.saturating_sub(signed(local)), Ordering::Relaxed);
    }

    /// Returns the time of the servers, or of a frozen clock.
    pub(super) fn now(&self) -> Timestamp {
        self.translated(self.local())
    }

    /// Returns the servers' time when this machine's clock shows `local`.
    pub(super) fn translated(&self, local: Timestamp) -> Timestamp {
        if self.clock.is_frozen() {
            return local;
        }
        let now = signed(local).saturating_add(self.ahead.load(Ordering::Relaxed));
        Timestamp::from_millis(u64::try_from(now).unwrap_or(0))
    }

    /// Reads the answer to `TIME`: seconds and microseconds.
    pub(super) fn told(answer: &Value) -> Option<Timestamp> {
        let Value::Array(parts) = answer else { return None };
        let [seconds, micros] = parts.as_slice() else { return None };
        let (seconds, micros) = (number(seconds)?, number(micros)?);
        Some(Timestamp::from_millis(seconds.saturating_mul(1_000).saturating_add(micros / 1_000)))
    }
}

fn signed(time: Timestamp) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn signed_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        Value::BulkString(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// Returns the offset, of a frozen clock too.
    fn ahead(offset: &Offset) -> i64 {
        offset.ahead.load(Ordering::Relaxed)
    }

    #[test]
    fn it_is_learnt_in_both_directions_and_anew_each_time() {
        let clock = Clock::frozen(at(100_000));
        let offset = Offset::new(clock.clone());
        assert_eq!(ahead(&offset), 0);
        offset.learn(at(107_000), offset.local());
        assert_eq!(ahead(&offset), 7_000);
        offset.learn(at(40_000), offset.local());
        assert_eq!(ahead(&offset), -60_000);
        // Half of the round trip is attributed to the answer.
        let asked = offset.local();
        clock.advance(Duration::from_secs(2));
        offset.learn(at(101_000), asked);
        assert_eq!(ahead(&offset), 0);
        // The clock was set back while the server answered.
        let asked = offset.local();
        clock.set(at(1_000));
        offset.learn(at(102_000), asked);
        assert_eq!(ahead(&offset), 101_000);
    }

    #[test]
    fn the_time_is_that_of_the_server() {
        let offset = Offset::new(Clock::system());
        let local = offset.local();
        assert!(offset.now().since(local) < Duration::from_secs(60));
        let hour = Duration::from_secs(3_600);
        offset.learn(local.after(hour), local);
        let apart = offset.now().since(offset.local());
        assert!(apart.abs_diff(hour) < Duration::from_secs(60), "{apart:?}");
        offset.learn(at(0), local);
        assert!(offset.now() < at(60_000), "{:?}", offset.now());
    }

    #[test]
    fn a_frozen_clock_wins_and_no_number_is_too_large() {
        let clock = Clock::frozen(at(5));
        let offset = Offset::new(clock.clone());
        offset.learn(at(u64::MAX), at(0));
        assert_eq!(offset.now(), at(5));
        let offset = Offset::new(Clock::system());
        for (told, asked) in [(u64::MAX, 0), (0, u64::MAX), (u64::MAX, u64::MAX), (0, 0)] {
            offset.learn(at(told), at(asked));
            let _ = offset.now();
        }
        offset.learn(at(0), at(u64::MAX));
        assert_eq!(offset.now(), at(0), "not before 1970");
    }

    #[test]
    fn answers_of_both_protocols_are_read_and_no_others() {
        let text = |text: &str| Value::BulkString(text.into());
        let told = |parts| Offset::told(&Value::Array(parts));
        assert_eq!(told(vec![text("1700000000"), text("123456")]), Some(at(1_700_000_000_123)));
        assert_eq!(told(vec![Value::Int(1), Value::Int(999_999)]), Some(at(1_999)));
        assert_eq!(told(vec![text(&u64::MAX.to_string()), text("0")]), Some(at(u64::MAX)));
        assert_eq!(told(vec![text("1")]), None);
        assert_eq!(told(vec![text("-1"), text("0")]), None);
        assert_eq!(Offset::told(&Value::Okay), None);
    }
}

//! Converts timestamps between tower-sessions and this crate.

// The cookie parser uses the same `time` crate as tower-sessions.
use cookie::time::OffsetDateTime;

use crate::clock::Timestamp;

/// Converts to a tower-sessions timestamp; times after the year 9999 are clamped to its end.
pub(super) fn theirs(time: Timestamp) -> OffsetDateTime {
    let nanos = i128::from(time.as_millis()) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .unwrap_or(cookie::time::PrimitiveDateTime::MAX.assume_utc())
}

/// Converts to a timestamp of this crate, in whole milliseconds; times before 1970 become 1970.
pub(super) fn ours(time: OffsetDateTime) -> Timestamp {
    let millis = time.unix_timestamp_nanos() / 1_000_000;
    Timestamp::from_millis(u64::try_from(millis.max(0)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_the_way_there_and_back_and_what_is_out_of_range_is_cut() {
        let now = Timestamp::from_millis(1_780_000_000_123);
        assert_eq!(ours(theirs(now)), now);
        assert_eq!(theirs(Timestamp::from_millis(u64::MAX)).year(), 9_999);
        assert_eq!(ours(OffsetDateTime::UNIX_EPOCH.replace_year(1_900).unwrap()).as_millis(), 0);
    }
}

//! The only source of the current time.
//!
//! A store owns its clock, and the layer in front of it reads the same one, so
//! a test moves the time of the whole stack at once.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A number up to `u64::MAX - 1` whose `Option` takes no extra space: a record holds several.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Count(NonZeroU64);

impl Count {
    const fn new(number: u64) -> Self {
        match NonZeroU64::new(number.saturating_add(1)) {
            Some(above) => Self(above),
            None => Self(NonZeroU64::MAX),
        }
    }

    const fn get(self) -> u64 {
        self.0.get() - 1
    }
}

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
///
/// All arithmetic saturates; a clock that jumps cannot make it overflow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(Count);

impl Timestamp {
    /// The latest representable time.
    pub const MAX: Self = Self::from_millis(u64::MAX);

    /// Creates the timestamp `millis` milliseconds after the Unix epoch, at most
    /// [`MAX`](Self::MAX).
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(Count::new(millis))
    }

    /// Returns the milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0.get()
    }

    /// Returns `self + duration`, at most [`MAX`](Self::MAX).
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self::from_millis(self.as_millis().saturating_add(millis(duration)))
    }

    /// Returns `self - duration`, at least the Unix epoch.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self::from_millis(self.as_millis().saturating_sub(millis(duration)))
    }

    /// Returns the time elapsed from `earlier` to `self`; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.as_millis().saturating_sub(earlier.as_millis()))
    }
}

impl Default for Timestamp {
    /// Returns the Unix epoch.
    fn default() -> Self {
        Self::from_millis(0)
    }
}

/// A duration in whole milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[doc(hidden)]
pub struct Millis(Count);

impl Millis {
    /// Creates a duration of `millis` milliseconds.
    #[must_use]
    pub const fn new(millis: u64) -> Self {
        Self(Count::new(millis))
    }

    /// Returns the number of milliseconds.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

impl From<Duration> for Millis {
    /// Rounds down to whole milliseconds.
    fn from(duration: Duration) -> Self {
        Self::new(millis(duration))
    }
}

impl From<Millis> for Duration {
    fn from(millis: Millis) -> Self {
        Self::from_millis(millis.get())
    }
}

impl fmt::Debug for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.get())
    }
}

/// Returns the whole milliseconds of `duration`, saturating.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.as_millis())
    }
}

impl From<SystemTime> for Timestamp {
    /// Maps times before the Unix epoch to the epoch.
    fn from(time: SystemTime) -> Self {
        Self::from_millis(time.duration_since(UNIX_EPOCH).map_or(0, millis))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        // i64::MAX / 1000 ms is 292 thousand years, which every platform can represent.
        UNIX_EPOCH + Duration::from_millis(time.as_millis().min(i64::MAX as u64 / 1_000))
    }
}

/// The clock from which a store and its layer read the time.
///
/// # Default
///
/// The system clock.
#[derive(Clone, Default)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    /// The system clock plus `ahead` milliseconds.
    System {
        ahead: i64,
    },
    Frozen(Arc<AtomicU64>),
}

impl Default for Source {
    fn default() -> Self {
        Self::System { ahead: 0 }
    }
}

impl Clock {
    /// Returns the clock of the operating system.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System { ahead: 0 })
    }

    /// Returns a system clock that is wrong by `millis`, for tests.
    #[doc(hidden)]
    #[must_use]
    pub const fn system_ahead_by(millis: i64) -> Self {
        Self(Source::System { ahead: millis })
    }

    /// Returns a clock that stays at `start` until [`advance`](Self::advance) or
    /// [`set`](Self::set) moves it. Clones share their time.
    ///
    /// ```
    /// use std::time::Duration;
    /// use session_runtime::clock::{Clock, Timestamp};
    /// use session_runtime::store::MemoryStore;
    ///
    /// let clock = Clock::frozen(Timestamp::from_millis(0));
    /// let store = MemoryStore::with_clock(clock.clone());
    /// clock.advance(Duration::from_secs(60)); // the store's clock moves too
    /// assert_eq!(clock.now().as_millis(), 60_000);
    /// # drop(store);
    /// ```
    #[must_use]
    pub fn frozen(start: Timestamp) -> Self {
        Self(Source::Frozen(Arc::new(AtomicU64::new(start.as_millis()))))
    }

    /// Returns the current time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::Frozen(millis) => Timestamp::from_millis(millis.load(Ordering::Acquire)),
            Source::System { ahead } => {
                Timestamp::from_millis(system_now().as_millis().saturating_add_signed(*ahead))
            }
        }
    }

    /// Returns whether the clock is frozen; a store on a server must then not use
    /// the server's time.
    #[cfg(any(feature = "mysql", feature = "postgres", feature = "redis"))]
    pub(crate) const fn is_frozen(&self) -> bool {
        matches!(self.0, Source::Frozen(_))
    }

    /// Returns monotonic microseconds since an arbitrary moment in this process; a
    /// frozen clock returns its own time.
    pub(crate) fn steady_micros(&self) -> u64 {
        match &self.0 {
            Source::Frozen(millis) => millis.load(Ordering::Acquire).saturating_mul(1_000),
            Source::System { .. } => steady_micros(),
        }
    }

    /// Moves a frozen clock forward. Does nothing to the system clock.
    pub fn advance(&self, by: Duration) {
        if let Source::Frozen(now) = &self.0 {
            let by = millis(by);
            let _ = now
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, |t| Some(t.saturating_add(by)));
        }
    }

    /// Sets a frozen clock, backwards too. Does nothing to the system clock.
    pub fn set(&self, to: Timestamp) {
        if let Source::Frozen(now) = &self.0 {
            now.store(to.as_millis(), Ordering::Release);
        }
    }
}

/// Longer than any process runs, and representable by every clock.
pub(crate) const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);

/// Returns the instant `limit` from now, capped at [`FAR`].
pub(crate) fn deadline_after(limit: Duration) -> tokio::time::Instant {
    let now = tokio::time::Instant::now();
    now.checked_add(limit.min(FAR)).unwrap_or(now)
}

#[allow(clippy::disallowed_methods)] // this is the one place
fn system_now() -> Timestamp {
    SystemTime::now().into()
}

#[allow(clippy::disallowed_methods)] // this is the one place
fn steady_micros() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_micros()).unwrap_or(u64::MAX)
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Source::Frozen(_) => "Clock(frozen)",
            Source::System { .. } => "Clock(system)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frozen_clock_moves_only_when_told_and_is_shared_by_its_clones() {
        let clock = Clock::frozen(Timestamp::from_millis(5));
        let other = clock.clone();
        clock.advance(Duration::from_millis(7));
        assert_eq!(other.now(), Timestamp::from_millis(12));
        other.set(Timestamp::from_millis(1));
        assert_eq!(clock.now().as_millis(), 1);
    }

    #[test]
    fn a_deadline_that_no_clock_can_tell_is_far_away_and_no_panic() {
        let left = |limit| deadline_after(limit).duration_since(tokio::time::Instant::now());
        for far in [Duration::MAX, Duration::from_millis(u64::MAX), Duration::from_secs(1 << 40)] {
            assert!(left(far) > Duration::from_secs(86_400 * 365));
        }
        let near = left(Duration::from_secs(9));
        assert!(near <= Duration::from_secs(9), "{near:?}");
    }

    #[test]
    fn where_there_may_be_none_a_time_takes_no_more_room() {
        assert_eq!(size_of::<Option<Timestamp>>(), size_of::<u64>());
        assert_eq!(size_of::<Option<Millis>>(), size_of::<u64>());
        assert_eq!(Timestamp::default().as_millis(), 0);
        assert_eq!(Duration::from(Millis::from(Duration::ZERO)), Duration::ZERO);
    }

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let late = Timestamp::from_millis(u64::MAX).after(Duration::MAX);
        assert_eq!((late, late.as_millis()), (Timestamp::MAX, u64::MAX - 1));
        assert_eq!(Timestamp::default().since(late), Duration::ZERO);
        let _: SystemTime = late.into();
    }
}

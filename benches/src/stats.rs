//! Times and what to make of them.

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

/// A runtime on this thread alone, as a request sees one worker.
#[must_use]
pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Has the allocator sort the small pieces that this thread has freed. glibc puts that off until
/// someone asks for a large piece, who then waits for what others have left.
pub fn sort_what_is_free() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(64 * 1024)));
}

/// How long `work` takes, beginning with a sorted heap.
// The rule that this skips is for the toolkit itself.
#[allow(clippy::disallowed_methods)]
pub fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    sort_what_is_free();
    let start = Instant::now();
    let result = work();
    (start.elapsed(), result)
}

/// The middle one; NaN of none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The median of the ratios within a round.
#[must_use]
pub fn ratio(values: &[f64], to: &[f64]) -> f64 {
    let ratios: Vec<f64> = values.iter().zip(to).map(|(one, other)| one / other).collect();
    median(&ratios)
}

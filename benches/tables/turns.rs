//! Subjects in turn, so that other load on the machine hits all alike.

use std::time::Duration;

use crate::load::{self, Round, Visitor};
use crate::options::Options;
use crate::profile::Amount;

/// What is read before and after a round of one subject.
pub(crate) trait Meter {
    /// What is remembered until its end.
    type Before;
    /// What came of it.
    type Seen;

    async fn begin(&self) -> Self::Before;
    async fn end(&self, before: Self::Before, round: &Round) -> Self::Seen;
}

/// Measures in each round all subjects: the visitors of each, and its meter. What was
/// seen of each, round by round.
pub(crate) async fn take_turns<V: Visitor, M: Meter>(
    subjects: &mut [(Vec<V>, M)],
    options: &Options,
) -> Vec<Vec<M::Seen>> {
    let length = Duration::from_millis(if options.quick { 100 } else { 300 });
    let mut all: Vec<_> = subjects.iter().map(|_| Vec::new()).collect();
    for round in 0..=options.rounds(9) {
        for ((visitors, meter), all) in subjects.iter_mut().zip(&mut all) {
            let before = meter.begin().await;
            let measured = load::round(visitors, Amount::Time(length)).await;
            let seen = meter.end(before, &measured).await;
            // The first one warms up.
            if round > 0 {
                all.push(seen);
            }
        }
    }
    all
}

//! What the program `allocations` counted.

use std::process::Command;

use session_benches::scenario::{Scenario, Size, Who};

use crate::Result;

/// Per request of one subject.
pub(crate) struct Allocations {
    scenario: Scenario,
    size: Size,
    who: Who,
    pub(crate) count: f64,
    pub(crate) bytes: f64,
}

/// Counts in this process's memory, or with the Redis server at this URL.
pub(crate) fn count(redis: Option<&str>) -> Result<Vec<Allocations>> {
    let output = Command::new(env!("CARGO_BIN_EXE_allocations")).args(redis).output()?;
    let lines = String::from_utf8(output.stdout)?;
    lines
        .lines()
        .map(|line| {
            let mut words = line.split(' ');
            let mut next = || words.next().ok_or("the program `allocations` prints five words");
            Ok(Allocations {
                scenario: next()?.parse()?,
                size: next()?.parse()?,
                who: next()?.parse()?,
                count: next()?.parse()?,
                bytes: next()?.parse()?,
            })
        })
        .collect()
}

pub(crate) fn find(
    counted: &[Allocations],
    scenario: Scenario,
    size: Size,
    who: Who,
) -> Option<&Allocations> {
    counted.iter().find(|one| (one.scenario, one.size, one.who) == (scenario, size, who))
}

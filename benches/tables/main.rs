//! Every table of docs/performance.md, printed or put there.

// A measurement that cannot go on has nothing to recover to.
#![allow(clippy::expect_used, missing_docs)]

mod allocations;
mod beside;
mod derive;
mod footprint;
mod heap;
mod load;
mod memory;
mod options;
mod places;
mod profile;
mod provenance;
mod redis;
mod scale;
mod section;
mod socket;
mod sql;
mod turns;

use std::error::Error;
use std::process::ExitCode;

use options::Options;
use section::run;

type Result<T = (), E = Box<dyn Error>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let done = match derive::measure::as_compiler() {
        // The bench of the derive has cargo call this program in place of the compiler.
        Ok(Some(code)) => return code,
        Ok(None) => Options::parse(std::env::args().skip(1)).and_then(|options| run(&options)),
        Err(error) => Err(error),
    };
    if let Err(error) = done {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

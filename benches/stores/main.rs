//! Stores on servers, which this starts: beside their peers on Redis, and each
//! of ours beside the others.

// A measurement that cannot go on has nothing to recover to.
#![allow(clippy::expect_used, missing_docs)]

mod by_hand;
mod each;
mod load;
mod on_redis;
mod places;
mod theirs;

use std::error::Error;
use std::time::Duration;

type Result<T = (), E = Box<dyn Error>> = std::result::Result<T, E>;

const HELP: &str = "\
cargo bench -p session-benches --features servers --bench stores [-- OPTIONS]

  --rounds N        how many interleaved rounds (default 5)
  --millis N        how long a round lasts for each (default 300)
  --sessions N      how many are stored to see what they take (default 20000)
  --only redis      the columns on Redis alone
  --only each       our stores alone
";

struct Options {
    rounds: usize,
    time: Duration,
    sessions: u32,
    redis: bool,
    each: bool,
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self> {
        let time = Duration::from_millis(300);
        let mut options = Self { rounds: 5, time, sessions: 20_000, redis: true, each: true };
        while let Some(arg) = args.next() {
            let mut next = || args.next().ok_or_else(|| format!("`{arg}` wants a value\n\n{HELP}"));
            match arg.as_str() {
                "--rounds" => options.rounds = next()?.parse()?,
                "--millis" => options.time = Duration::from_millis(next()?.parse()?),
                "--sessions" => options.sessions = next()?.parse()?,
                "--only" => {
                    let what = next()?;
                    (options.redis, options.each) = (what == "redis", what == "each");
                }
                // What cargo adds.
                "--bench" => {}
                _ => return Err(format!("`{arg}` is unknown\n\n{HELP}").into()),
            }
        }
        Ok(options)
    }
}

fn main() -> Result {
    let options = Options::parse(std::env::args().skip(1))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // First, for it tells by the size of this process what the memory store takes.
    if options.each {
        each::run(&runtime, &options);
    }
    if options.redis {
        on_redis::run(&runtime, &options);
    }
    Ok(())
}

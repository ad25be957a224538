//! What the command line asks for.

use std::time::Duration;

use session_benches::scenario::{Scenario, Size};

use crate::Result;
use crate::profile::{Amount, Profile};
use crate::section::Section;
use crate::stores::places::NAMES;

const HELP: &str = "\
cargo bench -p session-benches --bench tables -- [WHAT …] [OPTIONS]

  WHAT              memory   in process, beside peers
                    redis    one Redis server, beside peers
                    stores   this toolkit on every store whose server is installed, or
                             only those named: sqlite cluster postgres mariadb
                    heap     what a million sessions take, and what their expiry costs
                    derive   what the derive costs the compiler
                    (default: all of them)
  --write           put the tables into docs/performance.md
  --quick           few and short rounds, to see that it runs
  --rounds N        how many interleaved rounds
  --only S3         one scenario
  --size small      one size
  --instructions    in `memory` and `derive`: count instructions too, with valgrind
  --runtime DIR     in `derive`: another copy of session-runtime, to try a change

  --profile ours:S3:small
                    only this, again and again, for a profiler: by-hand, tower-sessions,
                    ours, or ours-cached, in `memory` (one at a time; also bare-axum and
                    bare-layer) or `redis` (64 in flight)
  --seconds N       for so long (default 10)
  --requests N      exactly so many instead

SESSION_BENCH_REDIS names the server to start: redis-server or valkey-server.
";

pub(crate) struct Options {
    pub(crate) sections: Vec<Section>,
    /// Names of [`NAMES`].
    pub(crate) stores: Vec<&'static str>,
    pub(crate) scenarios: Vec<Scenario>,
    pub(crate) sizes: Vec<Size>,
    pub(crate) write: bool,
    pub(crate) quick: bool,
    pub(crate) instructions: bool,
    pub(crate) runtime: Option<String>,
    pub(crate) profile: Option<Profile>,
    rounds: Option<usize>,
}

impl Options {
    pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            sections: Vec::new(),
            stores: Vec::new(),
            scenarios: Scenario::ALL.to_vec(),
            sizes: Size::ALL.to_vec(),
            write: false,
            quick: false,
            instructions: false,
            runtime: None,
            profile: None,
            rounds: None,
        };
        let mut profile = None;
        let mut amount = Amount::Time(Duration::from_secs(10));
        while let Some(arg) = args.next() {
            let mut next = || args.next().ok_or_else(|| format!("`{arg}` wants a value\n\n{HELP}"));
            match arg.as_str() {
                "--write" => options.write = true,
                "--quick" => options.quick = true,
                "--rounds" => options.rounds = Some(next()?.parse()?),
                "--only" => options.scenarios = vec![next()?.parse()?],
                "--size" => options.sizes = vec![next()?.parse()?],
                "--instructions" => options.instructions = true,
                "--runtime" => options.runtime = Some(next()?),
                "--profile" => profile = Some(next()?),
                "--seconds" => amount = Amount::Time(Duration::from_secs(next()?.parse()?)),
                "--requests" => amount = Amount::Requests(next()?.parse()?),
                // What cargo adds.
                "--bench" => {}
                what => options.name(what)?,
            }
        }
        if options.sections.is_empty() {
            options.sections = Section::ALL.to_vec();
        }
        if options.write && !options.is_whole() {
            return Err("`--write` wants whole tables of a full run".into());
        }
        if let Some(what) = profile {
            let [section @ (Section::Memory | Section::Redis)] = options.sections[..] else {
                return Err("`--profile` wants either `memory` or `redis`".into());
            };
            options.profile = Some(Profile::parse(section, &what, amount)?);
        }
        Ok(options)
    }

    fn name(&mut self, what: &str) -> Result {
        let section = match Section::named(what) {
            Some(section) => section,
            None => {
                let store = NAMES.into_iter().find(|name| *name == what);
                self.stores.push(store.ok_or_else(|| format!("`{what}` is unknown\n\n{HELP}"))?);
                Section::Stores
            }
        };
        if !self.sections.contains(&section) {
            self.sections.push(section);
        }
        Ok(())
    }

    /// Whether nothing is left out or cut short.
    fn is_whole(&self) -> bool {
        !self.quick
            && self.rounds.is_none()
            && self.stores.is_empty()
            && self.runtime.is_none()
            && self.scenarios.len() == Scenario::ALL.len()
            && self.sizes.len() == Size::ALL.len()
    }

    /// So many rounds, unless the command line says otherwise.
    pub(crate) fn rounds(&self, default: usize) -> usize {
        self.rounds.unwrap_or(if self.quick { 3 } else { default })
    }

    /// How long a round of a store lasts.
    pub(crate) fn round(&self) -> Duration {
        Duration::from_millis(if self.quick { 100 } else { 300 })
    }

    /// `full`, or a tenth of it for a quick run.
    pub(crate) fn count(&self, full: u32) -> u32 {
        if self.quick { full / 10 } else { full }
    }

    /// How many sessions are stored to see what they take.
    pub(crate) fn sessions(&self) -> u32 {
        self.count(20_000)
    }
}

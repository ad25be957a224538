//! What the command line asks for.

use std::time::Duration;

use session_benches::scenario::{Scenario, Size};

use crate::Result;
use crate::profile::{self, Amount, Profile};
use crate::section::Section;
use crate::sql::place::Kind;

const HELP: &str = "\
cargo bench --bench tables -- [WHAT …] [OPTIONS]

  WHAT              memory   in process, beside peers
                    places   where the instructions of a request are, with valgrind
                    redis    one Redis server, beside peers
                    sql      databases, beside peers; or only those named:
                             postgres mariadb sqlite
                    heap     what a million sessions take, and what their expiry costs
                    scale    a store that grows to ten million sessions, in memory and in a
                             file of SQLite (6 GB of memory and as much disk, 1 hour)
                    socket   whole requests over a socket, with `wrk`
                    derive   what the derive costs the compiler
                    footprint  crates, build, program, memory (6 minutes; needs wrk, curl)
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
                    bare-layer), or with 64 in flight in `redis`, `postgres`, `mariadb`
                    or `sqlite`
  --seconds N       for so long (default 10)
  --requests N      exactly so many instead

SESSION_BENCH_REDIS names the server to start: redis-server or valkey-server.
";

pub(crate) struct Options {
    pub(crate) sections: Vec<Section>,
    /// Of databases.
    pub(crate) kinds: Vec<Kind>,
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
            kinds: Vec::new(),
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
        if options.kinds.is_empty() {
            options.kinds = Kind::ALL.to_vec();
        }
        if options.write && !options.is_whole() {
            return Err("`--write` wants whole tables of a full run".into());
        }
        if let Some(what) = profile {
            let place = match (&options.sections[..], &options.kinds[..]) {
                ([Section::Memory], _) => profile::Place::Memory,
                ([Section::Redis], _) => profile::Place::Redis,
                ([Section::Sql], [kind]) => profile::Place::Sql(*kind),
                _ => return Err(format!("`--profile` wants one place\n\n{HELP}").into()),
            };
            options.profile = Some(Profile::parse(place, &what, amount)?);
        }
        Ok(options)
    }

    fn name(&mut self, what: &str) -> Result {
        let section = match Section::named(what) {
            Some(section) => section,
            None => {
                let kind = Kind::named(what);
                self.kinds.push(kind.ok_or_else(|| format!("`{what}` is unknown\n\n{HELP}"))?);
                Section::Sql
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
            && self.kinds.len() == Kind::ALL.len()
            && self.runtime.is_none()
            && self.scenarios.len() == Scenario::ALL.len()
            && self.sizes.len() == Size::ALL.len()
    }

    /// So many rounds, unless the command line says otherwise.
    pub(crate) fn rounds(&self, default: usize) -> usize {
        self.rounds.unwrap_or(if self.quick { 3 } else { default })
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

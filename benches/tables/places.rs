//! Where the instructions of a request are, by valgrind.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};

use session_benches::scenario::{Scenario, Size, Who};
use session_benches::table::{Table, whole};

use crate::Result;
use crate::options::Options;
use crate::section::Measured;

const SCENARIOS: [Scenario; 5] =
    [Scenario::Ignored, Scenario::Read, Scenario::Change, Scenario::Login, Scenario::Renew];
const REQUESTS: u32 = 2_000;

/// What a row counts: functions whose names have one of these in them.
struct Place {
    name: &'static str,
    /// With what they call, or without.
    inclusive: bool,
    functions: &'static [&'static str],
}

const fn within(name: &'static str, functions: &'static [&'static str]) -> Place {
    Place { name, inclusive: true, functions }
}

const PLACES: [Place; 12] = [
    within("finding the session", &["RequestSession>::load::{{closure}}"]),
    within("· the cookie", &["RequestSession>::presented"]),
    within("· the hash of its secret", &["SessionToken::secret_hash"]),
    within(
        "· the store",
        &["MemoryStore as session_runtime::store::session_store::SessionStore>::load"],
    ),
    within("opening it: room for values, the user", &["session::core::Core>::open"]),
    within("publishing what the handler changed", &["Core>::publish_at_end"]),
    within("the commit", &["RequestSession>::commit::{{closure}}"]),
    within("· the plan; a new token with its hash", &["Attempts::plan"]),
    within(
        "· the store",
        &[
            "MemoryStore as session_runtime::store::session_store::SessionStore>::apply",
            "MemoryStore as session_runtime::store::session_store::SessionStore>::create",
        ],
    ),
    within("the response's headers", &["session_runtime::request::response::finish"]),
    Place {
        name: "anywhere: `malloc` and `free`",
        inclusive: false,
        functions: &["malloc", "free", "_rdl_", "__rust_alloc", "__rust_dealloc", "unlink_chunk"],
    },
    Place {
        name: "anywhere: moving bytes",
        inclusive: false,
        functions: &["__memcpy", "__memmove"],
    },
];

pub(crate) fn measure(options: &Options) -> Result<Measured> {
    let scenarios = || SCENARIOS.into_iter().filter(|it| options.scenarios.contains(it));
    let mut columns = Vec::new();
    for scenario in scenarios() {
        eprintln!("places: {scenario}");
        let floor = Counts::of(Who::Bare, scenario)?;
        columns.push((floor, Counts::of(Who::Ours, scenario)?));
    }
    let mut table = Table::new(scenarios());
    let of = |counts: &dyn Fn(&(Counts, Counts)) -> f64| -> Vec<String> {
        columns.iter().map(|column| whole(counts(column))).collect()
    };
    table.row("bare axum, and the client", of(&|(floor, _)| floor.total));
    table.row("**ours above that**", of(&|(floor, ours)| ours.total - floor.total));
    for place in &PLACES {
        let above = |(floor, ours): &(Counts, Counts)| ours.at(place) - floor.at(place);
        table.row(place.name, of(&above));
    }
    let title = "Instructions of a request, small, what is called included:";
    Ok(Measured {
        tables: format!("{title}\n\n{table}"),
        plots: Vec::new(),
        versions: "valgrind, which has no SHA instructions: of each hash 3,400 are not there in \
                   truth"
            .to_owned(),
    })
}

/// The instructions of one request, by the name of the function.
struct Counts {
    total: f64,
    inclusive: HashMap<String, f64>,
    exclusive: HashMap<String, f64>,
}

impl Counts {
    fn of(who: Who, scenario: Scenario) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let [few, many] = [REQUESTS, 2 * REQUESTS].map(|requests| -> Result<_> {
            let file = folder.path().join(requests.to_string());
            let ran = Command::new("valgrind")
                .arg("--tool=callgrind")
                .arg(format!("--callgrind-out-file={}", file.display()))
                .arg(std::env::current_exe()?)
                .args(["memory", "--profile", &format!("{who}:{scenario}:{}", Size::Small)])
                .args(["--requests", &requests.to_string()])
                .stderr(Stdio::null())
                .status()?;
            if !ran.success() {
                return Err("valgrind has failed".into());
            }
            Ok([annotated(&file, true)?, annotated(&file, false)?])
        });
        let ([few_all, few_own], [many_all, many_own]) = (few?, many?);
        let per_request = |few: HashMap<String, f64>, many: HashMap<String, f64>| {
            let of = |(name, count): (String, f64)| {
                let before = few.get(&name).copied().unwrap_or_default();
                (name, (count - before) / f64::from(REQUESTS))
            };
            many.into_iter().map(of).collect::<HashMap<_, _>>()
        };
        let exclusive = per_request(few_own, many_own);
        let total = exclusive.get(TOTAL).copied().ok_or("callgrind_annotate has no total")?;
        Ok(Self { total, inclusive: per_request(few_all, many_all), exclusive })
    }

    fn at(&self, place: &Place) -> f64 {
        let counts = if place.inclusive { &self.inclusive } else { &self.exclusive };
        let is_here = |name: &str| place.functions.iter().any(|function| name.contains(function));
        // What calls itself is listed a second time under another name.
        let own = counts.iter().filter(|(name, _)| is_here(name) && !name.ends_with("'2"));
        own.map(|(_, count)| count).sum()
    }
}

const TOTAL: &str = "PROGRAM TOTALS";

/// The counts of all functions in a file of callgrind's.
fn annotated(file: &Path, inclusive: bool) -> Result<HashMap<String, f64>> {
    let output = Command::new("callgrind_annotate")
        .args(["--auto=no", "--threshold=100"])
        .arg(if inclusive { "--inclusive=yes" } else { "--inclusive=no" })
        .arg(file)
        .output()?;
    let mut counts = HashMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        // `1,234 ( 5.67%)  file:function [object]`
        let Some((count, rest)) = line.split_once('(') else { continue };
        let Ok(count) = count.trim().replace(',', "").parse::<f64>() else { continue };
        let Some((_, name)) = rest.split_once("%)") else { continue };
        let name = name.rsplit_once(" [").map_or(name, |(name, _)| name).trim();
        let name = name.split_once(':').map_or(name, |(_, function)| function);
        let sum = counts.entry(name.to_owned()).or_default();
        // One line per file that something of it was inlined from: each has its own part
        // of the function, and all that the function calls.
        *sum = if inclusive { count.max(*sum) } else { *sum + count };
    }
    Ok(counts)
}

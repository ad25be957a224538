//! The table: time, allocations and instructions per request, beside bare axum.

use std::error::Error;
use std::process::Command;

use session_benches::client::Client;
use session_benches::scenario::{Scenario, Size, Who};
use session_benches::shape::{Fifty, Five, FiveHundred};
use session_benches::stats::{median, runtime, timed};
use session_benches::subjects::ours;
use session_runtime::store::MemoryStore;
use tokio::runtime::Runtime;

type Result<T = (), E = Box<dyn Error>> = std::result::Result<T, E>;

const HELP: &str = "\
cargo bench -p session-benches [-- OPTIONS]

  --rounds N        how many interleaved rounds (default 31)
  --requests N      requests per round and subject (default 1000)
  --only S3         one scenario
  --size small      one size
  --instructions    also count instructions, with valgrind (some minutes)
  --count S3 small ours N
                    exactly N requests and nothing else, for a profiler
";

struct Options {
    rounds: usize,
    requests: u32,
    scenarios: Vec<Scenario>,
    sizes: Vec<Size>,
    instructions: bool,
    count: Option<(Scenario, Size, Who, u32)>,
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            rounds: 31,
            requests: 1_000,
            scenarios: Scenario::ALL.to_vec(),
            sizes: Size::ALL.to_vec(),
            instructions: false,
            count: None,
        };
        while let Some(arg) = args.next() {
            let mut next = || args.next().ok_or_else(|| format!("`{arg}` wants a value\n\n{HELP}"));
            match arg.as_str() {
                "--rounds" => options.rounds = next()?.parse()?,
                "--requests" => options.requests = next()?.parse()?,
                "--only" => options.scenarios = vec![next()?.parse()?],
                "--size" => options.sizes = vec![next()?.parse()?],
                "--instructions" => options.instructions = true,
                "--count" => {
                    let what = (next()?.parse()?, next()?.parse()?, next()?.parse()?);
                    options.count = Some((what.0, what.1, what.2, next()?.parse()?));
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
    let runtime = runtime();
    if let Some((scenario, size, who, count)) = options.count {
        let mut client = runtime.block_on(Client::new(who, size, scenario));
        runtime.block_on(client.requests(count));
        return Ok(());
    }
    let allocations = allocations()?;
    for &size in &options.sizes {
        println!("\n{size}: time per request as a multiple of bare axum (ns), medians");
        heading("goal");
        for &scenario in &options.scenarios {
            let times = times(&runtime, &options, size, scenario);
            let cells = times.iter().map(|(ratio, nanos)| format!("{ratio:.2} ({nanos:.0})"));
            row(scenario, cells, format!("≤ {:.1}", scenario.goal(size)));
        }
        println!("\n{size}: allocations (bytes) per request above bare axum");
        heading("goal");
        for &scenario in &options.scenarios {
            let of = |who| {
                allocations.iter().find(|a| (a.scenario, a.size, a.who) == (scenario, size, who))
            };
            let floor = of(Who::Bare).map_or((0.0, 0.0), |a| (a.count, a.bytes));
            let cells = Who::ALL.map(|who| {
                of(who).map_or_else(String::new, |a| {
                    format!("{:+.1} ({:+.0})", a.count - floor.0, a.bytes - floor.1)
                })
            });
            let goal =
                scenario.allocation_goal().map_or_else(String::new, |most| format!("≤ {most}"));
            row(scenario, cells, goal);
        }
        if options.instructions {
            println!("\n{size}: instructions per request, as a multiple of bare axum");
            heading("");
            for &scenario in &options.scenarios {
                let counts = Who::ALL.map(|who| instructions(scenario, size, who));
                let floor = counts[0].as_ref().map_or(f64::NAN, |count| *count);
                let cells = counts.map(|count| match count {
                    Ok(count) => format!("{:.2} ({count:.0})", count / floor),
                    Err(error) => error.to_string(),
                });
                row(scenario, cells, String::new());
            }
        }
    }
    println!("\nS3 of this toolkit by the number of fields (goal: within 1.3 of 5 fields)");
    fields(&runtime, &options);
    Ok(())
}

fn heading(last: &str) {
    println!("{:4}{}{last:>10}", "", Who::ALL.map(|who| format!("{who:>20}")).concat());
}

fn row(scenario: Scenario, cells: impl IntoIterator<Item = String>, goal: String) {
    let cells: String = cells.into_iter().map(|cell| format!("{cell:>20}")).collect();
    println!("{scenario:4}{cells}{goal:>10}");
}

/// (multiple of the floor, nanoseconds) of every subject. A round measures
/// everybody in turn, so that other load on the machine hits all alike.
fn times(runtime: &Runtime, options: &Options, size: Size, scenario: Scenario) -> Vec<(f64, f64)> {
    // A login leaves a session behind: a few per store, then a new store.
    let requests =
        if scenario == Scenario::Login { options.requests.min(1_000) } else { options.requests };
    let make = |who| runtime.block_on(Client::new(who, size, scenario));
    let mut clients = Who::ALL.map(make);
    let mut rounds = vec![Vec::new(); Who::ALL.len()];
    for round in 0..=options.rounds {
        for (client, times) in clients.iter_mut().zip(&mut rounds) {
            let (time, ()) = timed(|| runtime.block_on(client.requests(requests)));
            // The first one warms up.
            if round > 0 {
                times.push(time.as_nanos() as f64 / f64::from(requests));
            }
        }
        if scenario == Scenario::Login {
            clients = Who::ALL.map(make);
        }
    }
    let floor = rounds[0].clone();
    rounds
        .into_iter()
        .map(|mut times| {
            let mut ratios: Vec<f64> =
                times.iter().zip(&floor).map(|(time, floor)| time / floor).collect();
            (median(&mut ratios), median(&mut times))
        })
        .collect()
}

struct Allocations {
    scenario: Scenario,
    size: Size,
    who: Who,
    count: f64,
    bytes: f64,
}

fn allocations() -> Result<Vec<Allocations>> {
    let output = Command::new(env!("CARGO_BIN_EXE_allocations")).output()?;
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

/// Of one request: what 2 000 more of them need.
fn instructions(scenario: Scenario, size: Size, who: Who) -> Result<f64> {
    const REQUESTS: u32 = 2_000;
    let count = |requests: u32| -> Result<f64> {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe()?)
            .args(["--count", &scenario.to_string(), &size.to_string(), &who.to_string()])
            .arg(requests.to_string())
            .output()?;
        let report = String::from_utf8_lossy(&output.stderr).into_owned();
        let line = report.lines().find(|line| line.contains("Collected :"));
        let total = line.and_then(|line| line.split_whitespace().last());
        Ok(total.ok_or("valgrind has not counted")?.parse()?)
    };
    Ok((count(2 * REQUESTS)? - count(REQUESTS)?) / f64::from(REQUESTS))
}

fn fields(runtime: &Runtime, options: &Options) {
    let routers = [
        ("5", ours::router::<Five>(MemoryStore::new())),
        ("50", ours::router::<Fifty>(MemoryStore::new())),
        ("500", ours::router::<FiveHundred>(MemoryStore::new())),
    ];
    let mut clients = routers
        .map(|(name, router)| (name, runtime.block_on(Client::of(router, Scenario::Change))));
    let mut rounds = [const { Vec::new() }; 3];
    for _ in 0..options.rounds {
        for ((_, client), times) in clients.iter_mut().zip(&mut rounds) {
            let (time, ()) = timed(|| runtime.block_on(client.requests(options.requests)));
            times.push(time.as_nanos() as f64 / f64::from(options.requests));
        }
    }
    let [floor, ..] = rounds.clone();
    for ((name, _), mut times) in clients.iter().zip(rounds) {
        let mut ratios: Vec<f64> =
            times.iter().zip(&floor).map(|(time, floor)| time / floor).collect();
        println!("{name:>5} fields: {:.2} ({:.0} ns)", median(&mut ratios), median(&mut times));
    }
}

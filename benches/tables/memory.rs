//! In process: time, allocations and instructions per request, beside bare axum.

use std::process::Command;

use session_benches::client::Client;
use session_benches::plot::bars;
use session_benches::scenario::{Scenario, Size, Who};
use session_benches::shape::{Fifty, Five, FiveHundred};
use session_benches::stats::{median, ratio, runtime, timed};
use session_benches::subjects::ours;
use session_benches::subjects::service::{Engine, service};
use session_benches::table::Table;
use session_runtime::store::MemoryStore;
use tokio::runtime::Runtime;

use crate::options::Options;
use crate::provenance::packages;
use crate::section::{Measured, Plot};
use crate::{Result, allocations};

pub(crate) fn measure(options: &Options) -> Result<Measured> {
    let runtime = runtime();
    let counted = allocations::count(None)?;
    let subjects = Who::IN_PROCESS.map(|who| who.to_string());
    let with_goal = || subjects.iter().map(String::as_str).chain(["goal"]);
    let mut time = Table::new(with_goal());
    let mut allocated = Table::new(with_goal());
    let mut instructions = Table::new(&subjects);
    let mut groups = Vec::new();
    for &size in &options.sizes {
        for &scenario in &options.scenarios {
            let name = format!("{scenario} {size}");
            eprintln!("memory: {name}");
            let ratios = times(&runtime, options, size, scenario, 0);
            let mut row = |name: &str, ratios: &[(f64, f64); 5]| {
                let cells = ratios.iter().map(|(ratio, nanos)| format!("{ratio:.2} ({nanos:.0})"));
                let [_, (bare_layer, _), (by_hand, _), ..] = *ratios;
                let goal = format!("≤ {:.2}", scenario.goal(bare_layer, by_hand));
                time.row(name, cells.chain([goal]));
            };
            row(&name, &ratios);
            if scenario == Scenario::Login {
                let in_use = times(&runtime, options, size, scenario, options.count(IN_USE));
                row(&format!("{name}, in use"), &in_use);
            }
            if size == Size::Small {
                groups.push((name.clone(), ratios.iter().map(|(ratio, _)| *ratio).collect()));
            }

            let of = |who| allocations::find(&counted, scenario, size, who);
            let floor = of(Who::Bare).map_or((0.0, 0.0), |one| (one.count, one.bytes));
            let cells = Who::IN_PROCESS
                .into_iter()
                .filter_map(of)
                .map(|one| format!("{:+.1} ({:+.0})", one.count - floor.0, one.bytes - floor.1));
            let goal = format!("≤ {}", scenario.allocation_goal());
            allocated.row(&name, cells.chain([goal]));

            if options.instructions {
                let counts = Who::IN_PROCESS.map(|who| instructions_of(scenario, size, who));
                let counts = counts.into_iter().collect::<Result<Vec<_>>>()?;
                let cells =
                    counts.iter().map(|count| format!("{:.2} ({count:.0})", count / counts[0]));
                instructions.row(&name, cells);
            }
        }
    }
    let title = "time per request of a small session, as a multiple of bare axum".to_owned();
    let svg = bars(&title, &subjects, &groups)?;
    let plot = Plot { name: "memory".to_owned(), title, svg };
    let mut tables = format!(
        "{}\n\n\
         Time per request as a multiple of bare axum, nanoseconds in brackets:\n\n{time}\n\
         Allocations above bare axum, bytes in brackets:\n\n{allocated}\n",
        plot.link(),
    );
    if options.instructions {
        tables += &format!("Instructions, as a multiple of bare axum:\n\n{instructions}\n");
    }
    tables += &fields(&runtime, options);
    Ok(Measured {
        tables,
        plots: vec![plot],
        versions: packages(&["axum", "dashmap", "tower-sessions"]),
    })
}

/// How many sign-ins a store in use has seen.
const IN_USE: u32 = 20_000;

/// The time of every subject, as a multiple of the floor and in nanoseconds. A
/// round measures all in turn, so that other load on the machine hits all alike.
///
/// A login leaves a session behind: each round gets a new store, or all of them share one that
/// has seen `before` logins.
fn times(
    runtime: &Runtime,
    options: &Options,
    size: Size,
    scenario: Scenario,
    before: u32,
) -> [(f64, f64); 5] {
    let requests = options.count(1_000);
    let make = |who| {
        runtime.block_on(async {
            Client::of(service(who, size, &Engine::Memory).await, scenario).await
        })
    };
    let mut clients = Who::IN_PROCESS.map(make);
    clients.iter_mut().for_each(|client| runtime.block_on(client.requests(before)));
    let mut columns = Who::IN_PROCESS.map(|_| Vec::new());
    for round in 0..=options.rounds(31) {
        for turn in 0..clients.len() {
            // Each is the first as often as the others: what one leaves behind, another one meets.
            let next = (turn + round) % clients.len();
            let (client, times) = (&mut clients[next], &mut columns[next]);
            let (time, ()) = timed(|| runtime.block_on(client.requests(requests)));
            // The first round warms up.
            if round > 0 {
                times.push(time.as_nanos() as f64 / f64::from(requests));
            }
        }
        if scenario == Scenario::Login && before == 0 {
            // A new store has to start.
            clients = Who::IN_PROCESS.map(make);
            clients.iter_mut().for_each(|client| runtime.block_on(client.requests(1)));
        }
    }
    columns.each_ref().map(|times| (ratio(times, &columns[0]), median(times)))
}

/// Of one request: what 2,000 more of them need.
fn instructions_of(scenario: Scenario, size: Size, who: Who) -> Result<f64> {
    const REQUESTS: u32 = 2_000;
    let count = |requests: u32| -> Result<f64> {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe()?)
            .args(["memory", "--profile", &format!("{who}:{scenario}:{size}")])
            .args(["--requests", &requests.to_string()])
            .output()?;
        let report = String::from_utf8_lossy(&output.stderr).into_owned();
        let line = report.lines().find(|line| line.contains("Collected :"));
        let total = line.and_then(|line| line.split_whitespace().last());
        Ok(total.ok_or("valgrind has not counted")?.parse()?)
    };
    Ok((count(2 * REQUESTS)? - count(REQUESTS)?) / f64::from(REQUESTS))
}

/// What the number of fields costs that a request does not touch.
fn fields(runtime: &Runtime, options: &Options) -> String {
    let requests = options.count(1_000);
    let routers = [
        ours::router::<Five>(MemoryStore::new()),
        ours::router::<Fifty>(MemoryStore::new()),
        ours::router::<FiveHundred>(MemoryStore::new()),
    ];
    let mut clients = routers.map(|router| runtime.block_on(Client::of(router, Scenario::Change)));
    let mut columns = [const { Vec::new() }; 3];
    for _ in 0..options.rounds(31) {
        for (client, times) in clients.iter_mut().zip(&mut columns) {
            let (time, ()) = timed(|| runtime.block_on(client.requests(requests)));
            times.push(time.as_nanos() as f64 / f64::from(requests));
        }
    }
    let mut table = Table::new(["5 fields", "50 fields", "500 fields", "goal"]);
    let cell =
        |times: &Vec<f64>| format!("{:.2} ({:.0})", ratio(times, &columns[0]), median(times));
    table.row("ours, S3", columns.iter().map(cell).chain(["≤ 1.2".to_owned()]));
    format!("Time per request by the number of fields, as a multiple of 5:\n\n{table}")
}

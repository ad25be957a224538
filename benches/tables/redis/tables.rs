//! The tables.

use session_benches::scenario::{Scenario, Size, Who};
use session_benches::stats::{median, ratio};
use session_benches::table::{Table, whole};

use super::goals::Cost;
use super::rounds::{Seen, rounds};
use super::server::Server;
use super::{goals, memory};
use crate::options::Options;
use crate::provenance::packages;
use crate::section::Measured;
use crate::{Result, allocations, load};

/// What S0 and S1 do asks no server.
const SCENARIOS: [Scenario; 4] =
    [Scenario::Read, Scenario::Change, Scenario::Login, Scenario::Renew];

/// Positions in [`Who::ON_REDIS`].
const BY_HAND: usize = 0;
const TOWER_SESSIONS: usize = 1;
const OURS: usize = 2;

pub(crate) fn measure(options: &Options) -> Result<Measured> {
    let server = Server::start()?;
    let mut all = Vec::new();
    for &size in &options.sizes {
        for scenario in SCENARIOS.into_iter().filter(|it| options.scenarios.contains(it)) {
            eprintln!("redis: {scenario} {size}");
            let seen = rounds(&server, options, size, scenario, load::IN_FLIGHT)?;
            all.push((scenario, size, seen));
        }
    }
    let tables = format!(
        "Requests a second with {} in flight:\n\n{}\n\
         One request, its commands to the server, bytes sent and bytes received in brackets:\n\n{}\n\
         What it takes:\n\n{}",
        load::IN_FLIGHT,
        rates(&all),
        commands(&all),
        costs(&server, options, &all)?,
    );
    let libraries =
        packages(&["redis", "serde_json", "tower-sessions-redis-store", "tower-sessions", "fred"]);
    Ok(Measured { tables, versions: format!("{}, {libraries}", server.info().version()) })
}

type All = [(Scenario, Size, Vec<Seen>)];

fn rates(all: &All) -> Table {
    let names = Who::ON_REDIS.map(|who| who.to_string());
    let more = ["ours : tower-sessions", "ours : by-hand", "goal"].map(str::to_owned);
    let mut table = Table::new(names.into_iter().chain(more));
    for (scenario, size, seen) in all {
        let of = |who: usize| &seen[who].per_second;
        let rates = seen.iter().map(|seen| whole(median(&seen.per_second)));
        let ratios = [TOWER_SESSIONS, BY_HAND].map(|to| format!("{:.2}", ratio(of(OURS), of(to))));
        let goal = [goals::rate(*scenario, *size).to_owned()];
        table.row(format!("{scenario} {size}"), rates.chain(ratios).chain(goal));
    }
    table
}

fn commands(all: &All) -> Table {
    let mut table = Table::new(Who::ON_REDIS);
    for (scenario, size, seen) in all {
        let cell = |seen: &Seen| {
            let [sent, received] = [&seen.sent, &seen.received].map(|bytes| whole(median(bytes)));
            format!("{:.1} ({sent}, {received})", seen.commands)
        };
        table.row(format!("{scenario} {size}"), seen.iter().map(cell));
    }
    table
}

fn costs(server: &Server, options: &Options, all: &All) -> Result<Table> {
    let counted = allocations::count(Some(&server.url()))?;
    let stored = &Who::ON_REDIS[..=OURS];
    let median_of = |scenario, size, of: fn(&Seen) -> &Vec<f64>| -> Option<Vec<f64>> {
        let (.., seen) = all.iter().find(|(one, other, _)| (*one, *other) == (scenario, size))?;
        Some(seen.iter().map(|seen| median(of(seen))).collect())
    };
    // `None` if the command line left out what it follows from.
    let measure = |cost, size| -> Result<Option<Vec<f64>>> {
        Ok(match cost {
            Cost::OneAtATime => {
                let seen = rounds(server, options, size, Scenario::Change, 1)?;
                Some(seen.iter().map(|seen| 1e6 / median(&seen.per_second)).collect())
            }
            Cost::Allocations(scenario) => {
                let of = |who: &Who| Some(allocations::find(&counted, scenario, size, *who)?.count);
                stored.iter().map(of).collect()
            }
            Cost::Memory => Some(memory::per_session(server, options, size, stored)?),
            Cost::Load => median_of(Scenario::Read, size, |seen| &seen.server),
            Cost::Change => {
                let load = median_of(Scenario::Read, size, |seen| &seen.server);
                let both = median_of(Scenario::Change, size, |seen| &seen.server);
                let each = |(both, load): (Vec<f64>, Vec<f64>)| {
                    both.iter().zip(load).map(|(both, load)| both - load).collect()
                };
                both.zip(load).map(each)
            }
            Cost::Sent => median_of(Scenario::Change, size, |seen| &seen.sent),
        })
    };
    let names = stored.iter().map(Who::to_string);
    let mut table = Table::new(names.chain(["goal".to_owned()]));
    for cost in Cost::ALL {
        for &size in &options.sizes {
            eprintln!("redis: {}, {size}", cost.name());
            let Some(values) = measure(cost, size)? else { continue };
            let cells = values.iter().take(stored.len()).map(|value| cost.show(*value));
            let goal = cost.goal(size).to_owned();
            table.row(format!("{}, {size}", cost.name()), cells.chain([goal]));
        }
    }
    Ok(table)
}

//! The tables.

use session_benches::plot::bars;
use session_benches::scenario::{Scenario, Size, Who};
use session_benches::table::{Table, whole};

use super::goals::Cost;
use super::rounds::{OfRound, Seen, rounds};
use super::server::Server;
use super::{goals, memory};
use crate::beside::{self, Rates, SCENARIOS};
use crate::options::Options;
use crate::provenance::packages;
use crate::section::{Measured, Plot};
use crate::{Result, allocations, load};

/// A cache changes nothing of what is stored.
const STORED: [Who; 3] = Who::ON_SQL;

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
    let title = format!("requests a second with {} in flight", load::IN_FLIGHT);
    let group = |(scenario, size, seen): &(Scenario, Size, Vec<Seen>)| {
        let rates = seen.iter().map(|seen| seen.median(|it| it.per_second)).collect();
        (format!("{scenario} {size}"), rates)
    };
    let groups: Vec<_> = all.iter().map(group).collect();
    let svg = bars(&title, &Who::ON_REDIS.map(|who| who.to_string()), &groups)?;
    let plot = Plot { name: "redis".to_owned(), title, svg };
    let tables = format!(
        "Requests a second with {} in flight:\n\n{}\n\n{}\n\
         One request, its commands to the server, bytes sent and bytes received in brackets:\n\n{}\n\
         What it takes:\n\n{}",
        load::IN_FLIGHT,
        plot.link(),
        rates(&all),
        commands(&all),
        costs(&server, options, &all)?,
    );
    let libraries =
        packages(&["redis", "serde_json", "tower-sessions-redis-store", "tower-sessions", "fred"]);
    Ok(Measured {
        tables,
        plots: vec![plot],
        versions: format!("{}, {libraries}", server.info().version()),
    })
}

type All = [(Scenario, Size, Vec<Seen>)];

fn rates(all: &All) -> Table {
    let row = |(scenario, size, seen): &(Scenario, Size, Vec<Seen>)| Rates {
        name: format!("{scenario} {size}"),
        of: seen.iter().map(|seen| seen.each(|it| it.per_second)).collect(),
        goal: goals::rate(*scenario, *size),
    };
    beside::rates(&Who::ON_REDIS, all.iter().map(row))
}

fn commands(all: &All) -> Table {
    let mut table = Table::new(Who::ON_REDIS);
    for (scenario, size, seen) in all {
        let cell = |seen: &Seen| {
            let (sent, received) = (seen.median(|it| it.sent), seen.median(|it| it.received));
            format!("{:.1} ({}, {})", seen.commands, whole(sent), whole(received))
        };
        table.row(format!("{scenario} {size}"), seen.iter().map(cell));
    }
    table
}

fn costs(server: &Server, options: &Options, all: &All) -> Result<Table> {
    let counted = allocations::count(Some(&server.url()))?;
    let median_of = |scenario, size, of: fn(&OfRound) -> f64| -> Option<Vec<f64>> {
        let (.., seen) = all.iter().find(|(one, other, _)| (*one, *other) == (scenario, size))?;
        Some(seen.iter().map(|seen| seen.median(of)).collect())
    };
    let measure = |cost, size| -> Result<Option<Vec<f64>>> {
        Ok(match cost {
            Cost::OneAtATime => {
                let seen = rounds(server, options, size, Scenario::Change, 1)?;
                Some(seen.iter().map(|seen| 1e6 / seen.median(|it| it.per_second)).collect())
            }
            Cost::Allocations(scenario) => {
                let of = |who: &Who| Some(allocations::find(&counted, scenario, size, *who)?.count);
                STORED.iter().map(of).collect()
            }
            Cost::Memory => Some(memory::per_session(server, options, size, &STORED)?),
            Cost::Load => median_of(Scenario::Read, size, |it| it.server),
            Cost::Change => {
                let load = median_of(Scenario::Read, size, |it| it.server);
                let both = median_of(Scenario::Change, size, |it| it.server);
                let each = |(both, load): (Vec<f64>, Vec<f64>)| {
                    both.iter().zip(load).map(|(both, load)| both - load).collect()
                };
                both.zip(load).map(each)
            }
            Cost::Sent => median_of(Scenario::Change, size, |it| it.sent),
        })
    };
    beside::costs(&STORED, &Cost::ALL, &options.sizes, measure)
}

//! The tables, of one kind after the other.

use session_benches::scenario::{Scenario, Size, Who};
use session_benches::stats::median;
use session_benches::subjects::service::service;
use session_benches::table::Table;
use tokio::runtime::Runtime;

use super::goals::{self, Cost};
use super::patches;
use super::place::{Kind, Place};
use super::rounds::{Seen, database, rounds};
use crate::beside::{self, Rates, SCENARIOS};
use crate::options::Options;
use crate::provenance::packages;
use crate::section::Measured;
use crate::{Result, load};

pub(crate) fn measure(options: &Options) -> Result<Measured> {
    let runtime = load::runtime()?;
    let (mut tables, mut versions) = (Vec::new(), Vec::new());
    for kind in Kind::ALL.into_iter().filter(|it| options.kinds.contains(it)) {
        match runtime.block_on(Place::start(kind)) {
            None if options.write => return Err(format!("{kind} is not installed").into()),
            None => eprintln!("{kind} is not installed"),
            Some(place) => {
                let version = runtime.block_on(place.version());
                let all = of_kind(&runtime, kind, &place, options)?;
                tables.push(format!("**{version}**. {all}"));
                versions.push(version);
            }
        }
    }
    versions.push(packages(&[
        "sqlx",
        "rusqlite",
        "serde_json",
        "tower-sessions-sqlx-store",
        "tower-sessions",
    ]));
    Ok(Measured { tables: tables.join("\n"), plots: Vec::new(), versions: versions.join(", ") })
}

type All = [(Scenario, Size, Vec<Seen>)];

fn of_kind(runtime: &Runtime, kind: Kind, place: &Place, options: &Options) -> Result<String> {
    let mut all = Vec::new();
    for &size in &options.sizes {
        for scenario in SCENARIOS.into_iter().filter(|it| options.scenarios.contains(it)) {
            eprintln!("{kind}: {scenario} {size}");
            let seen = rounds(place, options, size, scenario, load::IN_FLIGHT);
            all.push((scenario, size, runtime.block_on(seen)));
        }
    }
    let mut tables =
        format!("Requests a second with {} in flight:\n\n{}", load::IN_FLIGHT, rates(kind, &all));
    if let Some(statements) = statements(&all) {
        tables += &format!("\nOne request, its statements:\n\n{statements}");
    }
    let costs = costs(runtime, kind, place, options, &all)?;
    Ok(format!("{tables}\nWhat it takes:\n\n{costs}"))
}

fn rates(kind: Kind, all: &All) -> Table {
    let row = |(scenario, size, seen): &(Scenario, Size, Vec<Seen>)| Rates {
        name: format!("{scenario} {size}"),
        of: seen.iter().map(|seen| seen.per_second.clone()).collect(),
        goal: goals::rate(kind, *scenario, *size),
    };
    beside::rates(&Who::ON_SQL, all.iter().map(row))
}

/// `None` where they are not counted.
fn statements(all: &All) -> Option<Table> {
    let names = Who::ON_SQL.map(|who| who.to_string());
    let mut table = Table::new(names.into_iter().chain(["goal".to_owned()]));
    for (scenario, size, seen) in all {
        let counts: Option<Vec<_>> = seen.iter().map(|seen| seen.statements).collect();
        let cells = counts?.into_iter().map(|count| format!("{count:.2}"));
        let goal = goals::statements(*scenario).to_owned();
        table.row(format!("{scenario} {size}"), cells.chain([goal]));
    }
    Some(table)
}

fn costs(
    runtime: &Runtime,
    kind: Kind,
    place: &Place,
    options: &Options,
    all: &All,
) -> Result<Table> {
    let measure = |cost, size| -> Result<Option<Vec<f64>>> {
        Ok(match cost {
            Cost::OneAtATime => {
                let seen = runtime.block_on(rounds(place, options, size, Scenario::Change, 1));
                Some(seen.iter().map(|seen| 1e6 / median(&seen.per_second)).collect())
            }
            Cost::Patches => Some(runtime.block_on(patches::per_second(place, options, size))),
            Cost::Written(_) => {
                let mut changes = all.iter().filter(|it| (it.0, it.1) == (Scenario::Change, size));
                changes.next().map(|(.., seen)| seen.iter().map(|seen| seen.written).collect())
            }
            Cost::Held => Some(runtime.block_on(held(place, options, size))),
        })
    };
    beside::costs(&Who::ON_SQL, &Cost::of(kind), &options.sizes, measure)
}

/// Bytes in the database per session.
async fn held(place: &Place, options: &Options, size: Size) -> Vec<f64> {
    let sessions = options.count(5_000);
    let mut all = Vec::new();
    for who in Who::ON_SQL {
        let database = database(who);
        let engine = place.empty(&database).await;
        let service = service(who, size, &engine).await;
        let before = place.size(&database, &engine).await;
        load::fill(&service, sessions).await;
        drop(service);
        let after = place.size(&database, &engine).await;
        all.push((after - before) / f64::from(load::filled(sessions)));
    }
    all
}

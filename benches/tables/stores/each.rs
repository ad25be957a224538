//! Rates, latencies and bytes, side by side.

use std::time::Duration;

use axum::Router;
use session_benches::client::Client;
use session_benches::scenario::{Scenario, Size};
use session_benches::shape::{Large, Small};
use session_benches::stats::median;
use session_benches::subjects::ours;
use session_benches::table::{Table, whole};
use session_runtime::store::AnyStore;

use super::places::{NAMES, Place};
use crate::options::Options;
use crate::profile::Amount;
use crate::provenance::packages;
use crate::section::Measured;
use crate::{Result, load};

/// What was seen of one scenario on one store.
struct Seen {
    store: &'static str,
    rates: Vec<f64>,
    took: Vec<Duration>,
    asked: Option<f64>,
}

pub(crate) fn measure(options: &Options) -> Result<Measured> {
    let runtime = load::runtime()?;
    let mut places = Vec::new();
    let mut held = Table::new(options.sizes.iter());
    let mut versions = Vec::new();
    let wanted = |name: &&str| options.stores.is_empty() || options.stores.contains(name);
    for name in NAMES.into_iter().filter(wanted) {
        let Some(place) = runtime.block_on(Place::start(name)) else { continue };
        eprintln!("stores: {name}");
        let bytes = runtime.block_on(bytes(&place, options));
        held.row(name, bytes.into_iter().map(whole));
        versions.push(runtime.block_on(place.version()));
        places.push((name, place));
    }
    let columns = ["requests/s", "p50 ms", "p99 ms", "statements or round trips"];
    let mut rates = Table::new(columns);
    for &size in &options.sizes {
        let measured = [Scenario::Read, Scenario::Change].into_iter();
        for scenario in measured.filter(|it| options.scenarios.contains(it)) {
            eprintln!("stores: {scenario} {size}");
            for mut seen in runtime.block_on(rounds(&places, options, size, scenario)) {
                let mut at = |share| load::percentile(&mut seen.took, share).as_secs_f64() * 1e3;
                let (p50, p99) = (at(0.5), at(0.99));
                let asked = seen.asked.map_or_else(String::new, |asked| format!("{asked:.1}"));
                let rate = whole(median(&seen.rates));
                let cells = [rate, format!("{p50:.2}"), format!("{p99:.2}"), asked];
                rates.row(format!("{scenario} {size}, {}", seen.store), cells);
            }
        }
    }
    let tables = format!(
        "Bytes per session, of {} that were changed some times:\n\n{held}\n\
         Requests a second with {} in flight, and how long they take:\n\n{rates}",
        load::filled(options.sessions()),
        load::IN_FLIGHT,
    );
    versions.retain(|version| !version.is_empty());
    versions.dedup();
    versions.push(packages(&["redis", "rusqlite", "sqlx"]));
    Ok(Measured { tables, versions: versions.join(", ") })
}

fn service(size: Size, store: AnyStore) -> Router {
    match size {
        Size::Small => ours::router::<Small>(store),
        Size::Large => ours::router::<Large>(store),
    }
}

/// Of each size.
async fn bytes(place: &Place, options: &Options) -> Vec<f64> {
    let mut sizes = Vec::new();
    // Else the large sessions would move into the memory that the small ones left.
    let mut kept = Vec::new();
    for &size in &options.sizes {
        let opened = place.fresh(&format!("filled-{size}")).await;
        let before = place.size().await;
        load::fill(&service(size, opened.store.clone()), options.sessions()).await;
        let after = match opened.file().await {
            Some(file) => file,
            None => place.size().await,
        };
        sizes.push((after - before) / f64::from(load::filled(options.sessions())));
        kept.push(opened);
    }
    sizes
}

/// A round measures every store in turn.
async fn rounds(
    places: &[(&'static str, Place)],
    options: &Options,
    size: Size,
    scenario: Scenario,
) -> Vec<Seen> {
    let mut all = Vec::new();
    for (store, place) in places {
        let opened = place.fresh(&format!("{size}-{scenario}")).await;
        let service = service(size, opened.store.clone());
        let clients = load::clients(&service, scenario, load::IN_FLIGHT).await;
        let asked = asked(place, &service, scenario).await;
        let (rates, took) = Default::default();
        all.push((clients, Seen { store, rates, took, asked }));
    }
    for round in 0..=options.rounds(5) {
        for (clients, seen) in &mut all {
            let measured = load::round(clients, Amount::Time(options.round())).await;
            // The first one warms up.
            if round > 0 {
                seen.rates.push(measured.per_second());
                seen.took.extend(measured.took);
            }
        }
    }
    all.into_iter().map(|(_, seen)| seen).collect()
}

async fn asked(place: &Place, service: &Router, scenario: Scenario) -> Option<f64> {
    const REQUESTS: u32 = 100;
    let mut client = Client::of(service.clone(), scenario).await;
    client.requests(1).await;
    let before = place.asked().await?;
    // What the question itself costs.
    let nothing = place.asked().await? - before;
    let before = place.asked().await?;
    client.requests(REQUESTS).await;
    Some((place.asked().await? - before - nothing) / f64::from(REQUESTS))
}

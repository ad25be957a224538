//! This toolkit on every store.

use std::time::Duration;

use axum::Router;
use session_benches::client::Client;
use session_benches::scenario::{Scenario, Size};
use session_benches::shape::{Large, Small};
use session_benches::stats::median;
use session_benches::subjects::ours;
use session_runtime::store::AnyStore;
use tokio::runtime::Runtime;

use crate::places::Place;
use crate::{Options, load};

/// What was seen of one request on one store.
struct Seen {
    store: &'static str,
    size: Size,
    scenario: Scenario,
    rates: Vec<f64>,
    took: Vec<Duration>,
    asked: Option<f64>,
}

pub(crate) fn run(runtime: &Runtime, options: &Options) {
    let mut places = Vec::new();
    let mut held = Vec::new();
    for name in Place::names() {
        let Some(place) = runtime.block_on(Place::start(name)) else { continue };
        let sizes = runtime.block_on(bytes(&place, options));
        held.push((name, sizes));
        places.push((name, place));
    }
    println!("\nEvery store: bytes per session, of {}\n", load::filled(options.sessions));
    println!("| | small | large |\n|---|---|---|");
    for (name, [small, large]) in held {
        println!("| {name} | {small:.0} | {large:.0} |");
    }

    println!("\nEvery store: requests/s with 64 in flight, latency, statements or commands\n");
    println!("| | | requests/s | p50 ms | p99 ms | per request |\n|---|---|---|---|---|---|");
    for size in Size::ALL {
        for scenario in [Scenario::Read, Scenario::Change] {
            for mut seen in runtime.block_on(rounds(&places, options, size, scenario)) {
                let rate = median(&mut seen.rates);
                let mut at = |share| load::percentile(&mut seen.took, share).as_secs_f64() * 1e3;
                let (p50, p99) = (at(0.5), at(0.99));
                let asked = seen.asked.map_or_else(String::new, |asked| format!("{asked:.1}"));
                let Seen { store, size, scenario, .. } = seen;
                println!(
                    "| {store} | {scenario} {size} | {rate:.0} | {p50:.2} | {p99:.2} | {asked} |"
                );
            }
        }
    }
}

fn service(size: Size, store: AnyStore) -> Router {
    match size {
        Size::Small => ours::router::<Small>(store),
        Size::Large => ours::router::<Large>(store),
    }
}

async fn bytes(place: &Place, options: &Options) -> [f64; 2] {
    let mut sizes = [0.0; 2];
    // Else the large sessions would move into the memory that the small ones left.
    let mut kept = Vec::new();
    for (bytes, size) in sizes.iter_mut().zip(Size::ALL) {
        let opened = place.fresh(&format!("filled-{size}")).await;
        let before = place.size().await;
        load::fill(&service(size, opened.store.clone()), options.sessions).await;
        let after = match opened.file().await {
            Some(file) => file,
            None => place.size().await,
        };
        *bytes = (after - before) / f64::from(load::filled(options.sessions));
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
        let clients = load::clients(&service, scenario).await;
        let asked = asked(place, &service, scenario).await;
        let (rates, took) = Default::default();
        all.push((clients, Seen { store, size, scenario, rates, took, asked }));
    }
    for round in 0..=options.rounds {
        for (clients, seen) in &mut all {
            let measured = load::round(clients, options.time).await;
            // The first one warms up.
            if round > 0 {
                seen.rates.push(measured.per_second);
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
    // Whatever it costs to ask how much was asked.
    let nothing = place.asked().await? - before;
    let before = place.asked().await?;
    client.requests(REQUESTS).await;
    Some((place.asked().await? - before - nothing) / f64::from(REQUESTS))
}

//! One Redis server: by hand, another library, and this toolkit.

use std::time::Duration;

use axum::Router;
use session_benches::client::Client;
use session_benches::scenario::{Scenario, Size};
use session_benches::shape::{Large, Shape, Small};
use session_benches::stats::median;
use session_benches::subjects::ours;
use session_runtime::store::{CachedStore, RedisStore};
use session_tests::servers::Proxy;
use session_tests::servers::redis::Server;
use tokio::runtime::Runtime;

use crate::{Options, by_hand, load, theirs};

/// In the order of the columns; the first is what the others are compared with.
const WHO: [&str; 4] = ["by hand", "tower-sessions", "ours", "ours, cached"];

/// How many of them store something of their own.
const STORED: usize = 3;

/// A column more is a name above and a router here.
async fn services<S: Shape + 'static>(url: &str) -> [Router; WHO.len()] {
    let store = RedisStore::connect(url).await.expect("it runs");
    let cached = CachedStore::coherent(store.clone());
    [
        by_hand::router::<S>(url).await,
        theirs::router::<S>(url).await,
        ours::router::<S>(store),
        ours::router::<S>(cached),
    ]
}

async fn services_of(size: Size, url: &str) -> [Router; WHO.len()] {
    match size {
        Size::Small => services::<Small>(url).await,
        Size::Large => services::<Large>(url).await,
    }
}

pub(crate) fn run(runtime: &Runtime, options: &Options) {
    let Some(server) = Server::start(&[]) else { return };
    println!("\nRedis: requests/s with 64 in flight (multiple of by hand)\n");
    head(&WHO);
    for size in Size::ALL {
        for scenario in &Scenario::ALL[1..] {
            let cells = runtime.block_on(rates(&server, options, size, *scenario));
            row(*scenario, size, &cells);
        }
    }
    println!("\nRedis: commands per request (bytes sent, bytes received)\n");
    head(&WHO);
    let proxy = Proxy::to(server.port);
    for size in Size::ALL {
        for scenario in &Scenario::ALL[1..] {
            let cells = runtime.block_on(commands(&server, &proxy, size, *scenario));
            row(*scenario, size, &cells);
        }
    }
    println!("\nRedis: bytes of memory per session, of {}\n", load::filled(options.sessions));
    head(&WHO[..STORED]);
    for size in Size::ALL {
        let cells = runtime.block_on(memory(&server, options, size));
        println!("| {size} | {} |", cells.join(" | "));
    }
}

fn head(columns: &[&str]) {
    println!("| | {} |\n|---|{}", columns.join(" | "), "---|".repeat(columns.len()));
}

fn row(scenario: Scenario, size: Size, cells: &[String]) {
    println!("| {scenario} {size} | {} |", cells.join(" | "));
}

async fn rates(server: &Server, options: &Options, size: Size, scenario: Scenario) -> Vec<String> {
    let services = services_of(size, &server.url()).await;
    let mut columns = Vec::new();
    for service in &services {
        columns.push((load::clients(service, scenario).await, Vec::new()));
    }
    for round in 0..=options.rounds {
        for (clients, rates) in &mut columns {
            let measured = load::round(clients, options.time).await;
            // The first one warms up.
            if round > 0 {
                rates.push(measured.per_second);
            }
            if scenario == Scenario::Login {
                server.ask(&["FLUSHALL"]);
            }
        }
    }
    server.ask(&["FLUSHALL"]);
    let floor = columns[0].1.clone();
    let cell = |mut rates: Vec<f64>| {
        let mut ratios: Vec<f64> = rates.iter().zip(&floor).map(|(one, by)| one / by).collect();
        format!("{:.0} ({:.2})", median(&mut rates), median(&mut ratios))
    };
    columns.into_iter().map(|(_, rates)| cell(rates)).collect()
}

async fn commands(server: &Server, proxy: &Proxy, size: Size, scenario: Scenario) -> Vec<String> {
    const REQUESTS: u32 = 100;
    let mut cells = Vec::new();
    for service in services_of(size, &format!("redis://127.0.0.1:{}", proxy.port)).await {
        let mut client = Client::of(service, scenario).await;
        // Scripts and what connections say at first.
        client.requests(10).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        let info = |name| info(server, "stats", name);
        let before = info("total_net_output_bytes");
        // What it costs to ask.
        let asked = info("total_net_output_bytes") - before;
        proxy.commands();
        client.requests(REQUESTS).await;
        let sent = proxy.commands();
        let received = info("total_net_output_bytes") - before - 2.0 * asked;
        let bytes: usize = sent.iter().map(|(_, bytes)| bytes).sum();
        let per = |count: f64| count / f64::from(REQUESTS);
        let (count, bytes) = (per(sent.len() as f64), per(bytes as f64));
        cells.push(format!("{count:.1} ({bytes:.0}, {:.0})", per(received)));
    }
    cells
}

async fn memory(server: &Server, options: &Options, size: Size) -> Vec<String> {
    let mut cells = Vec::new();
    for service in services_of(size, &server.url()).await.into_iter().take(STORED) {
        server.ask(&["FLUSHALL"]);
        let before = used(server);
        load::fill(&service, options.sessions).await;
        let per = (used(server) - before) / f64::from(load::filled(options.sessions));
        cells.push(format!("{per:.0}"));
    }
    server.ask(&["FLUSHALL"]);
    cells
}

/// What the server has allocated, in bytes.
pub(crate) fn used(server: &Server) -> f64 {
    info(server, "memory", "used_memory")
}

fn info(server: &Server, section: &str, name: &str) -> f64 {
    let info = server.ask(&["INFO", section]);
    let named = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    named.and_then(|number| number.trim().parse().ok()).unwrap_or(f64::NAN)
}

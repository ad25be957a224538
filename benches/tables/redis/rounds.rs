//! One scenario, of all subjects in turn.

use std::time::Duration;

use axum::Router;
use session_benches::client::Client;
use session_benches::scenario::{Scenario, Size, Who};
use session_benches::subjects::service::{Engine, service};
use session_tests::servers::Proxy;

use super::server::{Server, url};
use crate::options::Options;
use crate::profile::Amount;
use crate::{Result, load};

/// What was seen of one subject; of what is a list, a value per round.
#[derive(Default)]
pub(crate) struct Seen {
    /// Commands of an average request.
    pub(crate) commands: f64,
    pub(crate) per_second: Vec<f64>,
    /// Microseconds of the server's time for the commands of a request.
    pub(crate) server: Vec<f64>,
    /// Bytes of a request to the server.
    pub(crate) sent: Vec<f64>,
    pub(crate) received: Vec<f64>,
}

async fn services(size: Size, url: String) -> Vec<Router> {
    let engine = Engine::Redis(url);
    let mut services = Vec::new();
    for who in Who::ON_REDIS {
        services.push(service(who, size, &engine).await);
    }
    services
}

/// Measures all in turn in each round, so that other load on the machine hits
/// all alike. The connections end with the runtime that they are on.
pub(crate) fn rounds(
    server: &Server,
    options: &Options,
    size: Size,
    scenario: Scenario,
    in_flight: usize,
) -> Result<Vec<Seen>> {
    Ok(load::runtime()?.block_on(measure(server, options, size, scenario, in_flight)))
}

async fn measure(
    server: &Server,
    options: &Options,
    size: Size,
    scenario: Scenario,
    in_flight: usize,
) -> Vec<Seen> {
    let mut columns = Vec::new();
    let proxy = Proxy::to(server.port);
    let watched = services(size, url(proxy.port)).await;
    for (service, watched) in services(size, server.url()).await.iter().zip(watched) {
        let commands = commands(&proxy, watched, scenario).await;
        columns.push((
            load::clients(service, scenario, in_flight).await,
            commands,
            Seen::default(),
        ));
    }
    for round in 0..=options.rounds(9) {
        for (clients, commands, seen) in &mut columns {
            server.reset();
            let measured = load::round(clients, Amount::Time(options.round())).await;
            let info = server.info();
            if scenario == Scenario::Login {
                server.flush();
            }
            // The first one warms up.
            if round == 0 {
                continue;
            }
            let requests = measured.took.len() as f64;
            let time = |(name, calls): &(String, f64)| calls * info.micros_per_call(name);
            // The sum of nothing is -0.0.
            seen.commands = 0.0 + commands.iter().map(|(_, calls)| calls).sum::<f64>();
            seen.per_second.push(measured.per_second());
            seen.server.push(commands.iter().map(time).sum());
            seen.sent.push(info.number("total_net_input_bytes") / requests);
            seen.received.push(info.number("total_net_output_bytes") / requests);
        }
    }
    server.flush();
    columns.into_iter().map(|(_, _, seen)| seen).collect()
}

/// The commands that a client sends, each with how often per request. The
/// server's own count has those too that run inside of scripts, whose time is
/// a part of the script's.
async fn commands(proxy: &Proxy, service: Router, scenario: Scenario) -> Vec<(String, f64)> {
    const REQUESTS: u32 = 200;
    let mut client = Client::of(service, scenario).await;
    // Scripts, and what connections say at first.
    client.requests(10).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    proxy.commands();
    client.requests(REQUESTS).await;
    let mut counts: Vec<(String, f64)> = Vec::new();
    let mut queued = false;
    for (words, _) in proxy.commands() {
        let name = words[0].to_uppercase();
        // The time of `EXEC` is that of what was queued.
        queued = (queued || name == "MULTI") && name != "EXEC";
        if queued {
            continue;
        }
        match counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1.0,
            None => counts.push((name, 1.0)),
        }
    }
    counts.iter_mut().for_each(|(_, count)| *count /= f64::from(REQUESTS));
    counts
}

//! One scenario, of all subjects in turn.

use std::time::Duration;

use axum::Router;
use session_benches::client::Client;
use session_benches::scenario::{Scenario, Size, Who};
use session_benches::stats::median;
use session_benches::subjects::service::{Engine, service};
use session_tests::servers::Proxy;

use super::server::{Server, url};
use crate::Result;
use crate::load::{self, Round};
use crate::options::Options;
use crate::turns::{Meter, take_turns};

/// What was seen of one subject.
pub(crate) struct Seen {
    /// Commands of an average request.
    pub(crate) commands: f64,
    rounds: Vec<OfRound>,
}

pub(crate) struct OfRound {
    pub(crate) per_second: f64,
    /// Microseconds of the server's time for the commands of a request.
    pub(crate) server: f64,
    /// Bytes of a request to the server.
    pub(crate) sent: f64,
    pub(crate) received: f64,
}

impl Seen {
    pub(crate) fn each(&self, of: impl FnMut(&OfRound) -> f64) -> Vec<f64> {
        self.rounds.iter().map(of).collect()
    }

    pub(crate) fn median(&self, of: impl FnMut(&OfRound) -> f64) -> f64 {
        median(&self.each(of))
    }
}

async fn services(size: Size, url: String) -> Vec<Router> {
    let engine = Engine::Redis(url);
    let mut services = Vec::new();
    for who in Who::ON_REDIS {
        services.push(service(who, size, &engine).await);
    }
    services
}

/// The connections end with the runtime that they are on.
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
    let mut subjects = Vec::new();
    let proxy = Proxy::to(server.port);
    let watched = services(size, url(proxy.port)).await;
    for (service, watched) in services(size, server.url()).await.iter().zip(watched) {
        let commands = commands(&proxy, watched, scenario).await;
        let clients = load::clients(service, scenario, in_flight).await;
        subjects.push((clients, Statistics { server, scenario, commands }));
    }
    let seen = take_turns(&mut subjects, options).await;
    server.flush();
    let seen = subjects.into_iter().zip(seen);
    seen.map(|((_, statistics), rounds)| Seen { commands: statistics.per_request(), rounds })
        .collect()
}

/// The server's, of a subject that sends these commands.
struct Statistics<'s> {
    server: &'s Server,
    scenario: Scenario,
    commands: Vec<(String, f64)>,
}

impl Statistics<'_> {
    fn per_request(&self) -> f64 {
        // The sum of nothing is -0.0.
        0.0 + self.commands.iter().map(|(_, calls)| calls).sum::<f64>()
    }
}

impl Meter for Statistics<'_> {
    type Before = ();
    type Seen = OfRound;

    async fn begin(&self) {
        self.server.reset();
    }

    async fn end(&self, (): (), round: &Round) -> OfRound {
        let info = self.server.info();
        if self.scenario == Scenario::Login {
            self.server.flush();
        }
        let requests = f64::from(round.requests);
        let time = |(name, calls): &(String, f64)| calls * info.micros_per_call(name);
        OfRound {
            per_second: round.per_second(),
            server: self.commands.iter().map(time).sum(),
            sent: info.number("total_net_input_bytes") / requests,
            received: info.number("total_net_output_bytes") / requests,
        }
    }
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

//! Sixty-four requests in flight.

use std::time::{Duration, Instant};

use axum::Router;
use session_benches::client::Client;
use session_benches::scenario::Scenario;
use tokio::task::JoinSet;

/// How many requests are under way at once, each of a session of its own.
pub(crate) const IN_FLIGHT: usize = 64;

/// So many clients of one service.
pub(crate) async fn clients(router: &Router, scenario: Scenario) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..IN_FLIGHT {
        clients.push(Client::of(router.clone(), scenario).await);
    }
    clients
}

/// What came of one round.
#[derive(Default)]
pub(crate) struct Round {
    pub(crate) per_second: f64,
    /// Of each request.
    pub(crate) took: Vec<Duration>,
}

/// Each client sends one request after the other until the time is over.
// The rule that this skips is for the toolkit itself.
#[allow(clippy::disallowed_methods)]
pub(crate) async fn round(clients: &mut Vec<Client>, time: Duration) -> Round {
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for mut client in clients.drain(..) {
        tasks.spawn(async move {
            let mut took = Vec::new();
            loop {
                let start = Instant::now();
                if start - begin >= time {
                    return (client, took);
                }
                client.requests(1).await;
                took.push(start.elapsed());
            }
        });
    }
    let mut round = Round::default();
    for (client, took) in tasks.join_all().await {
        clients.push(client);
        round.took.extend(took);
    }
    round.per_second = round.took.len() as f64 / begin.elapsed().as_secs_f64();
    round
}

/// `count` sign-ins, each of somebody else.
pub(crate) async fn fill(router: &Router, count: u32) {
    let mut tasks = JoinSet::new();
    for mut client in clients(router, Scenario::Login).await {
        tasks.spawn(async move { client.requests(count / IN_FLIGHT as u32).await });
    }
    tasks.join_all().await;
}

/// How many sessions [`fill`] makes.
pub(crate) fn filled(count: u32) -> u32 {
    count / IN_FLIGHT as u32 * IN_FLIGHT as u32
}

/// The value below which `share` of all are.
pub(crate) fn percentile(took: &mut [Duration], share: f64) -> Duration {
    took.sort();
    let at = (took.len() as f64 * share) as usize;
    took.get(at.min(took.len().saturating_sub(1))).copied().unwrap_or_default()
}

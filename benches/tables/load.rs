//! Sixty-four requests in flight.

use std::time::{Duration, Instant};

use axum::Router;
use session_benches::client::Client;
use session_benches::scenario::Scenario;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::Result;
use crate::profile::Amount;

/// How many requests are under way at once, each of a session of its own.
pub(crate) const IN_FLIGHT: usize = 64;

/// How often a session is changed before its bytes are counted.
const CHANGES: u32 = 5;

/// A worker per core, as a service has it.
pub(crate) fn runtime() -> Result<Runtime> {
    Ok(Builder::new_multi_thread().enable_all().build()?)
}

/// So many clients of one service.
pub(crate) async fn clients(router: &Router, scenario: Scenario, count: usize) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(Client::of(router.clone(), scenario).await);
    }
    clients
}

/// What came of one round.
#[derive(Default)]
pub(crate) struct Round {
    pub(crate) time: Duration,
    /// Of each request.
    pub(crate) took: Vec<Duration>,
}

impl Round {
    pub(crate) fn per_second(&self) -> f64 {
        self.took.len() as f64 / self.time.as_secs_f64()
    }
}

/// Each client sends one request after the other, for so long or until its
/// share of the requests is sent.
// The rule that this skips is for the toolkit itself.
#[allow(clippy::disallowed_methods)]
pub(crate) async fn round(clients: &mut Vec<Client>, amount: Amount) -> Round {
    let begin = Instant::now();
    let share = clients.len() as u32;
    let mut tasks = JoinSet::new();
    for mut client in clients.drain(..) {
        tasks.spawn(async move {
            let mut took = Vec::new();
            loop {
                let start = Instant::now();
                let over = match amount {
                    Amount::Time(time) => start - begin >= time,
                    Amount::Requests(count) => took.len() as u32 >= count / share,
                };
                if over {
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
    round.time = begin.elapsed();
    round
}

/// Makes `count` sessions, each of another user, and changes each some times.
pub(crate) async fn fill(router: &Router, count: u32) {
    let mut tasks = JoinSet::new();
    for mut client in clients(router, Scenario::Change, IN_FLIGHT).await {
        tasks.spawn(async move {
            // The client has one already.
            client.requests(CHANGES).await;
            for _ in 1..count / IN_FLIGHT as u32 {
                let cookie = client.sign_in().await.expect("a cookie");
                client.present(&cookie);
                client.requests(CHANGES).await;
            }
        });
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

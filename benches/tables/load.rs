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
    pub(crate) requests: u32,
}

impl Round {
    pub(crate) fn per_second(&self) -> f64 {
        f64::from(self.requests) / self.time.as_secs_f64()
    }
}

/// Who does the same again and again.
pub(crate) trait Visitor: Send + 'static {
    fn visit(&mut self) -> impl Future<Output = ()> + Send;
}

impl Visitor for Client {
    async fn visit(&mut self) {
        self.requests(1).await;
    }
}

/// Each visitor sends one request after the other, for so long or until its
/// share of the requests is sent.
// The rule that this skips is for the toolkit itself.
#[allow(clippy::disallowed_methods)]
pub(crate) async fn round<V: Visitor>(visitors: &mut Vec<V>, amount: Amount) -> Round {
    let begin = Instant::now();
    let share = visitors.len() as u32;
    let mut tasks = JoinSet::new();
    for mut visitor in visitors.drain(..) {
        tasks.spawn(async move {
            let mut requests = 0;
            while match amount {
                Amount::Time(time) => begin.elapsed() < time,
                Amount::Requests(count) => requests < count / share,
            } {
                visitor.visit().await;
                requests += 1;
            }
            (visitor, requests)
        });
    }
    let mut round = Round::default();
    for (visitor, requests) in tasks.join_all().await {
        visitors.push(visitor);
        round.requests += requests;
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

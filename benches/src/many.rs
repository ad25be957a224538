//! Many sessions in one store: signing them in, and what single requests take then.

use std::time::Duration;

use axum::Router;
use session_runtime::SessionLayer;
use session_runtime::store::SessionStore;
use tokio::runtime::Runtime;

use crate::client::Client;
use crate::scenario::Scenario;
use crate::shape::Small;
use crate::stats::timed;
use crate::subjects::ours;
use crate::table::{Table, whole};

/// Signs in so many visitors, each as another user, and returns every so many-th cookie.
pub fn sign_in(
    runtime: &Runtime,
    router: &Router,
    sessions: usize,
    every: usize,
    in_flight: usize,
) -> Vec<String> {
    runtime.block_on(async {
        let share = |task: usize| {
            let router = router.clone();
            let share = sessions / in_flight + usize::from(task < sessions % in_flight);
            async move {
                let visitor = Client::of(router, Scenario::Login).await;
                let mut kept = Vec::with_capacity(share.div_ceil(every));
                for number in 0..share {
                    let cookie = visitor.sign_in().await;
                    if number % every == 0 {
                        kept.extend(cookie);
                    }
                }
                kept
            }
        };
        let tasks: Vec<_> = (0..in_flight).map(|task| tokio::spawn(share(task))).collect();
        let mut kept = Vec::new();
        for task in tasks {
            kept.extend(task.await.expect("signed in"));
        }
        kept
    })
}

/// How often something took how long, without allocating.
#[derive(Debug)]
pub struct Times {
    /// In tenths of a microsecond; the last counts whatever took longer.
    counts: Vec<u32>,
    total: u32,
    worst: f64,
}

impl Times {
    /// Does `work` with each cookie in turn until `done`, which is told how often that was
    /// and how many seconds it has taken.
    pub fn of(
        cookies: &[String],
        done: impl Fn(u32, f64) -> bool,
        mut work: impl FnMut(&str),
    ) -> Self {
        let mut times = Self { counts: vec![0; 100_000], total: 0, worst: 0.0 };
        let mut spent = 0.0;
        for cookie in cookies.iter().cycle() {
            let (time, ()) = timed(|| work(cookie));
            let micros = time.as_secs_f64() * 1e6;
            let last = times.counts.len() - 1;
            times.counts[((micros * 10.0) as usize).min(last)] += 1;
            times.total += 1;
            times.worst = times.worst.max(micros);
            spent += micros / 1e6;
            if done(times.total, spent) {
                break;
            }
        }
        times
    }

    /// Of requests of one kind, one at a time.
    pub fn of_requests(
        runtime: &Runtime,
        router: &Router,
        scenario: Scenario,
        cookies: &[String],
        done: impl Fn(u32, f64) -> bool,
    ) -> Self {
        let mut client = runtime.block_on(Client::of(router.clone(), scenario));
        Self::of(cookies, done, |cookie| {
            client.present(cookie);
            runtime.block_on(client.requests(1));
        })
    }

    /// What so large a part of them stays within, in microseconds.
    #[must_use]
    pub fn at(&self, part: f64) -> f64 {
        let mut left = f64::from(self.total) * part;
        let reaches = |count: &u32| {
            left -= f64::from(*count);
            left <= 0.0
        };
        self.counts.iter().position(reaches).unwrap_or(self.counts.len()) as f64 / 10.0
    }

    /// Median, 99.9 % and the worst.
    #[must_use]
    pub fn cells(&self) -> [String; 3] {
        let [median, most] = [0.5, 0.999].map(|part| format!("{:.1}", self.at(part)));
        [median, most, whole(self.worst)]
    }
}

/// A thousand who stay signed in, and come again while all others expire.
#[derive(Debug)]
pub struct Lasting<'r> {
    runtime: &'r Runtime,
    router: Router,
    /// Theirs.
    pub cookies: Vec<String>,
}

impl<'r> Lasting<'r> {
    /// Signs them in.
    pub fn in_store(runtime: &'r Runtime, store: impl SessionStore) -> Self {
        let day = Duration::from_secs(24 * 60 * 60);
        let layer = SessionLayer::new(store).idle_timeout(day).absolute_timeout(day);
        let router = ours::layered::<Small>(layer);
        let cookies = sign_in(runtime, &router, 1_000, 1, 1);
        Self { runtime, router, cookies }
    }

    /// Reads, one at a time, until `done`.
    pub fn reads(&self, done: impl Fn(u32, f64) -> bool) -> Times {
        Times::of_requests(self.runtime, &self.router, Scenario::Read, &self.cookies, done)
    }

    /// What those reads take: for five seconds before `expire`, and then until `done`, and
    /// how long that was.
    pub fn through(&self, expire: impl FnOnce(), done: impl Fn(f64) -> bool) -> (String, Duration) {
        let mut spent = Table::new(["median", "99.9 %", "worst"]);
        spent.row("before", self.reads(|_, spent| spent > 5.0).cells());
        expire();
        let (time, times) = timed(|| self.reads(|_, spent| done(spent)));
        spent.row("meanwhile", times.cells());
        let others = whole(self.cookies.len() as f64);
        let title = format!("All but {others} expire at once; a request, one at a time, µs:");
        (format!("{title}\n\n{spent}"), time)
    }
}

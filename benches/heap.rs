//! What many sessions cost in memory, and what their expiry costs and gives
//! back: `cargo run --release --bin heap -- [SESSIONS [loads]]`.

// A measurement that cannot go on has nothing to recover to.
#![allow(clippy::expect_used)]

use session_runtime::Realm;
use std::alloc::System;
use std::thread::sleep;
use std::time::Duration;

use axum::Router;
use session_benches::client::Client;
use session_benches::scenario::Scenario;
use session_benches::shape::Small;
use session_benches::stats::{median, runtime, timed};
use session_benches::subjects::{ours, tower_sessions};
use session_benches::table::{Table, whole};
use session_runtime::SessionLayer;
use session_runtime::clock::{Clock, Timestamp};
use session_runtime::store::{Lookup, MemoryStore, SessionStore, Touch};
use session_runtime::token::SessionToken;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Of this many sessions the cookies are kept, to read them again.
const KEPT: usize = 10_000;

fn main() {
    let sessions = std::env::args().nth(1).and_then(|arg| arg.parse().ok()).unwrap_or(100_000);
    let runtime = runtime();
    let mut held = Table::new(["bytes per session", "S2 of a random one, ns"]);

    let before = in_use();
    let router =
        tower_sessions::in_process::router::<Small>(::tower_sessions::MemoryStore::default());
    let cookies = sign_in(&runtime, &router, sessions);
    held.row("tower-sessions", report(&runtime, &router, &cookies, sessions, before));
    drop((router, cookies));

    let before = in_use();
    let clock = Clock::frozen(Timestamp::from_millis(1_800_000_000_000));
    let store = MemoryStore::with_clock(clock.clone());
    let router = ours::router::<Small>(store.clone());
    let cookies = sign_in(&runtime, &router, sessions);
    held.row("ours", report(&runtime, &router, &cookies, sessions, before));
    println!("{} signed-in sessions of five fields:\n\n{held}", whole(sessions as f64));
    drop(cookies);
    let full = in_use() - before;

    // Some live on, and are read while all others expire at once.
    let day = Duration::from_secs(24 * 60 * 60);
    let lasting = SessionLayer::new(store.clone()).idle_timeout(Some(day));
    let lasting = ours::layered::<Small>(lasting);
    let cookies = sign_in(&runtime, &lasting, 1_000);
    let floor = before + full / 10 + 1_000_000;
    let mut spent = Table::new(["median", "99.9 %", "worst"]);
    let five_seconds = |spent: f64| spent > 5.0;
    let times = requests(&runtime, &lasting, &cookies, five_seconds);
    spent.row("a request, before", times.cells());
    let times = loads(&runtime, &store, &cookies, five_seconds);
    spent.row("a load of the store, before", times.cells());
    clock.advance(Duration::from_secs(2 * 60 * 60));
    let swept = |spent: f64| in_use() < floor || spent > 60.0;
    let (time, (name, times)) = timed(|| match std::env::args().nth(2).as_deref() {
        Some("loads") => {
            ("a load of the store, meanwhile", loads(&runtime, &store, &cookies, swept))
        }
        _ => ("a request, meanwhile", requests(&runtime, &lasting, &cookies, swept)),
    });
    spent.row(name, times.cells());
    println!("All but {} expire at once; µs:\n\n{spent}", whole(cookies.len() as f64));
    sleep(Duration::from_secs(2));
    let left = 100.0 * (in_use() - before) as f64 / full as f64;
    println!(
        "90 % of the heap was free after {:.1} s, {:.1} % in the end.",
        time.as_secs_f64(),
        100.0 - left
    );
}

/// Bytes that were asked for and not given back.
fn in_use() -> isize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated as isize - stats.bytes_deallocated as isize
}

fn sign_in(runtime: &Runtime, router: &Router, sessions: usize) -> Vec<String> {
    let mut kept = Vec::with_capacity(KEPT);
    let every = sessions.div_ceil(KEPT);
    runtime.block_on(async {
        let visitor = Client::of(router.clone(), Scenario::Stranger).await;
        for number in 0..sessions {
            let cookie = visitor.sign_in().await;
            if number % every == 0 {
                kept.extend(cookie);
            }
        }
    });
    kept
}

/// Bytes per session, and the time of a read.
fn report(
    runtime: &Runtime,
    router: &Router,
    cookies: &[String],
    sessions: usize,
    before: isize,
) -> [String; 2] {
    let own: usize = cookies.iter().map(|c| c.capacity() + size_of::<String>()).sum();
    let bytes = (in_use() - before) as f64 - own as f64;
    let mut client = runtime.block_on(Client::of(router.clone(), Scenario::Read));
    let mut times = Vec::new();
    for cookie in cookies {
        client.present(cookie);
        let (time, ()) = timed(|| runtime.block_on(client.requests(1)));
        times.push(time.as_nanos() as f64);
    }
    [whole(bytes / sessions as f64), whole(median(&times))]
}

/// How often something took how long, without allocating.
struct Times {
    /// In tenths of a microsecond; the last counts whatever took longer.
    counts: Vec<u32>,
    total: u32,
    worst: f64,
}

impl Times {
    /// Does `work` with each cookie in turn until `done`, which is told how
    /// many seconds have passed.
    fn of(cookies: &[String], done: impl Fn(f64) -> bool, mut work: impl FnMut(&str)) -> Self {
        let mut times = Self { counts: vec![0; 10_000], total: 0, worst: 0.0 };
        let mut spent = 0.0;
        for cookie in cookies.iter().cycle() {
            let (time, ()) = timed(|| work(cookie));
            let micros = time.as_secs_f64() * 1e6;
            times.counts[((micros * 10.0) as usize).min(9_999)] += 1;
            times.total += 1;
            times.worst = times.worst.max(micros);
            spent += micros / 1e6;
            if done(spent) {
                break;
            }
        }
        times
    }

    fn at(&self, part: f64) -> f64 {
        let mut left = f64::from(self.total) * part;
        let reaches = |count: &u32| {
            left -= f64::from(*count);
            left <= 0.0
        };
        self.counts.iter().position(reaches).unwrap_or(self.counts.len()) as f64 / 10.0
    }

    fn cells(&self) -> [String; 3] {
        let [median, most] = [0.5, 0.999].map(|part| format!("{:.1}", self.at(part)));
        [median, most, whole(self.worst)]
    }
}

fn requests(
    runtime: &Runtime,
    router: &Router,
    cookies: &[String],
    done: impl Fn(f64) -> bool,
) -> Times {
    let mut client = runtime.block_on(Client::of(router.clone(), Scenario::Read));
    Times::of(cookies, done, |cookie| {
        client.present(cookie);
        runtime.block_on(client.requests(1));
    })
}

/// The store alone: no allocator between it and the clock.
fn loads(
    runtime: &Runtime,
    store: &MemoryStore,
    cookies: &[String],
    done: impl Fn(f64) -> bool,
) -> Times {
    Times::of(cookies, done, |cookie| {
        let (_, token) = cookie.split_once('=').expect("name and value");
        let token = SessionToken::parse(token).expect("a token");
        let hash = token.secret_hash(&Realm::default());
        let found = runtime.block_on(store.load(token.id(), &[hash], Touch::IfDue.into()));
        assert!(matches!(found, Ok(Lookup::Found(_))));
    })
}

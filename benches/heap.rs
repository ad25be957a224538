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
use session_benches::many::{Lasting, Times, sign_in};
use session_benches::scenario::Scenario;
use session_benches::shape::Small;
use session_benches::stats::{median, runtime, timed};
use session_benches::subjects::{ours, tower_sessions};
use session_benches::table::{Table, whole};
use session_runtime::__private::token::SessionToken;
use session_runtime::clock::{Clock, Timestamp};
use session_runtime::store::{
    MemoryStore, SessionStore,
    contract::{Lookup, Touch},
};
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
    let cookies = sign_in(&runtime, &router, sessions, sessions.div_ceil(KEPT), 1);
    held.row("tower-sessions", report(&runtime, &router, &cookies, sessions, before));
    drop((router, cookies));

    let before = in_use();
    let clock = Clock::frozen(Timestamp::from_millis(1_800_000_000_000));
    let store = MemoryStore::with_clock(clock.clone());
    let router = ours::router::<Small>(store.clone());
    let cookies = sign_in(&runtime, &router, sessions, sessions.div_ceil(KEPT), 1);
    held.row("ours", report(&runtime, &router, &cookies, sessions, before));
    println!("{} signed-in sessions of five fields:\n\n{held}", whole(sessions as f64));
    drop(cookies);
    let full = in_use() - before;

    let floor = before + full / 10 + 1_000_000;
    let lasting = Lasting::in_store(&runtime, store.clone());
    let swept = |spent: f64| in_use() < floor || spent > 60.0;
    let expire = || clock.advance(Duration::from_secs(2 * 60 * 60));
    if std::env::args().nth(2).as_deref() == Some("loads") {
        expire();
        let times = loads(&runtime, &store, &lasting.cookies, swept);
        println!("A load of the store meanwhile, µs: {}", times.cells().join(", "));
        return;
    }
    let before_it = loads(&runtime, &store, &lasting.cookies, |spent| spent > 5.0);
    let (spent, time) = lasting.through(expire, swept);
    println!("{spent}");
    println!("A load of the store alone, before: {} µs.\n", before_it.cells().join(", "));
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

/// The store alone: no allocator between it and the clock.
fn loads(
    runtime: &Runtime,
    store: &MemoryStore,
    cookies: &[String],
    done: impl Fn(f64) -> bool,
) -> Times {
    Times::of(
        cookies,
        |_, spent| done(spent),
        |cookie| {
            let (_, token) = cookie.split_once('=').expect("name and value");
            let token = SessionToken::parse(token).expect("a token");
            let hash = token.secret_hash(&Realm::default());
            let found = runtime.block_on(store.load(token.id(), &[hash], Touch::IfDue.into()));
            assert!(matches!(found, Ok(Lookup::Found(_))));
        },
    )
}

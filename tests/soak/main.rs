//! Many signed-in sessions, and everything that happens to sessions, from
//! several threads: whether anything is lost, revived or left behind.
//!
//! Twenty thousand of them are a test. A million are a measurement, some
//! minutes long, whose figures are in `docs/performance.md`:
//!
//!     SESSION_SOAK=1000000 cargo test --release -p session-tests --test soak -- --nocapture --test-threads 1
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod app;
mod browser;
mod course;
mod subject;
mod worker;

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// One at a time: both measure the heap of the whole process.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn sessions() -> u64 {
    std::env::var("SESSION_SOAK").map_or(20_000, |number| number.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_revived_or_left_behind_in_memory() {
    let _alone = ALONE.lock().await;
    course::run(subject::memory(), sessions()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_revived_or_left_behind_in_sqlite() {
    let _alone = ALONE.lock().await;
    // Fewer in the test: each is written to a file.
    let sessions = if sessions() > 20_000 { sessions() } else { sessions() / 4 };
    course::run(subject::sqlite().await, sessions).await;
}

//! What one machine holds: a store that grows to ten million sessions, and what their
//! expiry costs: `cargo run --release --bin scale -- memory [SESSIONS [FOLDER]]`.

// A measurement that cannot go on has nothing to recover to.
#![allow(clippy::expect_used)]

mod growth;
mod memory;
mod sqlite;

use std::alloc::System;
use std::path::Path;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    let mut args = std::env::args().skip(1);
    let place = args.next().unwrap_or_default();
    let most = args.next().and_then(|arg| arg.parse().ok()).unwrap_or(1_000_000);
    let (tables, plot) = match place.as_str() {
        "memory" => memory::measure(most),
        "sqlite" => sqlite::measure(most),
        other => panic!("`{other}` is no place: memory, or sqlite"),
    };
    println!("{tables}");
    if let Some(folder) = args.next() {
        let file = Path::new(&folder).join(format!("scale-{place}.svg"));
        std::fs::write(file, plot.expect("a plot")).expect("a folder");
    }
}

/// Bytes that were asked for and not given back.
fn in_use() -> f64 {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated as f64 - stats.bytes_deallocated as f64
}

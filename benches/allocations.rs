//! Allocations and bytes per request, without the floor taken off:
//! `S3 small ours 12.0 3456`, one line per scenario, size and subject. With the
//! URL of a Redis server as its argument: on that, whatever the client library
//! allocates included.

use std::alloc::System;

use session_benches::client::Client;
use session_benches::scenario::{Scenario, Size, Who};
use session_benches::stats::runtime;
use session_benches::subjects::service::{Engine, service};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const REQUESTS: u32 = 1_000;

fn main() {
    let (engine, subjects) = match std::env::args().nth(1) {
        Some(url) => (Engine::Redis(url), &Who::ON_REDIS[..]),
        None => (Engine::Memory, &Who::IN_PROCESS[..]),
    };
    for size in Size::ALL {
        for scenario in Scenario::ALL {
            for who in subjects {
                // One each: tasks of another subject's connections would be counted.
                let runtime = runtime();
                let service = runtime.block_on(service(*who, size, &engine));
                let mut client = runtime.block_on(Client::of(service, scenario));
                // Lazy statics and scratch buffers are made once.
                runtime.block_on(client.requests(100));
                let region = Region::new(ALLOCATOR);
                runtime.block_on(client.requests(REQUESTS));
                let used = region.change();
                let per_request = |total: usize| total as f64 / f64::from(REQUESTS);
                println!(
                    "{scenario} {size} {who} {:.1} {:.0}",
                    per_request(used.allocations + used.reallocations),
                    per_request(used.bytes_allocated),
                );
            }
        }
    }
}

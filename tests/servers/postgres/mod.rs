//! `PostgresStore` against a real server, and behind a pooler.
//!
//! - `kit`: one server for the whole program, a schema per test
//! - `migration`, `statements`: the tables, and what a request costs
//! - `locks`: what happens while somebody waits; other isolation levels
//! - `outages`: restarts, pauses, lost connections
//! - `load`: everything at once

mod kit;
mod load;
mod locks;
mod migration;
mod outages;
mod statements;

use kit::Opened;
pub(crate) use kit::{DATABASE, server};

session_runtime::store_conformance! {
    conformance, |clock| async move { Opened::with_clock(clock).await.pair() }
}

session_runtime::store_conformance! {
    behind_pgbouncer, |clock| async move { Opened::behind_pgbouncer(clock).await.pair() }
}

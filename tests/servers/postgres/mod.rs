//! `PostgresStore` against a real server, and behind a pooler.
//!
//! - `kit`: one server for the whole program, a schema per test

mod kit;

use kit::Opened;

session_runtime::store_conformance! {
    conformance, |clock| async move { Opened::with_clock(clock).await.pair() }
}

session_runtime::store_conformance! {
    behind_pgbouncer, |clock| async move { Opened::behind_pgbouncer(clock).await.pair() }
}

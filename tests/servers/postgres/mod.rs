//! `PostgresStore` against a real server, and behind a pooler.
//!
//! - `kit`: one server for the whole program, a schema per test
//! - `migration`, `statements`: the tables, and what a request costs
//! - `locks`, `principals`: what happens while somebody waits
//! - `isolation`: the same where the default isolation is another one
//! - `handed_in`: the application's own pools
//! - `outages`, `lost`, `full`, `crowded`: restarts, pauses, lost answers, full
//!   disks, too many connections
//! - `sweeping`, `background`: what is due is removed, once, by whoever comes
//! - `push`: nodes that tell each other of changes
//! - `tls`: encrypted connections (`servers-tls`)
//! - `load`: everything at once
//! - `churn`: what thousands of changes leave behind

mod background;
mod churn;
mod crowded;
mod full;
mod handed_in;
mod hostile;
mod isolation;
mod kit;
mod load;
mod locks;
mod lost;
mod migration;
mod outages;
mod principals;
mod push;
mod statements;
mod sweeping;
#[cfg(feature = "servers-tls")]
mod tls;

pub(crate) use kit::{DATABASE, server};

session_runtime::store_conformance! {
    conformance, |clock| async move { kit::for_a_rule(clock).await }
}

session_runtime::store_conformance! {
    behind_pgbouncer, |clock| async move { kit::behind_pgbouncer(clock).await }
}

//! `MySqlStore` against a real MariaDB.
//!
//! - `server`: the one that most tests share, and tables of their own
//! - `conformance`: the contract
//! - `values`, `layout`: bytes and tables
//! - `clock`: whose time decides, and when it is read
//! - `failures`: a server that is gone, still, or cuts a connection
//! - `lost`: commits whose answers got lost
//! - `full`, `crowded`: a full disk, too many connections
//! - `hostile`: hostile settings of connections, and the least rights
//! - `races`: many of everything at once
//! - `sweeping`: what is due is removed, once, by whoever comes
//! - `churn`: what thousands of changes leave behind
//! - `waits`: what happens while somebody waits for a row
//! - `tls`: encrypted connections (`servers-tls`)

mod churn;
mod clock;
mod crowded;
mod failures;
mod full;
mod hostile;
mod layout;
mod lost;
mod races;
mod server;
mod sweeping;
#[cfg(feature = "servers-tls")]
mod tls;
mod values;
mod waits;

pub(crate) use server::{database, shared};

// The contract, each rule in empty tables.
session_runtime::store_conformance! {
    conformance, |clock| async move { server::for_a_rule(clock).await }
}

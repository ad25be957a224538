//! `MySqlStore` against a real MariaDB.
//!
//! - `server`: the one that most tests share, and tables of their own
//! - `conformance`: the contract
//! - `values`, `layout`: bytes and tables
//! - `clock`: whose time decides, and when it is read
//! - `failures`: a server that is gone, still, or cuts a connection
//! - `lost`: commits whose answers got lost
//! - `races`: many of everything at once

mod clock;
mod failures;
mod layout;
mod lost;
mod races;
mod server;
mod values;

use server::fresh;
pub(crate) use server::shared;

// The contract, in tables of its own for every rule.
session_runtime::store_conformance! {
    conformance, |clock| async move {
        let tables = fresh().await;
        (tables.options().clock(clock).connect(&tables.url).await.unwrap(), tables)
    }
}

//! One request through the whole tower service, for this toolkit and its peers.
//! `benches/README.md` says how to run it and how to read it.

// A measurement that cannot go on has nothing to recover to.
#![allow(clippy::expect_used)]

pub mod client;
pub mod many;
pub mod marked;
pub mod plot;
pub mod scenario;
pub mod shape;
pub mod stats;
pub mod subjects;
pub mod table;

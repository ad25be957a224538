//! What must hold in every order in which requests can come.
//!
//! See `docs/proof.md`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod exhaustive;
mod explore;
mod histories;
mod program;
mod properties;
mod run;
mod schema;
mod store;
mod world;

//! Between this crate and `tower-sessions` 0.15, in both directions.
//!
//! - `above`: any of our stores as one of its
//! - `axum_login`: who is signed in, in a session of axum-login
//! - `below`: any of its stores as one of ours
//! - `legacy`: sessions that it left, taken over
//! - `times`: its points in time and ours
//!
//! Needs the cargo feature `tower-sessions`. For 0.14 the same files are compiled once more,
//! as `tower_sessions_014`: they find the crate as `super::their_core`, and their
//! documentation says by these macros where it stands.

use tower_sessions_core as their_core;

#[rustfmt::skip]
macro_rules! version { () => { "0.15" }; }
#[rustfmt::skip]
macro_rules! module { () => { "tower_sessions" }; }
#[rustfmt::skip]
macro_rules! their_crate { () => { "tower_sessions_core" }; }

mod above;
mod axum_login;
mod below;
mod legacy;
mod times;

pub use above::AsTowerSessions;
pub use below::TowerSessionsStore;
pub use legacy::TowerSessionsLegacy;

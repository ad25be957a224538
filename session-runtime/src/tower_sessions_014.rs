//! Interoperability with `tower-sessions` 0.14: everything that `tower_sessions` provides for 0.15.
//!
//! axum-login 0.18 and the tower-sessions stores for servers are built on this version.
//!
//! Requires the cargo feature `tower-sessions-014`.

// Both versions are compiled from the same source on purpose.
#![allow(clippy::duplicate_mod)]

use tower_sessions_core_014 as their_core;

#[rustfmt::skip]
macro_rules! version { () => { "0.14" }; }
#[rustfmt::skip]
macro_rules! module { () => { "tower_sessions_014" }; }
#[rustfmt::skip]
macro_rules! their_crate { () => { "tower_sessions_core_014" }; }

#[path = "tower_sessions/above.rs"]
mod above;
#[path = "tower_sessions/axum_login.rs"]
mod axum_login;
#[path = "tower_sessions/below.rs"]
mod below;
#[path = "tower_sessions/legacy.rs"]
mod legacy;
#[path = "tower_sessions/times.rs"]
mod times;

pub use above::AsTowerSessions;
pub use below::TowerSessionsStore;
pub use legacy::TowerSessionsLegacy;

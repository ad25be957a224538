//! Interoperability with `tower-sessions` 0.15, in both directions.
//!
//! - `above`: any store of this crate as a tower-sessions store
//! - `axum_login`: the signed-in user of an axum-login session
//! - `below`: any tower-sessions store as a store of this crate
//! - `legacy`: takes over tower-sessions sessions
//! - `times`: converts timestamps
//!
//! Requires the cargo feature `tower-sessions`. For 0.14 the same files are compiled again as
//! `tower_sessions_014`: they find the crate as `super::their_core`, and these macros fill in the
//! names in their documentation.

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

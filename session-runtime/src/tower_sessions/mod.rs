//! Between this crate and `tower-sessions` 0.15, in both directions.
//!
//! - `below`: any of its stores as one of ours
//! - `above`: any of our stores as one of its
//! - `legacy`: sessions that it left, taken over
//! - `times`: its points in time and ours
//!
//! Needs the cargo feature `tower-sessions`.

mod above;
mod below;
mod legacy;
mod times;

pub use above::AsTowerSessions;
pub use below::TowerSessionsStore;
pub use legacy::TowerSessionsLegacy;

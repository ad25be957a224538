//! The same application, once per subject.

pub mod bare;
pub mod by_hand;
pub mod ours;
pub mod service;
pub mod tower_sessions;

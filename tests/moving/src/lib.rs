//! One application, written twice, on one SQLite file.
//!
//! - `users`: its users, and axum-login's view of them
//! - `before`: with axum-login on tower-sessions
//! - `after`: the same routes with typed sessions
#![allow(clippy::unwrap_used)]

pub mod after;
pub mod before;
pub mod users;

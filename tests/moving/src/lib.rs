//! Two applications, each written twice, on one SQLite file.
//!
//! - `users`: the users of the first, and axum-login's view of them
//! - `before`: with axum-login on tower-sessions
//! - `after`: the same routes with typed sessions
//! - `kept`: with handlers that stay as they are, by the module `axum_login`
//! - `axum_session`: the second one, and its `Legacy`
#![allow(clippy::unwrap_used)]

pub mod after;
pub mod axum_session;
pub mod before;
pub mod kept;
pub mod users;

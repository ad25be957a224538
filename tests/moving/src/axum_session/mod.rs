//! An application of axum_session.
//!
//! - `before`: with axum_session, and a user as axum_session_auth stores it
//! - `after`: the same routes with typed sessions
//! - `legacy`: reads what axum_session stored

pub mod after;
pub mod before;
pub mod legacy;

//! What a user of the toolkit sees, from request to response.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod concurrency;
mod cookies;
mod failures;
mod fields;
mod handles;
mod kill;
mod manager;
mod program;
mod secrecy;
mod sign_in;
mod timeouts;
mod visitor;
mod wiring;

//! What a user of the toolkit sees, from request to response.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod abort;
mod concurrency;
mod cookies;
mod evolution;
mod failures;
mod fields;
mod flash;
mod handles;
mod kill;
mod kit;
mod late;
mod lock;
mod locked;
mod manager;
mod nonces;
mod policies;
mod privileges;
mod program;
mod secrecy;
mod settings;
mod sign_in;
mod timeouts;
mod transactions;
mod versions;
mod visitor;
mod wiring;

//! What a user of the toolkit sees, from request to response.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod abort;
mod concurrency;
mod cookies;
mod custom;
mod disk_full;
mod edges;
mod failures;
mod fields;
mod flash;
mod handles;
mod kill;
mod late;
mod locked;
mod manager;
mod nesting;
mod panics;
mod plain;
mod privileges;
mod program;
mod secrecy;
mod settings;
mod sign_in;
mod streaming;
mod tasks;
mod timeouts;
mod two_processes;
mod visitor;
mod websocket;
mod wiring;

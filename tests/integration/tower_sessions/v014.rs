//! With tower-sessions 0.14.

#![allow(clippy::duplicate_mod)] // the same source for both versions, on purpose

use session_runtime::tower_sessions_014 as adapters;
use tower_sessions_014 as their_crate;

#[path = "above.rs"]
mod above;
#[path = "logins.rs"]
mod logins;
#[path = "moved.rs"]
mod moved;
#[path = "same_store.rs"]
mod same_store;
#[path = "schemas.rs"]
mod schemas;

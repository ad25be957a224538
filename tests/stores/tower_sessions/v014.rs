//! With tower-sessions 0.14.

#![allow(clippy::duplicate_mod)] // the same source for both versions, on purpose

use session_runtime::tower_sessions_014 as adapters;
use tower_sessions_014 as their_crate;

#[path = "below.rs"]
mod below;

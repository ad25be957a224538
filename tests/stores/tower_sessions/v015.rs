//! With tower-sessions 0.15.

use session_runtime::tower_sessions as adapters;
use tower_sessions as their_crate;

#[path = "below.rs"]
mod below;

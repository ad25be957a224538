//! With tower-sessions 0.15.

use session_runtime::tower_sessions as adapters;
use tower_sessions as their_crate;

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

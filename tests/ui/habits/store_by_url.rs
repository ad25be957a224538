//! A URL names a store; opening it takes a moment, and may fail.

use session_runtime::SessionLayer;

fn main() {
    let _ = SessionLayer::new("redis://localhost:6379");
}

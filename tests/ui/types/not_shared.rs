//! A field's type is shared between threads.

use session_runtime::SessionSchema;


#[derive(SessionSchema)]
struct Visitor {
    hits: std::cell::Cell<u64>,
}

fn main() {}

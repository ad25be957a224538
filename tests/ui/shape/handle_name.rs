//! The handle is a type of its own.

use session_runtime::SessionSchema;


#[derive(SessionSchema)]
#[session(handle = Visitor)]
struct Visitor {
    locale: String,
}

fn main() {}

//! One version is stored for a namespace.

use session_runtime::{SessionSchema, same_record};

#[derive(SessionSchema)]
#[session(version = 2)]
struct Visitor {
    locale: String,
}

#[derive(SessionSchema)]
struct Tracking {
    visits: u64,
}

same_record!(Visitor, Tracking);

fn main() {}

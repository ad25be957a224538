//! Nobody signed in must be representable.

use session_runtime::{Authenticated, SessionSchema};

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user_id: u64,
}

fn handler(who: Authenticated<Visitor>) {
    drop(who);
}

fn main() {}

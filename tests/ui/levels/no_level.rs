//! Not every type is a level.

use session_runtime::{Authenticated, SessionSchema};

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user_id: Option<u64>,
}

struct Administrator;

async fn vault(_: Authenticated<Visitor, Administrator>) {}

fn main() {}

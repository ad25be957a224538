//! `Authenticated<S>` needs a principal.

use session_runtime::{Authenticated, SessionSchema};

#[derive(SessionSchema)]
struct Visitor {
    user_id: Option<u64>,
}

async fn handler(_: Authenticated<Visitor>) {}

fn main() {}

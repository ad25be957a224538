//! Nobody is signed in by default.

use session_runtime::SessionSchema;


#[derive(SessionSchema)]
struct Visitor {
    #[session(principal, default = 1)]
    user_id: Option<u64>,
}

fn main() {}

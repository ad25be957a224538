//! Customer 42 and administrator 42 are not the same.

use session_runtime::{SessionSchema, same_record};

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user_id: Option<u64>,
}

#[derive(SessionSchema)]
struct Admin {
    #[session(principal)]
    admin_id: Option<u64>,
}

same_record!(Visitor, Admin);

fn main() {}

//! Two fields do not have the same key.

use session_runtime::SessionSchema;


#[derive(SessionSchema)]
#[allow(non_snake_case)]
struct Visitor {
    userid: u64,
    userId: String,
}

fn main() {}

//! Who is signed in is not added to.

use session_runtime::SessionSchema;


#[derive(SessionSchema)]
struct Visitor {
    #[session(principal, counter)]
    user_id: u64,
}

fn main() {}

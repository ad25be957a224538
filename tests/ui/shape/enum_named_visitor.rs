//! A session is a struct, whatever the enum is called.

use session_runtime::SessionSchema;


#[derive(SessionSchema)]
enum Visitor {
    Fresh,
    Known { user: u64 },
}

fn main() {}

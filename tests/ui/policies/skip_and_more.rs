//! A skipped field has no other option.

use session_runtime::SessionSchema;


#[derive(SessionSchema)]
struct Visitor {
    #[session(skip, rename = "c", default = 3)]
    cache: u64,
}

fn main() {}

//! `crate` names where the runtime is found.

use session_runtime::SessionSchema;

#[derive(SessionSchema)]
#[session(crate = my_framework::sessions)]
struct Visitor {
    locale: String,
}

fn main() {}

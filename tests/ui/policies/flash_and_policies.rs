//! A flash is set and taken, nothing else.

use session_runtime::SessionSchema;

#[derive(SessionSchema)]
struct Visitor {
    #[session(flash, nonce)]
    nonce: Option<String>,
    #[session(flash, merge = join)]
    merged: Option<String>,
    #[session(flash, compare)]
    compared: Option<String>,
    #[session(flash, write_once)]
    once: Option<String>,
    #[session(flash, listed)]
    listed: Option<String>,
}

fn main() {}

//! A counter is a plain number that the store adds to.

use session_runtime::SessionSchema;

#[derive(SessionSchema)]
struct Visitor {
    #[session(counter, ttl = "1h")]
    timed: u64,
    #[session(counter, merge = sum)]
    merged: u64,
    #[session(compare, counter)]
    compared: u64,
    #[session(counter, write_once)]
    once: u64,
    #[session(counter, nonce)]
    nonce: u64,
    #[session(counter, secret)]
    secret: u64,
}

fn main() {}

//! A field has one conflict policy.

use session_runtime::SessionSchema;

#[derive(SessionSchema)]
struct Visitor {
    #[session(merge = join, compare)]
    a: String,
    #[session(merge = join, write_once)]
    b: String,
    #[session(write_once, compare)]
    c: String,
    #[session(write_once, ttl = "1d")]
    d: String,
    #[session(listed, secret)]
    e: String,
    #[session(skip, ttl = "1d", secret)]
    f: String,
}

fn main() {}

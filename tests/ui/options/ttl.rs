//! What a time to live looks like.

use session_runtime::SessionSchema;

#[derive(SessionSchema)]
struct Visitor {
    #[session(ttl = 10)]
    number: Option<u8>,
    #[session(ttl)]
    nothing: Option<u8>,
    #[session(ttl = "10")]
    no_unit: Option<u8>,
    #[session(ttl = "10 min")]
    long_unit: Option<u8>,
    #[session(ttl = "1h30m")]
    two_units: Option<u8>,
    #[session(ttl = "0s")]
    zero: Option<u8>,
    #[session(ttl = "401d")]
    too_long: Option<u8>,
}

fn main() {}

//! A session is a struct.

use session_runtime::SessionSchema;


#[derive(SessionSchema)]
union Bits {
    number: u64,
    bytes: [u8; 8],
}

fn main() {}

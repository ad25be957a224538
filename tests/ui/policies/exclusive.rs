//! Policies that exclude each other.

use session_runtime::SessionSchema;


#[derive(SessionSchema)]
struct Visitor {
    #[session(principal, flash)]
    user_id: Option<u64>,
    #[session(flash, counter)]
    visits: u64,
    #[session(counter, copy)]
    clicks: i64,
    #[session(flash, copy)]
    notice: Option<u8>,
    #[session(counter, with = "module")]
    pages: u64,
}

fn main() {}

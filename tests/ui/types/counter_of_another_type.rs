//! Two types can be counters.

use session_runtime::SessionSchema;


#[derive(SessionSchema)]
struct Visitor {
    #[session(counter)]
    visits: u32,
    #[session(counter)]
    clicks: Option<u64>,
}

fn main() {}

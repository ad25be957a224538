//! On an `Option`, the default is what is inside.

use session_runtime::SessionSchema;


#[derive(SessionSchema)]
struct Visitor {
    #[session(default = Some(10))]
    page_size: Option<u32>,
    #[session(default = None)]
    limit: Option<u32>,
}

fn main() {}

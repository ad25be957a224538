//! Each option once; an alias may be repeated.

use session_runtime::SessionSchema;


#[derive(SessionSchema)]
struct Visitor {
    #[session(counter, counter)]
    visits: u64,
    #[session(default = "en", alias = "language")]
    #[session(default = "de", alias = "tongue")]
    locale: String,
}

fn main() {}

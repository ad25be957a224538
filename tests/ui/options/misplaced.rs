//! An option of the struct on a field, and the other way round.

use session_runtime::SessionSchema;


#[derive(SessionSchema)]
#[session(counter)]
struct Visitor {
    #[session(handle = Basket)]
    locale: String,
}

fn main() {}

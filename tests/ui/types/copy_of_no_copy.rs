//! `copy` is for types that are `Copy`.

use session_runtime::SessionSchema;


#[derive(SessionSchema)]
struct Visitor {
    #[session(copy)]
    locale: String,
    #[session(copy)]
    cart: Option<Vec<u8>>,
}

fn main() {}

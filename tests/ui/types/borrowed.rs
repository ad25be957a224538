//! A session owns its values.

use session_runtime::SessionSchema;


#[derive(SessionSchema)]
struct Visitor {
    locale: &'static str,
    cart: Option<&'static [u64]>,
}

fn main() {}

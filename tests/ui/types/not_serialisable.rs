//! A field's type is stored as JSON.

use session_runtime::SessionSchema;


#[derive(Default)]
struct Cart {
    items: Vec<String>,
}

#[derive(SessionSchema)]
struct Visitor {
    cart: Cart,
    last_cart: Option<Cart>,
}

fn main() {}

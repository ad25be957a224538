//! One stored field has one policy, also under an alias and among three.

use session_runtime::{SessionSchema, same_record};

#[derive(SessionSchema)]
struct Visitor {
    user_agent: String,
}

#[derive(SessionSchema)]
struct Shop {
    #[session(ttl = "12h")]
    cart: Vec<String>,
}

#[derive(SessionSchema)]
struct Checkout {
    #[session(alias = "cart", ttl = "90m")]
    basket: Vec<String>,
}

same_record!(Visitor, Shop, Checkout);

#[derive(SessionSchema)]
struct Support {
    #[session(secret)]
    user_agent: String,
}

same_record!(Visitor, Support);

fn main() {}

//! A stored name, present or former, means one field.

use session_runtime::SessionSchema;


#[derive(SessionSchema)]
struct Visitor {
    cart: Vec<String>,
    #[session(rename = "cart")]
    basket: Vec<String>,
    #[session(alias = "cart")]
    trolley: Vec<String>,
    #[session(alias = "language", alias = "language", alias = "locale")]
    locale: String,
    language: String,
}

fn main() {}

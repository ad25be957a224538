//! One stored field has one type.

use session_runtime::{SessionSchema, same_record};

#[derive(SessionSchema)]
struct Visitor {
    cart: Vec<String>,
    locale: String,
}

#[derive(SessionSchema)]
struct Admin {
    #[session(rename = "locale")]
    language: Option<String>,
}

same_record!(Visitor, Admin);

fn main() {}

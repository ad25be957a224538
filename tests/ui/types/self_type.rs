//! A type that says `Self` would mean something else where it is repeated.

use session_runtime::SessionSchema;

#[derive(serde::Serialize, serde::Deserialize, SessionSchema)]
struct Visitor {
    before: Option<Box<Self>>,
}

fn main() {}

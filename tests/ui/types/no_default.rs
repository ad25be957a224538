//! What a fresh session reads must be known.

use session_runtime::SessionSchema;


#[derive(serde::Serialize, serde::Deserialize)]
enum Theme {
    Light,
    Dark,
}

#[derive(SessionSchema)]
struct Visitor {
    theme: Theme,
}

fn main() {}

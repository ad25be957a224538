//! What a namespace may be.

use session_runtime::SessionSchema;

#[derive(SessionSchema)]
#[session(namespace = "")]
struct Empty {}

#[derive(SessionSchema)]
#[session(namespace = "Admin")]
struct Capital {}

#[derive(SessionSchema)]
#[session(namespace = "admin:area")]
struct Colon {}

#[derive(SessionSchema)]
#[session(namespace = "a-namespace-that-is-really-rather-long")]
struct Long {}

#[derive(SessionSchema)]
#[session(namespace = admin)]
struct Word {}

#[derive(SessionSchema)]
struct OnAField {
    #[session(namespace = "admin")]
    field: u8,
}

fn main() {}

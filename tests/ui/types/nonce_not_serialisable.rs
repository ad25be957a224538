//! What a nonce holds is a session field's type.

use std::collections::HashMap;

use session_runtime::SessionSchema;

struct Opaque;

#[derive(SessionSchema)]
struct Visitor {
    #[session(nonce)]
    one: Option<Opaque>,
    #[session(nonce = keyed, ttl = "10m")]
    several: HashMap<String, Opaque>,
}

fn main() {}

//! How a nonce and the conflict policies are written.

use session_runtime::SessionSchema;

#[derive(SessionSchema)]
struct Visitor {
    #[session(nonce = true)]
    flag: Option<String>,
    #[session(nonce = "keyed")]
    text: Option<String>,
    #[session(nonce(keyed))]
    list: Option<String>,
    #[session(nonce secret)]
    no_comma: Option<String>,
    #[session(merge)]
    merged: Vec<String>,
    #[session(merge = |a, b, c| c)]
    closure: Vec<String>,
    #[session(compare = true)]
    compared: u8,
    #[session(writeonce)]
    once: u8,
}

fn main() {}

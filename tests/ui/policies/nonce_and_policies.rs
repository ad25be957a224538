//! A nonce is set and consumed, nothing else.

use session_runtime::SessionSchema;

#[derive(SessionSchema)]
struct Visitor {
    #[session(nonce, default = "code")]
    preset: Option<String>,
    #[session(nonce, listed)]
    listed: Option<String>,
    #[session(nonce, renew)]
    renewing: Option<String>,
    #[session(nonce, merge = join)]
    merged: Option<String>,
    #[session(nonce, compare)]
    compared: Option<String>,
    #[session(nonce = keyed, ttl = "10m", renew)]
    several: std::collections::HashMap<String, String>,
    #[session(nonce, write_once)]
    once: Option<String>,
    #[session(nonce, copy)]
    copied: Option<u8>,
    #[session(nonce, on_invalid = error)]
    checked: Option<String>,
}

fn main() {}

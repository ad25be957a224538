//! What is carried over goes to another user of the browser.

use session_runtime::SessionSchema;

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal, carry_over)]
    user: Option<u64>,
    #[session(renew, carry_over)]
    role: Option<String>,
    #[session(secret, carry_over)]
    token: Option<String>,
    #[session(nonce, carry_over)]
    state: Option<String>,
    #[session(clear_on_login, carry_over)]
    next: Option<String>,
    #[session(skip, carry_over)]
    cached: u8,
}

fn main() {}

//! What a session holds.

use session_runtime::SessionSchema;

#[derive(SessionSchema)]
pub struct Visitor {
    /// The signed-in user. Setting it renews the session token.
    #[session(principal)]
    user: Option<i64>,
    /// What the list of devices calls this session.
    #[session(listed)]
    device: Option<String>,
    /// Shown on the next page, once.
    #[session(flash)]
    notices: Vec<String>,
}

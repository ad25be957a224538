//! An accessor hides no method of the session.

use session_runtime::{Session, SessionSchema};


#[derive(SessionSchema)]
struct Visitor {
    id: u64,
    #[session(rename = "s")]
    save: bool,
    clone: Vec<u8>,
}

// The session's own methods are still there.
fn handler(session: &mut Session<Visitor>) {
    session.set_id(3);
}

fn main() {}

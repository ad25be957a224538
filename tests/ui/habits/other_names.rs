//! What the calls are named elsewhere.

use session_runtime::{Session, SessionLayer, SessionSchema, store::MemoryStore};

#[derive(SessionSchema)]
struct Visitor {
    #[session(flash)]
    notice: Option<String>,
    #[session(nonce)]
    csrf: Option<String>,
}

fn handler(mut session: Session<Visitor>) {
    session.cycle_id();
    let _ = session.notice();
    let _ = session.csrf();
}

fn main() {
    let _ = SessionLayer::new(MemoryStore::new()).secure(false);
    let _ = SessionLayer::new(MemoryStore::new()).with_secure(false);
}

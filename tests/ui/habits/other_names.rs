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
    session.flush();
    session.cycle_id();
    session.insert("visits", 1);
    session.remove("visits");
    let _ = session.notice();
    let _ = session.csrf();
}

fn main() {
    let _ = SessionLayer::new(MemoryStore::new()).secure(false);
    let _ = SessionLayer::new(MemoryStore::new()).with_secure(false);
}

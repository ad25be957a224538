//! A nonce is consumed, not read.

use std::collections::HashMap;

use session_runtime::{Session, SessionSchema};

#[derive(SessionSchema)]
struct Visitor {
    #[session(nonce)]
    code: Option<String>,
    #[session(nonce = keyed, ttl = "10m")]
    states: HashMap<String, u64>,
}

fn by_accessor(session: &Session<Visitor>) -> bool {
    session.code().is_some()
}

fn by_key(session: &Session<Visitor>) -> usize {
    session.get(Visitor::CODE).len()
}

fn without_key(session: &mut Session<Visitor>) {
    session.set(Visitor::STATES, 3);
}

async fn consume_several(session: &mut Session<Visitor>) {
    let _ = session.consume_states().await;
}

fn main() {}

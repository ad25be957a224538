//! A nonce is an `Option`, several are a map.

use std::collections::{BTreeMap, HashMap};

use session_runtime::{Session, SessionSchema};

#[derive(SessionSchema)]
struct Visitor {
    #[session(nonce)]
    code: String,
    #[session(nonce)]
    codes: HashMap<String, u32>,
    #[session(nonce = keyed, ttl = "10m")]
    state: String,
    #[session(nonce = keyed, ttl = "10m")]
    states: Option<u32>,
    #[session(nonce = keyed, ttl = "10m")]
    numbered: BTreeMap<u64, Vec<u8>>,
    #[session(nonce = keyed)]
    for_ever: BTreeMap<String, u32>,
}

// Only our errors: the rest of the crate sees the accessors.
async fn handler(mut session: Session<Visitor>) -> Option<String> {
    session.set_code("1234");
    session.set_for_ever("key", 1);
    session.set_state("key", "value");
    let _: Option<String> = session.consume_state("key").await.ok()?;
    session.consume_code().await.ok()?
}

fn main() {}

//! `Session<S>` needs a schema.

use session_runtime::Session;

struct Visitor {
    locale: String,
}

async fn handler(session: Session<Visitor>) {
    drop(session);
}

fn main() {}

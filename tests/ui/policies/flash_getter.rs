//! A flash is taken, not read.

use session_runtime::{Session, SessionSchema};


#[derive(SessionSchema)]
struct Visitor {
    #[session(flash)]
    notice: Option<String>,
}

fn by_accessor(session: &Session<Visitor>) -> bool {
    session.notice().is_some()
}

fn by_key(session: &Session<Visitor>) -> bool {
    session.get(Visitor::NOTICE).is_some()
}

fn main() {}

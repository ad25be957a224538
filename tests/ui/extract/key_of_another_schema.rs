//! A key belongs to its schema.

use session_runtime::{Session, SessionSchema};


#[derive(SessionSchema)]
struct Visitor {
    locale: String,
}

#[derive(SessionSchema)]
struct Admin {
    locale: String,
}

fn handler(session: &Session<Visitor>) -> &str {
    session.get(Admin::LOCALE).as_str()
}

fn main() {}

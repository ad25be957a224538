//! A session cannot borrow.

use session_runtime::{Session, SessionSchema};


#[derive(SessionSchema)]
struct Visitor<'a> {
    locale: &'a str,
}

fn handler(session: Session<Visitor<'static>>) {
    drop(session);
}

fn main() {}

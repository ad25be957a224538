//! A value has its field's type.

use session_runtime::{Session, SessionSchema};


#[derive(SessionSchema)]
struct Visitor {
    visits: u64,
    locale: String,
}

fn handler(session: &mut Session<Visitor>) {
    session.set_visits("three");
    session.set_locale(3);
    session.set(Visitor::VISITS, "three");
}

fn main() {}

//! A typing error in a name does not compile.

use session_runtime::{Session, SessionSchema};


#[derive(SessionSchema)]
struct Visitor {
    locale: String,
}

fn handler(session: &mut Session<Visitor>) {
    session.set_local("de");
    session.set(Visitor::LOCAL, "de".to_owned());
}

fn main() {}

//! A counter is added to, or set; only a counter is.

use session_runtime::{Session, SessionSchema};


#[derive(SessionSchema)]
struct Visitor {
    #[session(counter)]
    visits: u64,
    clicks: u64,
}

fn in_place(session: &mut Session<Visitor>) {
    *session.visits_mut() += 1;
}

fn not_a_counter(session: &mut Session<Visitor>) {
    session.add(Visitor::CLICKS, 1);
}

fn main() {}

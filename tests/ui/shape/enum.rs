//! A session is a struct.

use session_runtime::{Session, SessionSchema};


#[derive(SessionSchema)]
enum State {
    Fresh,
    Known { user: u64 },
}

fn handler(session: Session<State>) {
    drop(session);
}

fn main() {}

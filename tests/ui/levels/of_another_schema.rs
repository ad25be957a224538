//! A level belongs to the schema whose fields it reads.

use session_runtime::{Authenticated, Level, Session, SessionSchema};

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user_id: Option<u64>,
}

#[derive(SessionSchema)]
#[session(namespace = "staff")]
struct Staff {
    #[session(principal)]
    number: Option<u64>,
    #[session(renew)]
    badge: bool,
}

struct Badge;

impl Level<Staff> for Badge {
    fn missing(session: &Session<Staff>) -> Option<&'static str> {
        (!session.badge()).then_some("badge")
    }
}

async fn vault(_: Authenticated<Visitor, Badge>) {}

fn main() {}

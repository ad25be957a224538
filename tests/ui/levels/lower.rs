//! What needs a proof is not reached without it.

use session_runtime::{Authenticated, Fresh, Level, Session, SessionSchema};

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user_id: Option<u64>,
    #[session(renew, clear_on_login)]
    second_factor: bool,
}

struct SecondFactor;

impl Level<Visitor> for SecondFactor {
    fn missing(session: &Session<Visitor>) -> Option<&'static str> {
        (!session.second_factor()).then_some("second-factor")
    }
}

async fn transfer(_: &Authenticated<Visitor, SecondFactor>) {}
async fn erase(_: Authenticated<Visitor, (SecondFactor, Fresh<300>)>) {}

async fn signed_in(who: Authenticated<Visitor>) {
    transfer(&who).await;
    erase(who).await;
}

async fn too_old(who: Authenticated<Visitor, (SecondFactor, Fresh<3600>)>) {
    erase(who).await;
}

fn main() {}

//! A session has one principal.

use session_runtime::{Authenticated, Session, SessionSchema};


#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user_id: Option<u64>,
    #[session(principal)]
    admin_id: Option<u32>,
}

// Only our error: the rest of the crate sees the accessors and the extractors.
async fn handler(mut session: Session<Visitor>, who: Authenticated<Visitor>) -> String {
    session.set_user_id(*who.principal());
    session.set(Visitor::ADMIN_ID, None);
    format!("{:?}", session.admin_id())
}

fn router() -> axum::Router {
    axum::Router::new().route("/", axum::routing::get(handler))
}

fn main() {}

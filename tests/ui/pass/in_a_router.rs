//! The handle is extracted, alone or in an `Option`.

use axum::Router;
use axum::routing::{get, post};
use session_runtime::{Authenticated, Session, SessionSchema};

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user_id: Option<u64>,
    #[session(counter)]
    visits: u64,
}

async fn home(mut session: Session<Visitor>) -> String {
    session.add_visits(1);
    session.visits().to_string()
}

async fn peek(session: Option<Session<Visitor>>) -> String {
    format!("{session:?}")
}

async fn login(mut session: Session<Visitor>) {
    session.set_user_id(42);
}

async fn account(who: Authenticated<Visitor>) -> String {
    who.principal().to_string()
}

fn main() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<VisitorSession>();
    let _: Router = Router::new()
        .route("/", get(home).post(login))
        .route("/peek", get(peek))
        .route("/account", post(account));
}

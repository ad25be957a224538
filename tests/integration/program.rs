//! The program that other people's code is written after: every name in it
//! compiles, and keeps compiling. Left out until their stores exist: the
//! imports of `PostgresStore` and `RedisStore`.
#![allow(dead_code, unused_imports, clippy::unused_async)]

use axum::{
    Router,
    response::Redirect,
    routing::{get, post},
};
use session_runtime::store::{AnyStore, MemoryStore, SqliteStore};
use session_runtime::{
    Authenticated, Session, SessionError, SessionLayer, SessionManager, SessionSchema,
};
use std::time::Duration;

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user_id: Option<u64>,
    #[session(default = "en")]
    locale: String,
    #[session(counter)]
    visits: u64,
    cart: Vec<String>,
    #[session(flash)]
    notice: Option<String>,
}

async fn home(mut session: Session<Visitor>) -> String {
    session.add_visits(1);
    format!("{} visits, {} items, {}", session.visits(), session.cart().len(), session.locale())
}

async fn login(mut session: Session<Visitor>) -> Redirect {
    session.set_user_id(42); // principal: the token is renewed by itself
    session.set_notice("Welcome back");
    Redirect::to("/")
}

async fn logout(mut session: Session<Visitor>) {
    session.destroy();
}

async fn account(who: Authenticated<Visitor>) -> String {
    // 401, or a redirect if configured, when nobody is signed in
    format!("user {}", who.principal())
}

async fn upload(mut session: Session<Visitor>) -> Result<(), SessionError> {
    session.cart_mut().push("pen".into());
    session.save().await // now, not at the end of the response
}

async fn devices(
    session: Session<Visitor>,
    sessions: SessionManager,
) -> Result<String, SessionError> {
    let all = sessions.sessions_of(&42u64).await?; // ids, created, last seen, expiries: never a token
    sessions.revoke_others(&session).await?;
    Ok(all.len().to_string())
}

async fn app() -> Result<Router, Box<dyn std::error::Error>> {
    let store = MemoryStore::new();
    // or SqliteStore::open("sessions.db").await?, AnyStore::connect("sqlite:sessions.db").await?
    let sessions = SessionLayer::new(store)
        .idle_timeout(Some(Duration::from_secs(30 * 60)))
        .absolute_timeout(Some(Duration::from_secs(12 * 60 * 60)));
    Ok(Router::new()
        .route("/", get(home))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .route("/account", get(account))
        .route("/upload", post(upload))
        .route("/devices", get(devices))
        .layer(sessions))
}

#[tokio::test]
async fn the_program_runs_from_first_visit_to_logout() {
    let app = app().await.unwrap();
    let mut client = session_tests::Client::new(&app);
    assert_eq!(client.get("/").await.body, "1 visits, 0 items, en");
    assert_eq!(client.get("/account").await.status, 401);
    assert_eq!(client.post("/login").await.status, 303);
    assert_eq!(client.get("/account").await.body, "user 42");
    assert_eq!(client.post("/upload").await.status, 200);
    assert_eq!(client.get("/").await.body, "2 visits, 1 items, en");
    assert_eq!(client.get("/devices").await.body, "1");
    assert_eq!(client.post("/logout").await.status, 200);
    assert_eq!(client.token(), None);
    assert_eq!(client.get("/account").await.status, 401);
}

#[test]
fn handles_are_send_and_sync_and_their_handlers_futures_are_send() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send>(_: T) {}
    shared::<Session<Visitor>>();
    shared::<Authenticated<Visitor>>();
    shared::<SessionManager>();
    fn handler(session: Session<Visitor>) {
        sent(upload(session));
    }
    let _ = handler;
}

#[test]
fn the_first_line_that_everybody_writes_compiles() {
    fn count(mut session: Session<Visitor>) {
        session.set_visits(session.visits() + 1);
    }
    let _ = count;
}

//! What is logged of a response that is not the handler's, and what a handler's arguments
//! show of themselves.

use std::collections::HashMap;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use session_runtime::store::StoreErrorKind;
use session_runtime::testing::{Fault, FaultStore, Operation, TestSession};
use session_runtime::{
    Authenticated, Session, SessionError, SessionLayer, SessionManager, SessionSchema,
};
use session_tests::Client;
use session_tests::stores::memory;
use session_tests::traced::Traced;

use crate::visitor::Visitor;

/// The levels of the lines that say this.
fn levels(traced: &Traced, text: &str) -> Vec<String> {
    let lines = traced.text();
    let lines = lines.lines().filter(|line| line.contains(text));
    lines.map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
}

async fn step(who: Authenticated<Visitor>) -> Result<(), SessionError> {
    who.require_fresh(Duration::ZERO).await
}

async fn late(
    mut who: Authenticated<Visitor>,
    sessions: SessionManager<Visitor>,
) -> Result<(), SessionError> {
    sessions.revoke_all(who.principal()).await?;
    who.set_locale("de");
    who.save().await
}

#[tokio::test]
async fn what_a_client_causes_is_no_error_in_the_log() {
    let traced = Traced::start();
    let under = memory();
    let app = Router::new()
        .route("/in", post(|mut s: Session<Visitor>| async move { s.set_user_id(1) }))
        .route("/step", post(step))
        .route("/late", post(late))
        .layer(SessionLayer::new(under.store.clone()));
    let mut client = Client::new(&app);
    client.post("/in").await;
    under.clock.advance(Duration::from_secs(1));
    for (path, status, said) in [
        ("/step", 401, "the last authentication is too old for this step"),
        ("/late", 409, "the session ended, or its user signed in or out"),
    ] {
        assert_eq!(client.post(path).await.status, status);
        assert_eq!(levels(&traced, said), ["INFO"], "{}", traced.text());
    }
    assert!(!traced.text().contains("ERROR"), "{}", traced.text());
}

#[tokio::test]
async fn what_the_server_causes_is_an_error_with_its_reason() {
    let traced = Traced::start();
    let store = FaultStore::new(memory().store);
    store.each(Operation::Load, Fault::Fails(StoreErrorKind::Unavailable));
    store.each(Operation::Create, Fault::Fails(StoreErrorKind::Unavailable));
    let save = |mut s: Session<Visitor>| async move {
        s.add_visits(1);
        s.save().await
    };
    let app = Router::new()
        .route("/commit", post(|mut s: Session<Visitor>| async move { s.add_visits(1) }))
        .route("/save", post(save))
        .route("/load", get(|_: Session<Visitor>| async {}))
        .layer(SessionLayer::new(store));
    let client = Client::new(&app);
    let mut known = client.clone();
    known.cookies.insert("__Host-session".to_owned(), "A".repeat(43));
    assert_eq!(client.ask(http::Method::POST, "/commit").await.status, 503);
    assert_eq!(levels(&traced, "a session could not be saved"), ["ERROR"]);
    assert_eq!(client.ask(http::Method::POST, "/save").await.status, 503);
    assert_eq!(levels(&traced, "session error"), ["ERROR"]);
    assert_eq!(known.ask(http::Method::GET, "/load").await.status, 503);
    assert_eq!(levels(&traced, "session rejected"), ["ERROR"], "{}", traced.text());
}

/// Has no `Debug`, and its principal would show somebody's name.
#[derive(SessionSchema)]
struct Member {
    #[session(principal)]
    name: Option<String>,
    notes: HashMap<String, String>,
    #[session(listed)]
    device: Option<String>,
}

#[tracing::instrument]
async fn instrumented(who: Authenticated<Member>) -> String {
    format!("{who:?} {} {}", who.principal(), who.notes().len())
}

#[tokio::test]
async fn a_handlers_arguments_in_the_log_show_nobodys_name() {
    let traced = Traced::start();
    let app = Router::new()
        .route("/in", post(|mut s: Session<Member>| async move { s.set_name("Eleonora") }))
        .route("/who", get(instrumented))
        .layer(SessionLayer::new(memory().store));
    let mut client = Client::new(&app);
    client.post("/in").await;
    let shown = client.get("/who").await.body;
    assert!(shown.starts_with("Authenticated { session: Session { schema: \"Member\""), "{shown}");
    assert_eq!(shown.matches("Eleonora").count(), 1, "only where it is asked for: {shown}");
    let text = traced.text();
    assert!(text.contains(" who=Authenticated { session: Session {"), "{text}");
    assert!(!text.contains("Eleonora"), "{text}");
}

#[tokio::test]
async fn being_signed_in_may_be_optional_and_a_layer_may_not() {
    let who = |who: Option<Authenticated<Visitor>>| async move {
        who.map_or("nobody".to_owned(), |who| format!("{} {}", who.principal(), who.locale()))
    };
    let app = Router::new()
        .route("/who", get(who))
        .route("/in", post(|mut s: Session<Visitor>| async move { s.set_user_id(7) }))
        .layer(SessionLayer::new(memory().store).login_redirect("/login"))
        .route("/outside", get(who));
    let mut client = Client::new(&app);
    let reply = client.get("/who").await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (200, "nobody"));
    assert_eq!(reply.set_cookie(), None, "it makes no session");
    client.post("/in").await;
    assert_eq!(client.get("/who").await.body, "7 en");
    let reply = client.get("/outside").await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (500, "session layer missing"));
}

#[tokio::test]
async fn a_store_that_is_down_is_never_nobody() {
    let store = FaultStore::new(memory().store);
    store.each(Operation::Load, Fault::Fails(StoreErrorKind::Unavailable));
    let app = Router::new()
        .route("/", get(|_: Option<Authenticated<Visitor>>| async {}))
        .layer(SessionLayer::new(store));
    let mut client = Client::new(&app);
    client.cookies.insert("__Host-session".to_owned(), "A".repeat(43));
    assert_eq!(client.get("/").await.status, 503);
}

#[tokio::test]
async fn a_listing_in_the_log_shows_no_values() {
    let t = TestSession::<Member>::new().with(|s| s.set_device("Eleonora's phone"));
    let t = t.signed_in_as("Eleonora".to_owned());
    let all = t.typed_manager().sessions_of(&"Eleonora".to_owned()).await.unwrap();
    assert_eq!(all[0].get(Member::DEVICE).as_deref(), Some("Eleonora's phone"));
    let shown = format!("{all:?}");
    assert!(shown.contains("listed: [\"device\"]") && !shown.contains("Eleonora"), "{shown}");
}

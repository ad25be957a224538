//! Messages for the next page, at the edges of a session.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{Redirect, Response};
use axum::routing::{get, post};
use http::Method;
use session_runtime::testing::TestSession;
use session_runtime::{Session, SessionLayer, SessionSchema};
use session_tests::Client;
use session_tests::stores::all;

use crate::visitor::Visitor;

fn routes() -> Router {
    let take = |mut s: Session<Visitor>| async move { s.take_notice().unwrap_or_default() };
    Router::new()
        .route("/sign-in", post(|mut s: Session<Visitor>| async move { s.set_user_id(1) }))
        .route("/flash", post(|mut s: Session<Visitor>| async move { s.set_notice("old") }))
        .route("/take", post(take))
}

#[tokio::test]
async fn a_second_click_on_a_logout_that_says_goodbye_is_no_conflict() {
    let goodbye = |mut s: Session<Visitor>| async move {
        s.destroy();
        s.set_notice("goodbye");
        Redirect::to("/")
    };
    for under in all().await {
        let layer = SessionLayer::new(under.store);
        let app = routes().route("/logout", post(goodbye)).layer(layer);
        let mut client = Client::new(&app);
        client.post("/sign-in").await;
        let first = client.ask(Method::POST, "/logout").await;
        let second = client.ask(Method::POST, "/logout").await;
        assert_eq!((first.status.as_u16(), second.status.as_u16()), (303, 303), "{}", under.name);
        assert_eq!(second.set_cookie(), None);
        client.keep(&first);
        client.keep(&second);
        assert_eq!(client.post("/take").await.body, "goodbye", "{}", under.name);
    }
}

#[tokio::test]
async fn a_message_that_was_replaced_and_taken_in_one_request_does_not_come_back() {
    async fn outer(mut session: Session<Visitor>, request: Request, next: Next) -> Response {
        session.set_notice("new");
        drop(session);
        next.run(request).await
    }
    for under in all().await {
        let take = |mut s: Session<Visitor>| async move { s.take_notice().unwrap_or_default() };
        let app = Router::new()
            .route("/run", post(take))
            .layer(from_fn(outer))
            .merge(routes())
            .layer(SessionLayer::new(under.store));
        let mut client = Client::new(&app);
        client.post("/flash").await;
        assert_eq!(client.post("/run").await.body, "new", "{}", under.name);
        assert_eq!(client.post("/take").await.body, "", "{}", under.name);
    }
}

#[tokio::test]
async fn a_head_request_takes_no_message_that_nobody_sees() {
    for under in all().await {
        let take = |mut s: Session<Visitor>| async move { s.take_notice().unwrap_or_default() };
        let layer = SessionLayer::new(under.store);
        let app = routes().route("/page", get(take)).layer(layer);
        let mut client = Client::new(&app);
        client.post("/flash").await;
        for _ in 0..2 {
            assert_eq!(client.send(Method::HEAD, "/page").await.status, 200);
        }
        assert_eq!(client.get("/page").await.body, "old", "{}", under.name);
        assert_eq!(client.get("/page").await.body, "", "{}", under.name);
    }
}

#[derive(SessionSchema)]
struct Notices {
    #[session(principal)]
    user_id: Option<u64>,
    #[session(flash)]
    notices: Vec<String>,
    #[session(flash)]
    scores: Option<Vec<u32>>,
}

#[test]
fn messages_that_are_appended_are_taken_together_and_once() {
    let t = TestSession::<Notices>::new();
    t.session().push_notices("one");
    let mut s = t.session();
    s.push_notices("two".to_owned());
    s.push_notices(String::from("three"));
    s.push_scores(1);
    drop(s);
    let mut s = t.session();
    assert_eq!(
        (s.take_notices().join(" "), s.take_scores()),
        ("one two three".into(), Some(vec![1]))
    );
    drop(s);
    assert_eq!((t.session().take_notices().len(), t.session().take_scores()), (0, None));
}

#[test]
fn what_is_appended_after_taking_is_for_the_next_page() {
    let t = TestSession::<Notices>::new().with(|s| s.push_notices("old"));
    let mut s = t.session();
    assert_eq!(s.take_notices(), ["old"]);
    s.push_notices("new");
    drop(s);
    let mut s = t.session();
    s.reset(Notices::NOTICES);
    s.push_notices("newer");
    drop(s);
    assert_eq!(t.session().take_notices(), ["newer"]);
    // By its key, for any schema; and a list that was set goes on from there.
    let mut s = t.session();
    s.set_scores(vec![1]);
    s.push(Notices::SCORES, 2);
    drop(s);
    assert_eq!(t.session().take_scores(), Some(vec![1, 2]));
}

#[test]
fn another_user_is_not_told_what_was_for_the_former_one() {
    let t = TestSession::<Notices>::new().signed_in_as(1);
    let mut s = t.session();
    s.set_user_id(2);
    s.push_notices("welcome, 2");
    drop(s);
    assert_eq!(t.session().take_notices(), ["welcome, 2"]);
    t.session().push_notices("for 2");
    let mut s = t.session();
    s.set_user_id(3);
    s.push_notices("welcome, 3");
    drop(s);
    assert!(!t.session().take_notices().contains(&"for 2".to_owned()));
}

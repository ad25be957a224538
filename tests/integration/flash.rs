//! Messages for the next page, at the edges of a session.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{Redirect, Response};
use axum::routing::{get, post};
use http::Method;
use session_runtime::{Session, SessionLayer};
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

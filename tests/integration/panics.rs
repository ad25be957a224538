//! Handlers that panic, and somebody who catches it: inside of the session
//! layer, or outside.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{MethodRouter, post};
use http::StatusCode;
use session_runtime::{Session, SessionLayer};
use session_tests::Client;
use session_tests::stores::{all, memory};
use tower_http::catch_panic::CatchPanicLayer;

use crate::tasks::{app, been_to, eventually, eventually_counts, routes};
use crate::visitor::Visitor;

async fn panics(mut s: Session<Visitor>) {
    s.add_visits(1);
    s.save().await.unwrap();
    s.add_visits(10);
    s.publish();
    s.set_locale("fr");
    panic!("a bug in a handler");
}

async fn panics_after_logout(mut s: Session<Visitor>) {
    s.destroy();
    s.set_locale("fr");
    panic!("a bug in a handler");
}

async fn panics_after_sign_out(mut s: Session<Visitor>) {
    s.add_visits(10);
    s.clear_user_id();
    panic!("a bug in a handler");
}

/// Panics are caught inside of the session layer, and outside.
fn caught(layer: &SessionLayer, handler: MethodRouter) -> [Router; 2] {
    let (inside, outside) = (routes(handler.clone()), routes(handler));
    let catch = CatchPanicLayer::new;
    [inside.layer(catch()).layer(layer.clone()), outside.layer(layer.clone()).layer(catch())]
}

#[tokio::test]
async fn a_panic_keeps_what_was_saved_and_drops_the_rest() {
    for under in all().await {
        for app in caught(&SessionLayer::new(under.store), post(panics)) {
            let mut client = been_to(&app, "/start").await;
            assert_eq!(client.post("/run").await.status, 500);
            assert_eq!(client.get("/read").await.body, "nobody de 1 []", "{}", under.name);
        }
    }
}

#[tokio::test]
async fn a_panic_inside_of_the_layer_sends_the_cookie_of_an_earlier_save() {
    let [inside, _] = caught(&SessionLayer::new(memory().store), post(panics));
    let mut client = Client::new(&inside);
    let reply = client.post("/run").await;
    assert_eq!(reply.status, 500);
    assert!(reply.set_cookie().is_some(), "{reply:?}");
    assert_eq!(client.get("/read").await.body, "nobody en 1 []");
}

#[tokio::test]
async fn a_logout_counts_though_its_handler_panics() {
    for under in all().await {
        let layer = SessionLayer::new(under.store);
        let manager = layer.manager();
        for app in caught(&layer, post(panics_after_logout)) {
            let mut client = been_to(&app, "/sign-in").await;
            client.post("/run").await;
            eventually_counts(&manager, 0).await;
            assert_eq!(client.get("/read").await.body, "nobody en 0 []", "{}", under.name);
        }
    }
}

#[tokio::test]
async fn a_sign_out_counts_though_its_handler_panics() {
    for under in all().await {
        let [inside, _] = caught(&SessionLayer::new(under.store), post(panics_after_sign_out));
        let mut client = been_to(&inside, "/sign-in").await;
        let old = client.tab();
        assert_eq!(client.post("/run").await.status, 500);
        assert_eq!(client.get("/read").await.body, "nobody en 0 []", "{}", under.name);
        assert_eq!(old.tab().get("/read").await.body, "nobody en 0 []", "{}", under.name);
    }
}

#[tokio::test]
async fn a_sign_out_counts_though_its_handler_panics_and_nobody_answers() {
    for under in all().await {
        let [_, outside] = caught(&SessionLayer::new(under.store), post(panics_after_sign_out));
        let mut client = been_to(&outside, "/sign-in").await;
        assert_eq!(client.post("/run").await.status, 500);
        eventually(&mut client, "nobody en 0 []").await;
    }
}

#[tokio::test]
async fn middleware_that_held_changes_while_its_handler_panicked_keeps_its_own_response() {
    // What the middleware answers decides, as it would without a panic.
    async fn outer(mut session: Session<Visitor>, request: Request, next: Next) -> Response {
        session.add_visits(1);
        session.publish();
        let mut response = next.run(request).await;
        *response.status_mut() = StatusCode::ACCEPTED;
        response
    }
    let handler = post(panics_after_sign_out).layer(CatchPanicLayer::new()).layer(from_fn(outer));
    let app = app(SessionLayer::new(memory().store), handler);
    let mut client = been_to(&app, "/sign-in").await;
    assert_eq!(client.post("/run").await.status, 202);
    assert_eq!(client.get("/read").await.body, "nobody en 1 []");
}

//! Requests that end early: clients that hang up, time-outs, failures, and
//! tasks that go on without them.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::routing::{MethodRouter, get, post};
use http::{Method, StatusCode};
use session_runtime::{Session, SessionError, SessionLayer, SessionManager};
use session_tests::slow::{Fault, Method as Call};
use session_tests::stores::{all, memory};
use session_tests::traced::Traced;
use session_tests::{Client, Slow, Spy};
use tokio::sync::Notify;
use tower_http::timeout::TimeoutLayer;

use crate::visitor::{Visitor, show};

pub(crate) fn routes(handler: MethodRouter) -> Router {
    Router::new()
        .route("/run", handler)
        .route("/start", post(|mut s: Session<Visitor>| async move { s.set_locale("de") }))
        .route("/sign-in", post(|mut s: Session<Visitor>| async move { s.set_user_id(7) }))
        .route("/logout", post(|mut s: Session<Visitor>| async move { s.destroy() }))
        .route("/read", get(|s: Session<Visitor>| async move { show(&s) }))
}

pub(crate) fn app(layer: SessionLayer, handler: MethodRouter) -> Router {
    routes(handler).layer(layer)
}

pub(crate) async fn been_to(app: &Router, path: &str) -> Client {
    let mut client = Client::new(app);
    client.post(path).await;
    client
}

/// The client hangs up when this happens.
async fn hangs_up(client: &Client, when: impl Future<Output = ()>) {
    tokio::select! {
        reply = client.ask(Method::POST, "/run") => panic!("it did not hang up: {reply:?}"),
        () = when => {}
    }
}

/// Waits for what a task does that nobody waits for.
pub(crate) async fn eventually(client: &mut Client, seen: &str) {
    let mut last = String::new();
    for _ in 0..500 {
        last = client.get("/read").await.body;
        if last == seen {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{last} instead of {seen}");
}

pub(crate) async fn eventually_counts(manager: &SessionManager, sessions: u64) {
    for _ in 0..500 {
        if manager.count().await.unwrap() == sessions {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{} instead of {sessions}", manager.count().await.unwrap());
}

#[tokio::test]
async fn a_client_that_hangs_up_before_its_session_is_loaded_costs_no_store_call() {
    let (spy, begun) = (Spy::new(), Arc::new(Notify::new()));
    let tell = Arc::clone(&begun);
    let waits = move |request: Request, next: Next| {
        let tell = Arc::clone(&tell);
        async move {
            if request.uri().path() == "/run" {
                tell.notify_one();
                std::future::pending::<()>().await;
            }
            next.run(request).await
        }
    };
    let handler = |mut s: Session<Visitor>| async move { s.add_visits(1) };
    let app = routes(post(handler)).layer(from_fn(waits)).layer(SessionLayer::new(spy.clone()));
    let mut client = been_to(&app, "/start").await;
    spy.calls();
    hangs_up(&client, begun.notified()).await;
    tokio::task::yield_now().await;
    assert!(spy.calls().is_empty());
    assert_eq!(client.get("/read").await.body, "nobody de 0 []");
}

#[tokio::test]
async fn a_client_that_hangs_up_while_its_session_is_loaded_harms_nobody() {
    for fault in [Fault::AskedLate, Fault::AnsweredLate] {
        for under in all().await {
            let slow = Slow::on(under.store);
            let handler = |mut s: Session<Visitor>| async move { s.add_visits(1) };
            let app = app(SessionLayer::new(slow.clone()), post(handler));
            let mut client = been_to(&app, "/start").await;
            let gate = slow.next(Call::Load, fault);
            hangs_up(&client, gate.reached()).await;
            gate.open();
            assert_eq!(client.get("/read").await.body, "nobody de 0 []", "{}", under.name);
            assert_eq!(client.post("/run").await.status, 200);
            assert_eq!(client.get("/read").await.body, "nobody de 1 []", "{}", under.name);
        }
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_in_the_handler_leaves_what_was_saved_and_nothing_else() {
    for under in all().await {
        let begun = Arc::new(Notify::new());
        let tell = Arc::clone(&begun);
        let handler = move |mut s: Session<Visitor>| async move {
            s.add_visits(1);
            s.save().await.unwrap();
            s.add_visits(10);
            s.set_locale("fr");
            s.publish();
            s.cart_mut().push("pen".to_owned());
            tell.notify_one();
            std::future::pending::<()>().await;
        };
        let spy = Spy::on(under.store);
        let app = app(SessionLayer::new(spy.clone()), post(handler));
        let mut client = been_to(&app, "/start").await;
        hangs_up(&client, begun.notified()).await;
        spy.calls();
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        assert!(spy.calls().is_empty(), "no answer, no change");
        assert_eq!(client.get("/read").await.body, "nobody de 1 []", "{}", under.name);
    }
}

#[tokio::test]
async fn a_commit_that_has_begun_runs_to_its_end_though_its_client_hangs_up() {
    for fault in [Fault::AskedLate, Fault::AnsweredLate] {
        for under in all().await {
            let slow = Slow::on(under.store);
            let handler = |mut s: Session<Visitor>| async move {
                s.add_visits(1);
                s.cart_mut().push("pen".to_owned());
            };
            let app = app(SessionLayer::new(slow.clone()), post(handler));
            let mut client = been_to(&app, "/start").await;
            let gate = slow.next(Call::Apply, fault);
            hangs_up(&client, gate.reached()).await;
            gate.open();
            eventually(&mut client, "nobody de 1 [\"pen\"]").await;
        }
    }
}

#[tokio::test]
async fn a_first_session_that_is_being_stored_is_stored_though_its_client_hangs_up() {
    for under in all().await {
        let slow = Slow::on(under.store);
        let layer = SessionLayer::new(slow.clone());
        let manager = layer.manager();
        let app = app(layer, post(|mut s: Session<Visitor>| async move { s.add_visits(1) }));
        let gate = slow.next(Call::Create, Fault::AskedLate);
        hangs_up(&Client::new(&app), gate.reached()).await;
        assert_eq!(manager.count().await.unwrap(), 0);
        gate.open();
        eventually_counts(&manager, 1).await;
    }
}

#[tokio::test]
async fn a_task_saves_after_the_response_has_left() {
    for under in all().await {
        let (left, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (wait, tell) = (Arc::clone(&left), Arc::clone(&done));
        let handler = move |mut s: Session<Visitor>| async move {
            tokio::spawn(async move {
                wait.notified().await;
                s.add_visits(1);
                s.save().await.unwrap();
                assert_eq!(s.visits(), 1);
                s.add_visits(1);
                s.save().await.unwrap();
                tell.notify_one();
            });
        };
        let app = app(SessionLayer::new(under.store), post(handler));
        let mut client = been_to(&app, "/start").await;
        client.post("/run").await;
        client.post("/start").await;
        left.notify_one();
        done.notified().await;
        assert_eq!(client.get("/read").await.body, "nobody de 2 []", "{}", under.name);
    }
}

#[tokio::test]
async fn a_task_that_took_a_changed_session_along_is_an_error_and_saves_all_the_same() {
    let traced = Traced::start();
    let (left, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (wait, tell) = (Arc::clone(&left), Arc::clone(&done));
    let handler = move |mut s: Session<Visitor>| async move {
        s.add_visits(1);
        tokio::spawn(async move {
            wait.notified().await;
            tell.notify_one();
            s.save().await.unwrap();
        });
    };
    let app = app(SessionLayer::new(memory().store), post(handler));
    let mut client = been_to(&app, "/start").await;
    let reply = client.post("/run").await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (500, "session error"));
    assert!(traced.text().contains("call `save().await`"), "{}", traced.text());
    left.notify_one();
    done.notified().await;
    eventually(&mut client, "nobody de 1 []").await;
}

/// Changes, saves, changes again, and then never answers.
async fn hangs(mut s: Session<Visitor>) {
    s.add_visits(1);
    s.save().await.unwrap();
    s.add_visits(10);
    s.set_locale("fr");
    std::future::pending::<()>().await;
}

async fn hangs_after_logout(mut s: Session<Visitor>) {
    s.destroy();
    std::future::pending::<()>().await;
}

/// The time-out inside of the session layer, and outside. In memory a handler
/// gets to where it hangs before any time is over; SQLite is given some.
fn timed(store: &'static str, layer: &SessionLayer, handler: MethodRouter) -> [Router; 2] {
    let time = Duration::from_millis(if store == "memory" { 20 } else { 1_000 });
    let time = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, time);
    let (inside, outside) = (routes(handler.clone()), routes(handler));
    [inside.layer(time).layer(layer.clone()), outside.layer(layer.clone()).layer(time)]
}

#[tokio::test]
async fn a_time_out_keeps_what_was_saved_and_drops_the_rest() {
    for under in all().await {
        for app in timed(under.name, &SessionLayer::new(under.store), post(hangs)) {
            let mut client = been_to(&app, "/start").await;
            assert_eq!(client.post("/run").await.status, 408);
            assert_eq!(client.get("/read").await.body, "nobody de 1 []", "{}", under.name);
        }
    }
}

#[tokio::test]
async fn a_time_out_inside_of_the_layer_sends_the_cookie_of_an_earlier_save() {
    let [inside, _] = timed("memory", &SessionLayer::new(memory().store), post(hangs));
    let mut client = Client::new(&inside);
    let reply = client.post("/run").await;
    assert_eq!(reply.status, 408);
    assert!(reply.set_cookie().is_some(), "{reply:?}");
    assert_eq!(client.get("/read").await.body, "nobody en 1 []");
}

#[tokio::test]
async fn a_logout_counts_though_its_handler_runs_out_of_time() {
    for under in all().await {
        let layer = SessionLayer::new(under.store);
        let manager = layer.manager();
        for app in timed(under.name, &layer, post(hangs_after_logout)) {
            let mut client = been_to(&app, "/sign-in").await;
            assert_eq!(client.post("/run").await.status, 408);
            eventually_counts(&manager, 0).await;
            assert_eq!(client.get("/read").await.body, "nobody en 0 []", "{}", under.name);
        }
    }
}

#[tokio::test]
async fn a_commit_under_way_when_the_time_is_over_runs_to_its_end() {
    for under in all().await {
        let slow = Slow::on(under.store);
        let handler = |mut s: Session<Visitor>| async move { s.add_visits(1) };
        let [_, app] = timed(under.name, &SessionLayer::new(slow.clone()), post(handler));
        let mut client = been_to(&app, "/start").await;
        let gate = slow.next(Call::Apply, Fault::AskedLate);
        assert_eq!(client.post("/run").await.status, 408);
        gate.open();
        eventually(&mut client, "nobody de 1 []").await;
    }
}

#[tokio::test]
async fn a_sign_out_counts_though_its_client_hangs_up_or_its_time_is_over() {
    for under in all().await {
        let begun = Arc::new(Notify::new());
        let tell = Arc::clone(&begun);
        let handler = move |mut s: Session<Visitor>| async move {
            s.clear_user_id();
            tell.notify_one();
            std::future::pending::<()>().await;
        };
        let [_, outside] = timed(under.name, &SessionLayer::new(under.store), post(handler));
        let mut client = been_to(&outside, "/sign-in").await;
        hangs_up(&client, begun.notified()).await;
        eventually(&mut client, "nobody en 0 []").await;
        let mut client = been_to(&outside, "/sign-in").await;
        assert_eq!(client.post("/run").await.status, 408);
        eventually(&mut client, "nobody en 0 []").await;
    }
}

#[tokio::test]
async fn every_failing_status_drops_changes_and_keeps_what_was_saved() {
    for status in [408, 500, 502, 503, 504] {
        let handler = move |mut s: Session<Visitor>| async move {
            s.add_visits(1);
            s.save().await?;
            s.add_visits(10);
            s.clear_user_id();
            Ok::<_, SessionError>(StatusCode::from_u16(status).unwrap())
        };
        let app = app(SessionLayer::new(memory().store), post(handler));
        let mut client = been_to(&app, "/sign-in").await;
        let reply = client.post("/run").await;
        assert_eq!(reply.status, status);
        assert!(reply.set_cookie().is_some(), "a sign-out is kept, and renews");
        assert_eq!(client.get("/read").await.body, "nobody en 1 []", "{status}");
    }
    for status in [200, 204, 302, 400, 404, 409, 429] {
        let handler = move |mut s: Session<Visitor>| async move {
            s.add_visits(1);
            StatusCode::from_u16(status).unwrap()
        };
        let app = app(SessionLayer::new(memory().store), post(handler));
        let mut client = been_to(&app, "/start").await;
        assert_eq!(client.post("/run").await.status, status);
        assert_eq!(client.get("/read").await.body, "nobody de 1 []", "{status}");
    }
}

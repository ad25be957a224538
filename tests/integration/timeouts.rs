//! Idle and absolute limits, to the millisecond, on a clock that stands still.

use std::time::Duration;

use axum::Router;
use axum::routing::post;
use session_runtime::{Session, SessionLayer};
use session_tests::stores::{Under, all, memory};
use session_tests::{Call, Client, Spy};

use crate::visitor::{Visitor, show};

const MINUTE: Duration = Duration::from_secs(60);
const IDLE: Duration = Duration::from_secs(30 * 60);

fn app(layer: SessionLayer) -> Router {
    Router::new()
        .route("/visit", post(|mut s: Session<Visitor>| async move { s.add_visits(1) }))
        .route("/read", post(|s: Session<Visitor>| async move { show(&s) }))
        .route("/sign-in", post(|mut s: Session<Visitor>| async move { s.set_user_id(7) }))
        .route("/again", post(|mut s: Session<Visitor>| async move { s.reauthenticated() }))
        .route(
            "/remember",
            post(|mut s: Session<Visitor>| async move { s.remember(30 * 24 * 60 * MINUTE) }),
        )
        .route(
            "/times",
            post(|s: Session<Visitor>| async move {
                format!(
                    "{:?} {:?}",
                    s.created_at() == s.authenticated_at(),
                    s.expires_at().is_some()
                )
            }),
        )
        .layer(layer)
}

fn of(under: &Under) -> Router {
    app(SessionLayer::new(under.store.clone()))
}

async fn visits(client: &mut Client) -> String {
    client.post("/read").await.body
}

const LIVE: &str = "nobody en 1 []";
const OVER: &str = "nobody en 0 []";

#[tokio::test]
async fn a_session_ends_after_exactly_the_idle_timeout() {
    for under in all().await {
        let app = of(&under);
        let mut client = Client::new(&app);
        client.post("/visit").await;
        let other = client.tab();
        under.clock.advance(IDLE - Duration::from_millis(1));
        assert_eq!(visits(&mut client).await, LIVE, "{}", under.name);
        under.clock.advance(IDLE);
        assert_eq!(visits(&mut other.tab()).await, OVER, "{}", under.name);
    }
}

#[tokio::test]
async fn activity_extends_idle_never_less_than_nine_tenths_and_never_more() {
    for under in all().await {
        let app = of(&under);
        let mut client = Client::new(&app);
        client.post("/visit").await;
        // Just too early to be written: it does not count.
        under.clock.advance(IDLE / 10 - Duration::from_millis(1));
        assert_eq!(visits(&mut client).await, LIVE);
        under.clock.advance(IDLE * 9 / 10);
        assert_eq!(visits(&mut client).await, LIVE, "{}: 0.9 after activity", under.name);
        // SQLite writes a touch behind the answer.
        tokio::time::sleep(Duration::from_millis(50)).await;
        under.clock.advance(IDLE);
        assert_eq!(visits(&mut client).await, OVER, "{}: 1.0 after activity", under.name);
    }
}

#[tokio::test]
async fn the_absolute_timeout_ends_a_busy_session_and_a_sign_in_restarts_it() {
    for under in all().await {
        let app = of(&under);
        let mut client = Client::new(&app);
        client.post("/visit").await;
        let busy = async |client: &mut Client, minutes: u32| {
            for _ in 0..minutes / 20 {
                under.clock.advance(20 * MINUTE);
                visits(client).await;
                tokio::time::sleep(Duration::from_millis(if under.name == "sqlite" {
                    20
                } else {
                    0
                }))
                .await;
            }
        };
        busy(&mut client, 11 * 60 + 40).await;
        assert_eq!(visits(&mut client).await, LIVE, "{}", under.name);
        client.post("/sign-in").await;
        busy(&mut client, 40).await;
        assert_eq!(visits(&mut client).await, "7 en 1 []", "{}: restarted", under.name);
        busy(&mut client, 11 * 60 + 20).await;
        assert_eq!(visits(&mut client).await, OVER, "{}", under.name);
    }
}

#[tokio::test]
async fn a_touch_is_written_only_when_a_tenth_of_the_idle_time_has_passed() {
    let under = memory();
    let spy = Spy::on(under.store.clone());
    let app = app(SessionLayer::new(spy.clone()));
    let mut client = Client::new(&app);
    client.post("/visit").await;
    under.clock.advance(IDLE / 2);
    spy.calls();
    client.post("/read").await;
    let calls = spy.calls();
    assert!(matches!(calls[..], [Call::Load(_)]), "it rides on the load: {calls:?}");
}

#[tokio::test]
async fn none_means_none() {
    for under in all().await {
        let layer =
            SessionLayer::new(under.store.clone()).idle_timeout(None).absolute_timeout(None);
        let app = app(layer);
        let mut client = Client::new(&app);
        client.post("/visit").await;
        under.clock.advance(399 * 24 * 60 * MINUTE);
        assert_eq!(visits(&mut client).await, LIVE, "{}", under.name);
    }
}

#[tokio::test]
async fn a_remembered_session_outlives_idle_time_and_browser_and_is_sent_again() {
    for under in all().await {
        let app = of(&under);
        let mut client = Client::new(&app);
        let plain = client.post("/visit").await;
        assert!(!plain.set_cookie().unwrap().contains("Max-Age"));
        let token = client.token().unwrap().to_owned();
        let remembered = client.post("/remember").await;
        assert!(remembered.set_cookie().unwrap().contains("Max-Age=2592000"), "{}", under.name);
        assert_eq!(client.token(), Some(token.as_str()), "the same token, kept longer");
        under.clock.advance(29 * 24 * 60 * MINUTE);
        assert_eq!(visits(&mut client).await, LIVE, "{}", under.name);
        under.clock.advance(24 * 60 * MINUTE);
        assert_eq!(visits(&mut client).await, OVER, "{}", under.name);
    }
}

#[tokio::test]
async fn proving_oneself_again_renews_and_keeps_being_remembered() {
    let under = memory();
    let app = of(&under);
    let mut client = Client::new(&app);
    client.post("/visit").await;
    client.post("/remember").await;
    let before = client.token().unwrap().to_owned();
    under.clock.advance(10 * 24 * 60 * MINUTE);
    let again = client.post("/again").await;
    assert_ne!(client.token(), Some(before.as_str()));
    assert!(again.set_cookie().unwrap().contains("Max-Age=2592000"), "{again:?}");
}

#[tokio::test]
async fn timeouts_of_nothing_are_refused_with_the_settings_name() {
    let layer = SessionLayer::new(memory().store).idle_timeout(Some(Duration::ZERO));
    let error = layer.check().unwrap_err().to_string();
    assert!(error.contains("idle_timeout") && error.contains("None"), "{error}");
    let reply = Client::new(&app(layer)).post("/visit").await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (500, "session error"));
}

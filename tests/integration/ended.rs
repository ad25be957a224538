//! A page that is told by `EndedEvents` that its session has ended.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::StreamExt;
use http::{Request, header};
use session_runtime::{EndedEvents, Session, SessionLayer};
use session_tests::stores::{all, memory};
use session_tests::{Client, Spy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::visitor::{Visitor, show};

const MINUTE: Duration = Duration::from_secs(60);

async fn ended(
    events: EndedEvents<Visitor>,
    State(mut stop): State<watch::Receiver<()>>,
) -> impl IntoResponse {
    events.until(async move { stop.changed().await })
}

/// The stream ends when the sender is dropped.
fn app(layer: SessionLayer) -> (Router, watch::Sender<()>) {
    let (stop, stopped) = watch::channel(());
    let app = Router::new()
        .route("/ended", get(ended))
        .route("/sign-in", post(|mut s: Session<Visitor>| async move { s.set_user_id(7) }))
        .route("/another", post(|mut s: Session<Visitor>| async move { s.set_user_id(8) }))
        .route("/logout", post(|mut s: Session<Visitor>| async move { s.destroy() }))
        .route("/read", get(|s: Session<Visitor>| async move { show(&s) }))
        .layer(layer)
        .with_state(stopped);
    (app, stop)
}

/// The response to a page, or to its reconnect.
async fn connect(app: &Router, client: &Client, last_id: Option<&str>) -> Response {
    let mut request = Request::get("/ended");
    if let Some(token) = client.token() {
        request = request.header(header::COOKIE, format!("__Host-session={token}"));
    }
    if let Some(id) = last_id {
        request = request.header("last-event-id", id);
    }
    tower::ServiceExt::oneshot(app.clone(), request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn next(stream: &mut BodyDataStream) -> Option<String> {
    let chunk = timeout(MINUTE, stream.next()).await.expect("it is told")?;
    Some(String::from_utf8(chunk.unwrap().into()).unwrap())
}

/// A stream, and the id that the browser remembers.
async fn opened(app: &Router, client: &Client, last_id: Option<&str>) -> (BodyDataStream, String) {
    let response = connect(app, client, last_id).await;
    assert_eq!(response.status(), 200);
    let mut stream = response.into_body().into_data_stream();
    let first = next(&mut stream).await.unwrap();
    let id = first.strip_prefix("id: ").and_then(|it| it.strip_suffix("\n\n")).expect(&first);
    (stream, id.to_owned())
}

/// All that a reconnect is told.
async fn told(app: &Router, client: &Client, last_id: &str) -> String {
    let response = connect(app, client, Some(last_id)).await;
    assert_eq!(response.status(), 200);
    let body = timeout(MINUTE / 6, axum::body::to_bytes(response.into_body(), 1_000)).await;
    String::from_utf8(body.expect("it ends").unwrap().into()).unwrap()
}

fn event(because: &str) -> String {
    format!("event: ended\ndata: {because}\nid\n\n")
}

async fn signed_in(app: &Router) -> Client {
    let mut client = Client::new(app);
    client.post("/sign-in").await;
    client
}

#[tokio::test]
async fn a_page_is_told_why_its_session_ended_and_the_stream_ends() {
    for under in all().await {
        let (app, _stop) = app(SessionLayer::new(under.store));
        let mut client = signed_in(&app).await;
        let response = connect(&app, &client, None).await;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["vary"], "Cookie");
        let (mut stream, _) = opened(&app, &client, None).await;
        client.post("/logout").await;
        assert_eq!(next(&mut stream).await, Some(event("signed-out")), "{}", under.name);
        assert_eq!(next(&mut stream).await, None);
    }
}

#[tokio::test]
async fn neither_a_stream_nor_its_reconnects_keep_the_session_alive() {
    for under in all().await {
        let (app, _stop) = app(SessionLayer::new(under.store).idle_timeout(30 * MINUTE));
        let client = signed_in(&app).await;
        let (_stream, id) = opened(&app, &client, None).await;
        for _ in 0..5 {
            under.clock.advance(5 * MINUTE);
            drop(opened(&app, &client, Some(&id)).await);
        }
        under.clock.advance(5 * MINUTE);
        assert_eq!(told(&app, &client, &id).await, event("idle"), "{}", under.name);
        assert_eq!(client.clone().get("/read").await.body, "nobody en 0 []");
    }
}

#[tokio::test]
async fn a_reconnect_is_told_what_happened_meanwhile() {
    for under in all().await {
        let (app, _stop) = app(SessionLayer::new(under.store));
        // The same session with other privileges.
        let mut client = signed_in(&app).await;
        let (_, id) = opened(&app, &client, None).await;
        client.post("/sign-in").await;
        assert_eq!(told(&app, &client, &id).await, event("replaced"), "{}", under.name);
        // Another user's session.
        let (_, id) = opened(&app, &client, None).await;
        client.post("/another").await;
        assert_eq!(told(&app, &client, &id).await, event("replaced"));
        // No session: the cookie is dead, and then gone.
        let (_, id) = opened(&app, &client, None).await;
        let dead = client.clone();
        client.post("/logout").await;
        assert_eq!(client.token(), None);
        assert_eq!(told(&app, &dead, &id).await, event("signed-out"));
        assert_eq!(told(&app, &client, &id).await, event("unknown"));
    }
}

#[tokio::test]
async fn a_page_without_a_session_is_told_to_give_up() {
    let (app, _stop) = app(SessionLayer::new(memory().store));
    let mut client = signed_in(&app).await;
    let dead = client.clone();
    client.post("/logout").await;
    // A page that was told and did not close its `EventSource` sends no id, or an empty one.
    for (client, id) in [(&client, None), (&client, Some("")), (&dead, None)] {
        let response = connect(&app, client, id).await;
        assert_eq!(response.status(), 204);
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers().get("set-cookie"), None);
    }
}

#[tokio::test]
async fn while_the_store_fails_a_reconnect_is_to_try_again() {
    let spy = Spy::on(memory().store);
    let (app, _stop) = app(SessionLayer::new(spy.clone()));
    let client = signed_in(&app).await;
    let (_, id) = opened(&app, &client, None).await;
    spy.down(true);
    assert_eq!(told(&app, &client, &id).await, "");
    spy.down(false);
    drop(opened(&app, &client, Some(&id)).await);
}

#[tokio::test(start_paused = true)]
async fn a_stream_shows_signs_of_life_and_ends_at_a_shutdown_without_an_event() {
    let (app, stop) = app(SessionLayer::new(memory().store));
    let client = signed_in(&app).await;
    let (mut stream, _) = opened(&app, &client, None).await;
    for _ in 0..3 {
        assert_eq!(next(&mut stream).await, Some(":\n\n".to_owned()));
    }
    drop(stop);
    assert_eq!(next(&mut stream).await, None);
}

#[tokio::test]
async fn a_server_that_shuts_down_does_not_wait_for_an_open_page() {
    let (app, stop) = app(SessionLayer::new(memory().store));
    let client = signed_in(&app).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (shut_down, signal) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn(async move {
        let signal = async move {
            let _ = signal.await;
            drop(stop);
        };
        axum::serve(listener, app).with_graceful_shutdown(signal).await
    });
    let mut page = TcpStream::connect(address).await.unwrap();
    let token = client.token().unwrap();
    let request =
        format!("GET /ended HTTP/1.1\r\nhost: x\r\ncookie: __Host-session={token}\r\n\r\n");
    page.write_all(request.as_bytes()).await.unwrap();
    let mut seen = String::new();
    while !seen.contains("id: ") {
        let mut bytes = [0; 1_024];
        let read = page.read(&mut bytes).await.unwrap();
        seen.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
    }
    shut_down.send(()).unwrap();
    timeout(MINUTE / 6, served).await.expect("it waits for nothing").unwrap().unwrap();
}

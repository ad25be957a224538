//! Bodies that are still being sent when their handler has long returned.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream, Bytes};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use futures_util::{Stream, StreamExt, stream};
use http::{Request, header};
use session_runtime::{Session, SessionError, SessionLayer};
use session_tests::slow::{Fault, Method as Call};
use session_tests::stores::{all, memory};
use session_tests::traced::Traced;
use session_tests::{Client, Slow};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::visitor::{Visitor, show};

const MINUTE: Duration = Duration::from_secs(60);

fn app(layer: SessionLayer, stream: MethodRouter) -> Router {
    Router::new()
        .route("/stream", stream)
        .route("/start", post(|mut s: Session<Visitor>| async move { s.set_locale("de") }))
        .route("/visit", post(|mut s: Session<Visitor>| async move { s.add_visits(10) }))
        .route("/sign-in", post(|mut s: Session<Visitor>| async move { s.set_user_id(7) }))
        .route("/again", post(|mut s: Session<Visitor>| async move { s.regenerate() }))
        .route("/logout", post(|mut s: Session<Visitor>| async move { s.destroy() }))
        .route("/remember", post(|mut s: Session<Visitor>| async move { s.remember(600 * MINUTE) }))
        .route("/read", get(|s: Session<Visitor>| async move { show(&s) }))
        .layer(layer)
}

/// Counts a visit whenever the client asks for the next chunk, and tells it
/// what came of that.
fn counting(session: Session<Visitor>) -> impl Stream<Item = String> + Send {
    stream::unfold(session, |mut session| async move {
        session.add_visits(1);
        let said = match session.save().await {
            Ok(()) => session.visits().to_string(),
            Err(error) => format!("{error:?}"),
        };
        Some((said, session))
    })
}

async fn chunks(session: Session<Visitor>) -> Body {
    Body::from_stream(counting(session).map(Ok::<_, Infallible>))
}

async fn events(session: Session<Visitor>) -> impl IntoResponse {
    Sse::new(counting(session).map(|said| Ok::<_, Infallible>(Event::default().data(said))))
}

/// The body of the answer to `/stream`, unread.
async fn open(app: &Router, client: &Client) -> BodyDataStream {
    let cookie = format!("__Host-session={}", client.token().unwrap());
    let request = Request::get("/stream").header(header::COOKIE, cookie).body(Body::empty());
    let response = tower::ServiceExt::oneshot(app.clone(), request.unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    response.into_body().into_data_stream()
}

async fn next(body: &mut BodyDataStream) -> String {
    String::from_utf8(body.next().await.unwrap().unwrap().into()).unwrap()
}

async fn started(app: &Router) -> Client {
    let mut client = Client::new(app);
    client.post("/start").await;
    client
}

#[tokio::test]
async fn a_body_saves_while_it_is_sent_and_merges_with_other_tabs() {
    for under in all().await {
        let app = app(SessionLayer::new(under.store), get(chunks));
        let mut client = started(&app).await;
        let mut body = open(&app, &client).await;
        assert_eq!(next(&mut body).await, "1", "{}", under.name);
        assert_eq!(client.get("/read").await.body, "nobody de 1 []");
        client.post("/visit").await;
        next(&mut body).await;
        assert_eq!(client.get("/read").await.body, "nobody de 12 []", "{}", under.name);
    }
}

#[tokio::test]
async fn an_event_stream_saves_hours_later_as_long_as_the_session_is_in_use() {
    for under in all().await {
        let app = app(SessionLayer::new(under.store), get(events));
        let mut client = started(&app).await;
        let mut body = open(&app, &client).await;
        assert_eq!(next(&mut body).await, "data: 1\n\n");
        for _ in 0..20 {
            under.clock.advance(25 * MINUTE);
            client.get("/read").await;
        }
        // The same privilege in another lifetime: the stream goes on.
        client.post("/remember").await;
        assert_eq!(next(&mut body).await, "data: 2\n\n", "{}", under.name);
        assert_eq!(client.get("/read").await.body, "nobody de 2 []", "{}", under.name);
    }
}

#[tokio::test]
async fn a_stream_alone_does_not_keep_its_session_alive() {
    for under in all().await {
        let app = app(SessionLayer::new(under.store), get(chunks));
        let client = started(&app).await;
        let mut body = open(&app, &client).await;
        under.clock.advance(31 * MINUTE);
        assert_eq!(next(&mut body).await, "Gone", "{}", under.name);
        assert_eq!(next(&mut body).await, "Gone", "and it stays so");
    }
}

#[tokio::test]
async fn a_stream_is_refused_once_another_request_logs_out_signs_in_or_renews() {
    for elsewhere in ["/logout", "/sign-in", "/again"] {
        for under in all().await {
            let layer = SessionLayer::new(under.store);
            let app = app(layer, get(chunks));
            let mut client = started(&app).await;
            let mut body = open(&app, &client).await;
            assert_eq!(next(&mut body).await, "1");
            client.post(elsewhere).await;
            assert_eq!(next(&mut body).await, "Gone", "{} {elsewhere}", under.name);
            assert_eq!(next(&mut body).await, "Gone", "{} {elsewhere}", under.name);
            let visits = if elsewhere == "/logout" { "0" } else { "1" };
            let seen = client.get("/read").await.body;
            assert_eq!(seen.split(' ').nth(2), Some(visits), "{} {elsewhere}", under.name);
        }
    }
}

type Change = fn(&mut Session<Visitor>);

/// A body whose chunks are what the given changes came to.
fn told(take: UnboundedReceiver<Change>, session: Session<Visitor>) -> Body {
    Body::from_stream(stream::unfold((take, session), |(mut take, mut session)| async move {
        take.recv().await?(&mut session);
        let said = format!("{:?} {}", session.save().await, show(&session));
        Some((Ok::<_, Infallible>(said), (take, session)))
    }))
}

fn ordered() -> (UnboundedSender<Change>, MethodRouter) {
    let (give, take) = unbounded_channel();
    let take = Arc::new(std::sync::Mutex::new(Some(take)));
    let handler = move |session: Session<Visitor>| async move {
        let take = take.lock().unwrap().take().unwrap();
        told(take, session)
    };
    (give, get(handler))
}

#[tokio::test]
async fn what_needs_a_new_cookie_is_refused_after_the_head_and_harms_nothing() {
    let renewing: [(&str, Change); 6] = [
        ("sign-in", |s| s.set_user_id(9)),
        ("sign-out", |s| s.clear_user_id()),
        ("role", |s| s.set_role("admin")),
        ("regenerate", |s| s.regenerate()),
        ("reauthenticated", |s| s.reauthenticated()),
        ("remember", |s| s.remember(MINUTE)),
    ];
    for under in all().await {
        for (what, change) in renewing {
            let (give, handler) = ordered();
            let app = app(SessionLayer::new(under.store.clone()), handler);
            let mut client = started(&app).await;
            client.post("/sign-in").await;
            let mut body = open(&app, &client).await;
            give.send(change).unwrap();
            let said = next(&mut body).await;
            assert!(said.starts_with("Err(HeadSent)"), "{} {what}: {said}", under.name);
            give.send(|s| s.add_visits(1)).unwrap();
            assert!(next(&mut body).await.starts_with("Ok(())"), "{} {what}", under.name);
            assert_eq!(client.get("/read").await.body, "7 de 1 []", "{} {what}", under.name);
        }
    }
}

#[tokio::test]
async fn what_was_refused_after_the_head_is_not_what_the_handle_shows() {
    let (give, handler) = ordered();
    let app = app(SessionLayer::new(memory().store), handler);
    let client = started(&app).await;
    let mut body = open(&app, &client).await;
    give.send(|s| s.set_user_id(9)).unwrap();
    assert_eq!(next(&mut body).await, "Err(HeadSent) nobody de 0 []", "nobody is signed in");
    give.send(|s| s.add_visits(1)).unwrap();
    assert_eq!(next(&mut body).await, "Ok(()) nobody de 1 []");
}

#[tokio::test]
async fn a_stream_ends_the_session_at_once() {
    for under in all().await {
        let (give, handler) = ordered();
        let app = app(SessionLayer::new(under.store), handler);
        let mut client = started(&app).await;
        let mut body = open(&app, &client).await;
        give.send(|s| s.destroy()).unwrap();
        assert_eq!(next(&mut body).await, "Ok(()) nobody en 0 []");
        assert_eq!(client.get("/read").await.body, "nobody en 0 []", "{}", under.name);
    }
}

#[tokio::test]
async fn a_stream_is_told_that_nothing_can_follow_the_session_that_it_has_ended() {
    for under in all().await {
        let (give, handler) = ordered();
        let app = app(SessionLayer::new(under.store), handler);
        let mut client = started(&app).await;
        let mut body = open(&app, &client).await;
        give.send(|s| {
            s.destroy();
            s.set_locale("fr");
        })
        .unwrap();
        let said = next(&mut body).await;
        assert!(said.starts_with("Err(HeadSent)"), "{}: {said}", under.name);
        assert_eq!(client.get("/read").await.body, "nobody en 0 []", "{}", under.name);
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_during_a_save_of_its_stream_does_not_stop_it() {
    for under in all().await {
        let slow = Slow::on(under.store);
        let app = app(SessionLayer::new(slow.clone()), get(chunks));
        let mut client = started(&app).await;
        let mut body = open(&app, &client).await;
        let gate = slow.next(Call::Apply, Fault::AskedLate);
        tokio::select! {
            chunk = body.next() => panic!("{chunk:?}"),
            () = gate.reached() => drop(body),
        }
        assert_eq!(client.get("/read").await.body, "nobody de 0 []");
        gate.open();
        crate::tasks::eventually(&mut client, "nobody de 1 []").await;
    }
}

async fn changed(mut session: Session<Visitor>) -> Body {
    session.set_locale("lost?");
    Body::from_stream(counting(session).take(3).map(Ok::<_, Infallible>))
}

async fn changed_events(mut session: Session<Visitor>) -> impl IntoResponse {
    session.set_locale("lost?");
    let few = counting(session).take(3);
    Sse::new(few.map(|said| Ok::<_, Infallible>(Event::default().data(said))))
}

#[tokio::test]
async fn a_body_with_a_changed_session_is_an_error_that_says_how_to_save_it() {
    for handler in [get(changed), get(changed_events)] {
        let traced = Traced::start();
        let app = app(SessionLayer::new(memory().store), handler);
        let mut client = started(&app).await;
        let reply = client.get("/stream").await;
        assert_eq!((reply.status.as_u16(), reply.body.as_str()), (500, "session error"));
        let text = traced.text();
        assert!(text.contains("call `save().await` where it is used"), "{text}");
        assert_eq!(client.get("/read").await.body, "nobody de 0 []");
    }
}

#[tokio::test]
async fn the_error_of_a_body_with_a_changed_session_is_there_for_outer_layers() {
    let app = app(SessionLayer::new(memory().store), get(changed));
    let request = Request::get("/stream").body(Body::empty()).unwrap();
    let response = tower::ServiceExt::oneshot(app, request).await.unwrap();
    let error = response.extensions().get::<Arc<SessionError>>();
    assert!(matches!(error.map(|it| &**it), Some(SessionError::Unpublished)), "{error:?}");
}

#[tokio::test]
async fn a_body_that_is_dropped_with_unsaved_changes_is_reported() {
    let traced = Traced::start();
    let careless = |session: Session<Visitor>| async move {
        Body::from_stream(stream::unfold(session, |mut session| async move {
            session.set_nickname("bo");
            Some((Ok::<_, Infallible>("chunk"), session))
        }))
    };
    let app = app(SessionLayer::new(memory().store), get(careless));
    let client = started(&app).await;
    let mut body = open(&app, &client).await;
    next(&mut body).await;
    assert!(!traced.text().contains("unsaved changes"), "a save could still follow");
    drop(body);
    let text = traced.text();
    assert!(text.contains("unsaved changes") && text.contains("[\"nickname\"]"), "{text}");
}

/// Notes in the session, at its end, that it ended.
struct Guarded(Session<Visitor>);

impl Drop for Guarded {
    fn drop(&mut self) {
        self.0.set_nickname("ended");
        self.0.publish();
    }
}

#[test]
fn a_body_that_publishes_when_it_is_dropped_does_not_lock_up_its_own_error() {
    async fn handler(mut session: Session<Visitor>) -> Response {
        session.set_locale("lost?");
        let guarded = Guarded(session);
        let chunks = stream::once(async {
            drop(guarded);
            Ok::<_, Infallible>(Bytes::new())
        });
        Response::new(Body::from_stream(chunks))
    }
    let (tell, told) = std::sync::mpsc::channel();
    // In a thread of its own: what is locked up can only be left behind.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let app = app(SessionLayer::new(memory().store), get(handler));
            tell.send(Client::new(&app).get("/stream").await.status.as_u16()).unwrap();
        });
    });
    assert_eq!(told.recv_timeout(Duration::from_secs(10)), Ok(500));
}

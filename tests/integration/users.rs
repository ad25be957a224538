//! Another user is another session.

use std::sync::Arc;

use axum::Router;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::routing::{get, post};
use http::StatusCode;
use session_runtime::store::StoreErrorKind;
use session_runtime::testing::{Call, Fault, FaultStore, Operation, SpyStore, TestSession};
use session_runtime::{Session, SessionError, SessionLayer, SessionSchema};
use session_tests::promises::users;
use session_tests::stores::{all, memory};
use session_tests::traced::Traced;
use session_tests::{Client, Tab};

#[tokio::test]
async fn another_user_finds_nothing_but_what_is_marked() {
    for under in all().await {
        users::another_user_finds_nothing_but_what_is_marked(&under.store).await;
    }
}

#[tokio::test]
async fn what_the_request_sets_goes_along() {
    for under in all().await {
        users::what_the_request_sets_goes_along(&under.store).await;
    }
}

#[tokio::test]
async fn the_rest_of_the_request_sees_nothing_of_the_former_user() {
    for under in all().await {
        users::the_rest_of_the_request_sees_nothing_of_the_former_user(&under.store).await;
    }
}

#[tokio::test]
async fn the_same_user_and_the_first_one_keep_the_session() {
    for under in all().await {
        users::the_same_user_and_the_first_one_keep_the_session(&under.store).await;
    }
}

#[tokio::test]
async fn a_denied_sign_in_leaves_the_former_user_signed_in() {
    for under in all().await {
        users::a_denied_sign_in_leaves_the_former_user_signed_in(&under.store).await;
    }
}

#[tokio::test]
async fn a_former_session_that_cannot_be_ended_is_a_503() {
    for under in all().await {
        users::a_former_session_that_cannot_be_ended_is_a_503(&under.store).await;
    }
}

#[tokio::test]
async fn a_late_request_of_the_former_user_changes_nothing() {
    for under in all().await {
        users::a_late_request_of_the_former_user_changes_nothing(&under.store).await;
    }
}

#[tokio::test]
async fn two_users_at_once_have_a_session_each() {
    for under in all().await {
        users::two_users_at_once_have_a_session_each(&under.store).await;
    }
}

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user: Option<u64>,
    note: String,
    #[session(renew)]
    role: Option<String>,
    #[session(clear_on_login)]
    next: Option<String>,
}

type S = Session<Visitor>;

/// Of several schemas on one record one sees the sign-in, and all are meant.
#[derive(SessionSchema)]
#[session(namespace = "forum")]
struct Forum {
    draft: Option<String>,
    #[session(renew)]
    moderator: bool,
    #[session(carry_over)]
    theme: u8,
}

#[tokio::test]
async fn schemas_that_the_sign_in_does_not_read_leave_as_much_behind() {
    for under in all().await {
        let layer = SessionLayer::new(under.store.clone()).schema::<Visitor>().schema::<Forum>();
        let mut tab = Tab::new(&layer);
        tab.run(|mut s: S| async move { s.set_user(1) }).await.ok();
        let write = |mut s: Session<Forum>| async move {
            s.set_draft("mine");
            s.set_moderator(true);
            s.set_theme(3);
        };
        tab.run(write).await.ok();
        let read = |s: Session<Forum>| async move {
            (s.draft().map(str::to_owned), s.moderator(), s.theme())
        };
        let mut out = tab.clone();
        tab.run(|mut s: S| async move { s.set_user(2) }).await.ok();
        assert_eq!(tab.ask(read).await.ok(), (None, false, 3), "{}", under.name);
        // A sign-out leaves the rest.
        tab.run(write).await.ok();
        out.cookie = tab.cookie;
        out.run(|mut s: S| async move { s.clear_user() }).await.ok();
        assert_eq!(out.ask(read).await.ok(), (Some("mine".to_owned()), false, 3));
    }
}

/// A request beside the sign-in or sign-out stores what that would have removed.
#[tokio::test]
async fn what_is_stored_beside_a_sign_in_or_out_is_removed_with_the_rest() {
    for under in all().await {
        let layer = SessionLayer::new(under.store.clone()).schema::<Visitor>();
        let mut tab = Tab::new(&layer);
        tab.run(|mut s: S| async move { s.set_note("here") }).await.ok();
        let plants = tab.clone();
        let signs_in = |mut s: S| async move {
            let planted = plants.ask(|mut s: S| async move { s.set_next("//evil") }).await;
            assert_eq!(planted.status, StatusCode::OK);
            s.set_user(1);
        };
        tab.run(signs_in).await.ok();
        let seen = tab.ask(|s: S| async move { (s.user(), s.next().is_some()) }).await;
        assert_eq!(seen.ok(), (Some(1), false), "{}", under.name);
    }
}

#[tokio::test]
async fn what_a_sign_in_sets_to_what_is_stored_stays() {
    let t = TestSession::<Visitor>::new().with(|s| s.set_next("/orders"));
    let mut session = t.session();
    session.set_next("/orders");
    session.set_user(1);
    drop(session);
    assert_eq!(t.session().next(), Some("/orders"));
}

#[tokio::test]
async fn in_place_changes_of_the_former_users_data_are_reported() {
    let traced = Traced::start();
    let t = TestSession::<Visitor>::new().signed_in_as(1).with(|s| s.set_note("of 1"));
    let mut session = t.session();
    session.note_mut().push('!');
    session.set_user(2);
    drop(session);
    assert_eq!(t.session().note(), "");
    let text = traced.text();
    assert!(text.contains("WARN") && text.contains("field=\"note\""), "{text}");
    assert!(!text.contains("of 1"), "{text}");
}

#[tokio::test]
async fn a_transaction_that_signs_in_begins_again_if_the_session_changed() {
    for under in all().await {
        let layer = SessionLayer::new(under.store.clone()).schema::<Visitor>();
        let mut tab = Tab::new(&layer);
        tab.run(|mut s: S| async move { s.set_user(1) }).await.ok();
        let other = tab.clone();
        let done = tab.run(|mut s: S| async move {
            let (mut rounds, handle) = (Vec::new(), tokio::runtime::Handle::current());
            s.transaction(|s| {
                rounds.push(s.note().to_owned());
                if rounds.len() == 1 {
                    let tab = other.clone();
                    let beside = async move {
                        tab.ask(|mut s: S| async move { s.set_note("changed") }).await.ok();
                    };
                    std::thread::scope(|scope| {
                        scope.spawn(|| handle.block_on(beside));
                    });
                }
                s.set_user(2);
            })
            .await
            .unwrap();
            rounds
        });
        // The second time it is as it stands then.
        assert_eq!(done.await.ok(), ["", "changed"], "{}", under.name);
        let seen = tab.ask(|s: S| async move { (s.user(), s.note().to_owned()) }).await;
        assert_eq!(seen.ok(), (Some(2), String::new()), "{}", under.name);
    }
}

#[tokio::test]
async fn the_new_session_is_stored_before_the_former_one_ends() {
    let spy = SpyStore::new(FaultStore::default());
    let t = TestSession::<Visitor>::with_store(spy.clone()).signed_in_as(1);
    let first = t.stored().unwrap().id;
    spy.take_calls();
    t.session().set_user(2);
    t.last_commit().unwrap();
    let calls = spy.take_calls();
    let [Call::Load { .. }, Call::Create { record, .. }, Call::Delete { id, .. }] = &calls[..]
    else {
        panic!("{calls:?}")
    };
    assert_eq!((*id, t.stored().unwrap().id), (first, record.id));
    // A creation that fails ends nothing.
    spy.inner().next(Operation::Create, Fault::Fails(StoreErrorKind::Full));
    t.session().set_user(3);
    assert!(t.last_commit().is_err());
    assert_eq!(t.session().user(), Some(2));
    assert!(!spy.operations().contains(&Operation::Delete));
}

/// The head has left: there is no cookie to send, so nothing changes.
#[tokio::test]
async fn a_socket_signs_nobody_in() {
    let layer = SessionLayer::new(memory().store).schema::<Visitor>();
    let (told, mut tells) = tokio::sync::mpsc::unbounded_channel();
    let told = Arc::new(told);
    let socket = move |upgrade: WebSocketUpgrade, mut s: S| {
        let told = Arc::clone(&told);
        async move {
            upgrade.on_upgrade(move |mut socket| async move {
                let _ = socket.recv().await;
                s.set_user(2);
                let refused = s.save().await;
                told.send((refused, s.user())).unwrap();
                let _ = socket.send(Message::Text("done".into())).await;
            })
        }
    };
    let app = Router::new()
        .route("/sign-in", post(|mut s: S| async move { s.set_user(1) }))
        .route("/who", get(|s: S| async move { format!("{:?}", s.user()) }))
        .route("/socket", get(socket))
        .layer(layer);
    let mut client = Client::new(&app);
    client.post("/sign-in").await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let request = tokio_tungstenite::tungstenite::client::ClientRequestBuilder::new(
        format!("ws://{address}/socket").parse().unwrap(),
    )
    .with_header("Cookie", format!("__Host-session={}", client.token().unwrap()));
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    futures_util::SinkExt::send(&mut socket, "go".into()).await.unwrap();
    let (refused, user) = tells.recv().await.unwrap();
    assert!(matches!(refused, Err(SessionError::HeadSent)), "{refused:?}");
    assert_eq!(user, Some(1), "the handle shows what is stored");
    assert_eq!(client.get("/who").await.body, "Some(1)");
    server.abort();
}

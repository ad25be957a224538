//! Sockets on a real connection, alive long after their request's response.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::{get, post};
use futures_util::{SinkExt, StreamExt};
use http::header;
use session_runtime::{Session, SessionError, SessionLayer};
use session_tests::Client;
use session_tests::stores::{all, memory};
use session_tests::traced::Traced;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Error};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::visitor::{Visitor, show};

/// What is said goes into the cart; the answer is what came of it.
async fn talk(mut socket: WebSocket, mut session: Session<Visitor>) {
    while let Some(Ok(message)) = socket.recv().await {
        let Message::Text(text) = message else { break };
        let did = match text.as_str() {
            "reload" => session.reload().await,
            "careless" => {
                session.set_nickname("bo");
                return;
            }
            "sign in" => {
                session.set_user_id(8);
                session.save().await
            }
            item => {
                session.cart_mut().push(item.to_owned());
                session.add_visits(1);
                session.save().await
            }
        };
        let answer = match did {
            Ok(()) => show(&session),
            Err(error) => format!("{error:?}"),
        };
        if socket.send(answer.into()).await.is_err() {
            return;
        }
    }
}

async fn upgrade(upgrade: WebSocketUpgrade, session: Session<Visitor>) -> Response {
    upgrade.on_upgrade(|socket| talk(socket, session))
}

async fn upgrade_changed(upgrade: WebSocketUpgrade, mut session: Session<Visitor>) -> Response {
    session.set_locale("lost?");
    upgrade.on_upgrade(|socket| talk(socket, session))
}

async fn upgrade_saved(
    upgrade: WebSocketUpgrade,
    mut session: Session<Visitor>,
) -> Result<Response, SessionError> {
    session.set_locale("fr");
    session.save().await?;
    Ok(upgrade.on_upgrade(|socket| talk(socket, session)))
}

fn app(layer: SessionLayer) -> Router {
    Router::new()
        .route("/socket", get(upgrade))
        .route("/socket/changed", get(upgrade_changed))
        .route("/socket/saved", get(upgrade_saved))
        .route("/locale", post(|mut s: Session<Visitor>| async move { s.set_locale("de") }))
        .route("/sign-in", post(|mut s: Session<Visitor>| async move { s.set_user_id(7) }))
        .route("/logout", post(|mut s: Session<Visitor>| async move { s.destroy() }))
        .route("/read", get(|s: Session<Visitor>| async move { show(&s) }))
        .layer(layer)
}

/// Serves on a port of this machine until the test is over.
async fn serve(app: &Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app.clone();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn open(
        address: SocketAddr,
        path: &str,
        token: Option<&str>,
    ) -> Result<(Self, Option<String>), Error> {
        let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
        if let Some(token) = token {
            let cookie = format!("__Host-session={token}").parse().unwrap();
            request.headers_mut().insert(header::COOKIE, cookie);
        }
        let (socket, response) = connect_async(request).await?;
        let cookie = response.headers().get(header::SET_COOKIE);
        Ok((Self(socket), cookie.map(|it| it.to_str().unwrap().to_owned())))
    }

    async fn say(&mut self, text: &str) -> String {
        self.0.send(tungstenite::Message::text(text)).await.unwrap();
        let answer = self.0.next().await.unwrap().unwrap();
        answer.into_text().unwrap().to_string()
    }
}

#[tokio::test]
async fn a_socket_saves_beside_other_tabs_and_is_refused_after_the_logout() {
    for under in all().await {
        let app = app(SessionLayer::new(under.store));
        let address = serve(&app).await;
        let mut client = Client::new(&app);
        client.post("/sign-in").await;
        let (mut socket, cookie) = Socket::open(address, "/socket", client.token()).await.unwrap();
        assert_eq!(cookie, None, "who only reads gets none");
        assert_eq!(socket.say("pen").await, "7 en 1 [\"pen\"]", "{}", under.name);
        client.post("/locale").await;
        assert_eq!(socket.say("ink").await, "7 en 2 [\"pen\", \"ink\"]", "its own view");
        assert_eq!(socket.say("reload").await, "7 de 2 [\"pen\", \"ink\"]", "{}", under.name);
        assert_eq!(client.get("/read").await.body, "7 de 2 [\"pen\", \"ink\"]");
        client.post("/logout").await;
        assert_eq!(socket.say("late").await, "Gone", "{}", under.name);
        assert_eq!(socket.say("reload").await, "Gone", "{}", under.name);
        assert_eq!(client.get("/read").await.body, "nobody en 0 []");
    }
}

#[tokio::test]
async fn a_socket_opened_before_a_login_sees_nothing_of_who_signed_in() {
    for under in all().await {
        let app = app(SessionLayer::new(under.store));
        let address = serve(&app).await;
        let mut client = Client::new(&app);
        client.post("/locale").await;
        let (mut socket, _) = Socket::open(address, "/socket", client.token()).await.unwrap();
        client.post("/sign-in").await;
        assert_eq!(socket.say("reload").await, "Gone", "{}", under.name);
        assert_eq!(socket.say("planted").await, "Gone", "{}", under.name);
        assert_eq!(client.get("/read").await.body, "7 de 0 []", "{}", under.name);
    }
}

#[tokio::test]
async fn two_sockets_of_one_session_lose_no_count() {
    for under in all().await {
        let app = app(SessionLayer::new(under.store));
        let address = serve(&app).await;
        let mut client = Client::new(&app);
        client.post("/sign-in").await;
        let (mut one, _) = Socket::open(address, "/socket", client.token()).await.unwrap();
        let (mut other, _) = Socket::open(address, "/socket", client.token()).await.unwrap();
        for _ in 0..20 {
            tokio::join!(one.say("a"), other.say("b"));
        }
        let seen = client.get("/read").await.body;
        assert!(seen.starts_with("7 en 40 "), "{} {seen}", under.name);
    }
}

#[tokio::test]
async fn a_socket_cannot_sign_in_and_says_so() {
    let app = app(SessionLayer::new(memory().store));
    let address = serve(&app).await;
    let mut client = Client::new(&app);
    client.post("/locale").await;
    let (mut socket, _) = Socket::open(address, "/socket", client.token()).await.unwrap();
    assert_eq!(socket.say("sign in").await, "HeadSent");
    assert_eq!(socket.say("pen").await, "nobody de 1 [\"pen\"]");
    let (mut stranger, _) = Socket::open(address, "/socket", None).await.unwrap();
    assert_eq!(stranger.say("pen").await, "HeadSent", "nor create");
}

#[tokio::test]
async fn a_first_visit_by_socket_gets_its_cookie_with_the_handshake() {
    for under in all().await {
        let app = app(SessionLayer::new(under.store));
        let address = serve(&app).await;
        let (mut socket, cookie) = Socket::open(address, "/socket/saved", None).await.unwrap();
        let cookie = cookie.unwrap();
        let token = cookie.split(';').next().unwrap().strip_prefix("__Host-session=").unwrap();
        assert_eq!(socket.say("pen").await, "nobody fr 1 [\"pen\"]");
        let mut client = Client::new(&app);
        client.cookies.insert("__Host-session".to_owned(), token.to_owned());
        assert_eq!(client.get("/read").await.body, "nobody fr 1 [\"pen\"]", "{}", under.name);
    }
}

#[tokio::test]
async fn a_socket_that_takes_unsaved_changes_along_is_refused_at_the_handshake() {
    let traced = Traced::start();
    let app = app(SessionLayer::new(memory().store));
    let address = serve(&app).await;
    let mut client = Client::new(&app);
    client.post("/locale").await;
    let refused = Socket::open(address, "/socket/changed", client.token()).await;
    let Err(Error::Http(response)) = refused.map(drop) else { panic!("it was accepted") };
    assert_eq!(response.status(), 500);
    assert!(traced.text().contains("call `save().await`"), "{}", traced.text());
    assert_eq!(client.get("/read").await.body, "nobody de 0 []");
}

#[tokio::test]
async fn a_socket_that_ends_with_unsaved_changes_is_reported() {
    let traced = Traced::start();
    let app = app(SessionLayer::new(memory().store));
    let address = serve(&app).await;
    let mut client = Client::new(&app);
    client.post("/locale").await;
    let (mut socket, _) = Socket::open(address, "/socket", client.token()).await.unwrap();
    socket.0.send(tungstenite::Message::text("careless")).await.unwrap();
    // The server closes: its task is over, and the handle dropped with it.
    while let Some(Ok(_)) = socket.0.next().await {}
    let text = traced.text();
    assert!(text.contains("unsaved changes") && text.contains("[\"nickname\"]"), "{text}");
}

//! Run with: cargo run -p session-examples --example websocket
//!
//! Then open <http://127.0.0.1:3000> in two tabs.
//!
//! A handle that outlives its response: the socket owns the session and stores
//! each change with `save().await`. The changes of both tabs are kept. Once
//! either tab signs out, the sockets of both end.

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, Redirect, Response};
use axum::routing::{get, post};
use axum::{Router, response::IntoResponse};
use session_runtime::store::MemoryStore;
use session_runtime::{Authenticated, Session, SessionError, SessionLayer, SessionSchema};

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    name: Option<String>,
    #[session(counter)]
    messages: u64,
}

const PAGE: &str = r#"<!doctype html><title>socket</title>
<form method="post" action="/sign-out"><button>Sign out</button></form>
<input id="say" placeholder="say something" autofocus><pre id="log"></pre>
<script>
  const socket = new WebSocket(`ws://${location.host}/socket`);
  const show = text => { log.textContent += text + "\n"; };
  socket.onmessage = message => show(message.data);
  socket.onclose = () => show("closed");
  say.onchange = () => { socket.send(say.value); say.value = ""; };
</script>"#;
const SIGN_IN: &str = r#"<form method="post" action="/sign-in"><button>Sign in</button></form>"#;

async fn home(session: Session<Visitor>) -> Html<&'static str> {
    Html(if session.name().is_some() { PAGE } else { SIGN_IN })
}

async fn sign_in(mut session: Session<Visitor>) -> Redirect {
    session.set_name("guest");
    Redirect::to("/")
}

async fn sign_out(mut session: Session<Visitor>) -> Redirect {
    session.destroy();
    Redirect::to("/")
}

/// Changes nothing. A handler that does must call `save().await` before it moves
/// the session into the socket, because the response cannot wait for the socket.
async fn open(
    upgrade: WebSocketUpgrade,
    headers: HeaderMap,
    who: Authenticated<Visitor>,
) -> Response {
    // A socket is no subject of CORS, and `CsrfLayer` lets a GET pass.
    if !is_same_origin(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let (_, session) = who.into_parts();
    upgrade.on_upgrade(|socket| talk(socket, session))
}

/// Whether the page that made the request is on this host, according to the browser.
fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name)?.to_str().ok();
    let (Some(origin), Some(host)) = (text(header::ORIGIN), text(header::HOST)) else {
        return false;
    };
    origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
}

async fn talk(mut socket: WebSocket, mut session: Session<Visitor>) {
    loop {
        let message = tokio::select! {
            message = socket.recv() => message,
            because = session.ended() => {
                let _ = socket.send(format!("your session has ended: {because}").into()).await;
                return;
            }
        };
        let Some(Ok(message)) = message else { return };
        let Message::Text(text) = message else { continue };
        let answer = match count(&mut session).await {
            Ok(n) => format!("{}: {text} ({n})", session.name().unwrap_or("?")),
            Err(error) => format!("not saved: {error}"),
        };
        if socket.send(answer.into()).await.is_err() {
            return;
        }
    }
}

async fn count(session: &mut Session<Visitor>) -> Result<u64, SessionError> {
    session.add_messages(1);
    session.save().await?;
    // Includes what other tabs have counted.
    session.reload().await?;
    Ok(session.messages())
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    // For plain http on your own machine. Leave this call out behind https.
    let sessions = SessionLayer::new(MemoryStore::new()).insecure_for_development();
    let app = Router::new()
        .route("/", get(home))
        .route("/sign-in", post(sign_in))
        .route("/sign-out", post(sign_out))
        .route("/socket", get(open))
        .layer(sessions);
    axum::serve(session_examples::listen().await, app).await
}

#[cfg(test)]
#[path = "tests/websocket.rs"]
mod tests;

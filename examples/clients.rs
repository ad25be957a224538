//! Run with: cargo run -p session-examples --example clients
//!
//! A browser, a terminal and a job on the sessions of one user. Open <http://127.0.0.1:3000> and
//! sign in; then, in a terminal:
//!
//! ```sh
//! TOKEN=$(curl -s -d user=1 127.0.0.1:3000/api/sign-in)
//! curl -d '' -H "Authorization: Bearer $TOKEN" 127.0.0.1:3000/points
//! ```
//!
//! A job gives each session of user 1 ten points every ten seconds, and the page shows them as
//! they come. "Sign out everywhere else" ends the terminal's session, and `curl -i` says why.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::Form;
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use axum::response::{Html, Redirect};
use axum::routing::{get, post};
use axum::{Router, http::StatusCode};
use futures_util::{Stream, stream};
use serde::Deserialize;
use session_runtime::store::MemoryStore;
use session_runtime::{
    Authenticated, EndReason, Session, SessionError, SessionLayer, SessionManager, SessionSchema,
    Transports,
};
use tower_http::csrf::CsrfLayer;

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user: Option<u64>,
    #[session(counter)]
    points: u64,
}

#[derive(Deserialize)]
struct SignIn {
    user: u64, // and a password, in a real service
}

const PAGE: &str = r#"<!doctype html><title>clients</title><p id="show"></p>
<form method="post" action="/others"><button>Sign out everywhere else</button></form>
<script>
  const events = new EventSource("/events");
  events.onmessage = event => { show.textContent = event.data + " points"; };
  events.addEventListener("ended", event => {
    show.textContent = "Your session has ended: " + event.data;
    events.close();
  });
</script>"#;
const SIGN_IN: &str = r#"<!doctype html><title>clients</title>
<form method="post" action="/sign-in"><input name="user" value="1"><button>Sign in</button></form>"#;

async fn home(who: Option<Authenticated<Visitor>>) -> Html<&'static str> {
    Html(if who.is_some() { PAGE } else { SIGN_IN })
}

async fn sign_in(mut session: Session<Visitor>, Form(form): Form<SignIn>) -> Redirect {
    session.set_user(form.user);
    Redirect::to("/")
}

/// Answers with the token, for a client that is no browser.
async fn sign_in_for_token(
    mut session: Session<Visitor>,
    Form(form): Form<SignIn>,
) -> Result<String, SessionError> {
    session.set_user(form.user);
    let token = session.bearer_token().await?;
    Ok(token.map(|token| token.expose().to_owned()).unwrap_or_default())
}

async fn score(mut who: Authenticated<Visitor>) -> String {
    who.add_points(1);
    format!("{} points\n", who.points())
}

async fn sign_out_others(
    who: Authenticated<Visitor>,
    sessions: SessionManager<Visitor>,
) -> Result<Redirect, SessionError> {
    sessions.revoke_others(&who).await?;
    Ok(Redirect::to("/"))
}

/// The points, as any client or job changes them, until the session ends.
async fn events(
    headers: HeaderMap,
    who: Authenticated<Visitor>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, StatusCode> {
    // The stream costs a connection: not for a page of another site.
    if headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin") {
        return Err(StatusCode::FORBIDDEN);
    }
    let (_, session) = who.into_parts();
    Ok(Sse::new(stream::unfold(Some(session), |session| async {
        let (event, session) = next(session?).await;
        Some((Ok(event), session))
    })))
}

async fn next(mut session: Session<Visitor>) -> (Event, Option<Session<Visitor>>) {
    let shown = session.points();
    loop {
        let reloaded = match session.changed_elsewhere().await {
            Ok(()) => session.reload().await,
            Err(error) => Err(error),
        };
        match reloaded {
            Ok(()) if session.points() == shown => {}
            Ok(()) => return (Event::default().data(session.points().to_string()), Some(session)),
            Err(SessionError::Gone) => return (ended(session.ended().await), None),
            // The store does not answer: it is asked again.
            Err(_) => {}
        }
    }
}

fn ended(because: EndReason) -> Event {
    Event::default().event("ended").data(because.as_str())
}

/// A job changes sessions without a request.
async fn give_points(sessions: &SessionManager<Visitor>, user: u64) -> Result<(), SessionError> {
    sessions.update(&user, |session| session.add_points(10)).await.map(drop)
}

fn app(sessions: SessionLayer) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/sign-in", post(sign_in))
        .route("/api/sign-in", post(sign_in_for_token))
        .route("/points", post(score))
        .route("/others", post(sign_out_others))
        .route("/events", get(events))
        .layer(sessions)
        .layer(CsrfLayer::new())
}

fn layer() -> SessionLayer {
    SessionLayer::new(MemoryStore::new()).transports(Transports::Both).passive("/events")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // For plain http on your own machine. Leave this call out behind https.
    let layer = layer().insecure_for_development();
    let sessions = layer.manager_for::<Visitor>()?;
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(10)).await;
            if let Err(error) = give_points(&sessions, 1).await {
                eprintln!("no points this time: {error}");
            }
        }
    });
    axum::serve(session_examples::listen().await, app(layer)).await?;
    Ok(())
}

#[cfg(test)]
#[path = "tests/clients.rs"]
mod tests;

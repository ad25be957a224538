//! Run with: cargo run -p session-examples --example oauth
//!
//! The `state` of OAuth, in a keyed nonce. Several tabs may start a sign-in at
//! once, and each returns to its own page. A callback consumes its state, so
//! only one of several requests with the same state signs in.

use std::collections::HashMap;

use axum::extract::{Path, Query};
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};
use session_runtime::store::MemoryStore;
use session_runtime::{Session, SessionError, SessionLayer, SessionSchema};

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user: Option<String>,
    /// The sign-ins that have not returned from the provider, by `state`.
    #[session(nonce = keyed, ttl = "10m")]
    flow: HashMap<String, Flow>,
}

#[derive(Deserialize, Serialize)]
struct Flow {
    /// The PKCE verifier, which the provider requires in exchange for a token.
    verifier: String,
    /// One of our own pages. An address from outside could lead anywhere.
    back_to: Page,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
enum Page {
    News,
    Mail,
}

type Result<T> = std::result::Result<T, SessionError>;

#[expect(clippy::disallowed_methods, reason = "the rule is for the toolkit itself")]
fn random() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| SessionError::NoRandomness)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

async fn begin(mut session: Session<Visitor>, Path(back_to): Path<Page>) -> Result<Redirect> {
    let (state, verifier) = (random()?, random()?);
    session.set_flow(&state, Flow { verifier, back_to });
    Ok(Redirect::to(&format!("/provider?code=ann&state={state}")))
}

#[derive(Deserialize)]
struct Answer {
    state: String,
    code: String,
}

async fn callback(mut session: Session<Visitor>, Query(it): Query<Answer>) -> Result<Response> {
    let Some(flow) = session.consume_flow(&it.state).await? else {
        let text = "this sign-in did not begin here, or is over: please start again\n";
        return Ok((StatusCode::BAD_REQUEST, text).into_response());
    };
    session.set_user(exchange(it.code, &flow.verifier).await);
    Ok(show(session, Path(flow.back_to)).await.into_response())
}

/// Stands for the request to the provider, which returns the user.
async fn exchange(code: String, _verifier: &str) -> String {
    code
}

async fn provider(uri: Uri) -> Html<String> {
    let query = uri.query().unwrap_or_default().replace(['<', '>', '"'], "");
    Html(format!("The provider: <a href=\"/callback?{query}\">I am ann</a>"))
}

async fn show(session: Session<Visitor>, Path(page): Path<Page>) -> Html<String> {
    let user = session.user().unwrap_or("nobody");
    let links = "<a href=/begin/News>Sign in to the news</a> <a href=/begin/Mail>to the mail</a>";
    Html(format!("<p>{page:?}: you are {user}<p>{links}"))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    // For plain http on your own machine. Leave this call out behind https.
    let sessions = SessionLayer::new(MemoryStore::new()).insecure_for_development();
    let app = axum::Router::new()
        .route("/", get(|session| show(session, Path(Page::News))))
        .route("/begin/{page}", get(begin))
        .route("/provider", get(provider))
        .route("/callback", get(callback));
    axum::serve(session_examples::listen().await, app.layer(sessions)).await
}

#[cfg(test)]
#[path = "tests/oauth.rs"]
mod tests;

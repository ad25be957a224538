//! Run with: cargo run -p session-examples --example oauth
//!
//! The `state` of OAuth, in a keyed nonce. Several tabs may start a sign-in at
//! once, and each returns to its own page. A callback consumes its state, so
//! only one of several requests with the same state signs in. When the provider
//! reports that its session has ended, the session here ends too, and the page says why.

use std::collections::HashMap;

use axum::extract::{Form, Path, Query};
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use session_runtime::store::MemoryStore;
use session_runtime::{Session, SessionError, SessionLayer, SessionManager, SessionSchema};

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
    let claims = exchange(it.code, &flow.verifier).await;
    session.set_external_id(claims.sid); // with several providers: and `iss`
    session.set_user(claims.sub);
    Ok(show(session, Path(flow.back_to)).await.into_response())
}

/// Of the provider's ID token.
struct Claims {
    sub: String,
    /// The session at the provider.
    sid: String,
}

/// Stands for the request to the provider, which returns the user.
async fn exchange(code: String, _verifier: &str) -> Claims {
    Claims { sid: format!("session of {code}"), sub: code }
}

#[derive(Deserialize)]
struct LogoutToken {
    sid: String,
}

/// Called by the provider (OpenID Connect Back-Channel Logout). In truth its token is signed: verify
/// that first.
async fn logout(sessions: SessionManager, Form(token): Form<LogoutToken>) -> Result<StatusCode> {
    sessions.revoke_external(&token.sid).await?;
    Ok(StatusCode::OK)
}

async fn provider(uri: Uri) -> Html<String> {
    let query = uri.query().unwrap_or_default().replace(['<', '>', '"'], "");
    Html(format!("The provider: <a href=\"/callback?{query}\">I am ann</a>"))
}

async fn show(session: Session<Visitor>, Path(page): Path<Page>) -> Html<String> {
    let user = session.user().unwrap_or("not signed in");
    let ended = session.ended_because();
    let ended = ended.map(|because| format!(" (ended: {because})")).unwrap_or_default();
    let links = "<a href=/begin/News>Sign in to the news</a> <a href=/begin/Mail>to the mail</a>";
    Html(format!("<p>{page:?}: you are {user}{ended}<p>{links}"))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    // For plain http on your own machine. Leave this call out behind https.
    let sessions = SessionLayer::new(MemoryStore::new()).insecure_for_development();
    let app = axum::Router::new()
        .route("/", get(|session| show(session, Path(Page::News))))
        .route("/begin/{page}", get(begin))
        .route("/provider", get(provider))
        .route("/callback", get(callback))
        .route("/backchannel-logout", post(logout));
    axum::serve(session_examples::listen().await, app.layer(sessions)).await
}

#[cfg(test)]
#[path = "tests/oauth.rs"]
mod tests;

//! Run with: cargo run -p session-examples --example sign_in
//!
//! Signing in with a password, a step that asks for it again, and signing out
//! everywhere. The ticket is taken before the password is checked. If ann signs
//! out everywhere during the check, this sign-in is refused.

use axum::extract::{Form, Query};
use axum::response::{Html, Redirect};
use axum::routing::{get, post};
use session_runtime::store::MemoryStore;
use session_runtime::{
    Authenticated, Fresh, Session, SessionError, SessionLayer, SessionManager, SessionSchema,
};

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user: Option<String>,
    #[session(flash)]
    notice: Option<String>,
}

#[derive(serde::Deserialize)]
struct Login {
    user: String,
    password: String,
}

/// Call `argon2` here, in `spawn_blocking`, and take as long for unknown users.
async fn is_right(login: &Login) -> bool {
    tokio::task::yield_now().await; // hashing takes time
    login.user == "ann" && login.password == "correct horse"
}

async fn sign_in(
    mut session: Session<Visitor>,
    sessions: SessionManager<Visitor>,
    Form(login): Form<Login>,
) -> Result<Redirect, SessionError> {
    let ticket = sessions.login_ticket(&login.user)?;
    if is_right(&login).await {
        session.set_user(login.user);
        session.redeem(ticket);
    } else {
        session.set_notice("Wrong name or password.");
    }
    Ok(Redirect::to("/"))
}

/// Requires a sign-in of the last five minutes: a session that was left open is not enough.
async fn close(mut who: Authenticated<Visitor, Fresh<300>>) -> Redirect {
    who.set_notice("Your account is closed (it is not, really).");
    Redirect::to("/")
}

async fn sign_out_everywhere(
    mut who: Authenticated<Visitor>,
    sessions: SessionManager<Visitor>,
) -> Result<Redirect, SessionError> {
    sessions.revoke_all(who.principal()).await?;
    // `revoke_all` has ended this session too. This also removes the browser's cookie.
    who.destroy();
    Ok(Redirect::to("/"))
}

/// Why the layer has redirected the browser here.
#[derive(Default, serde::Deserialize)]
struct Why {
    proof: Option<String>,
}

async fn home(mut session: Session<Visitor>, Query(why): Query<Why>) -> Html<String> {
    let proof = why.proof.map(|_| "First sign in once more.".to_owned());
    let notice = session.take_notice().or(proof).unwrap_or_default();
    let user = session.user().unwrap_or("nobody");
    Html(format!(
        r#"<p>{notice}<p>Signed in: {user}. (ann, correct horse)
        <form method=post action=/sign-in><input name=user> <input name=password type=password>
        <button>Sign in</button></form> <form method=post><button formaction=/close>Close account
        </button> <button formaction=/sign-out>Sign out everywhere</button></form>"#
    ))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    // For plain http on your own machine. Leave this call out behind https.
    let sessions = SessionLayer::new(MemoryStore::new()).insecure_for_development();
    let app = axum::Router::new()
        .route("/", get(home))
        .route("/sign-in", post(sign_in))
        .route("/close", post(close))
        .route("/sign-out", post(sign_out_everywhere))
        .layer(sessions.login_redirect("/"));
    axum::serve(session_examples::listen().await, app).await
}

#[cfg(test)]
#[path = "tests/sign_in.rs"]
mod tests;

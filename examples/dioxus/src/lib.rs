//! Typed sessions in a Dioxus fullstack application.
//!
//! A server function names its extractors beside its path, and a session is one of them. The
//! handle is dropped, and so published, when the function returns.

use axum::Router;
use dioxus::prelude::*;
use dioxus::server::ServeConfig;
use session_runtime::{Authenticated, Session, SessionLayer, SessionSchema};

#[derive(SessionSchema)]
pub struct Visitor {
    #[session(principal)]
    user: Option<String>,
    #[session(counter)]
    visits: u64,
}

/// Counts a visit, and returns how many there were.
#[post("/api/visit", mut session: Session<Visitor>)]
pub async fn visit() -> Result<u64> {
    session.add_visits(1);
    Ok(session.visits())
}

/// Signs in. The token is renewed by itself.
#[post("/api/sign-in", mut session: Session<Visitor>)]
pub async fn sign_in(name: String) -> Result<()> {
    // After the password was checked.
    session.set_user(name);
    Ok(())
}

#[post("/api/sign-out", mut session: Session<Visitor>)]
pub async fn sign_out() -> Result<()> {
    session.destroy();
    Ok(())
}

/// For signed-in users alone: the extractor answers 401 otherwise.
#[get("/api/whoami", who: Authenticated<Visitor>)]
pub async fn whoami() -> Result<String> {
    Ok(who.principal().clone())
}

/// Who is signed in, if anybody is. Creates no session.
#[get("/api/name", session: Option<Session<Visitor>>)]
pub async fn name() -> Result<Option<String>> {
    Ok(session.and_then(|session| session.user().map(str::to_owned)))
}

#[component]
fn App() -> Element {
    let name = use_server_future(name)?;
    let name = match &*name.read() {
        Some(Ok(Some(name))) => name.clone(),
        _ => "nobody".to_owned(),
    };
    rsx! { p { "Hello, {name}." } }
}

/// The application within `sessions`. A build by Dioxus's tool, which has files for the browser,
/// writes `dioxus::server::router(App)` in place of the first two lines.
pub fn app(sessions: SessionLayer) -> Router {
    Router::new().serve_api_application(ServeConfig::new(), App).layer(sessions.schema::<Visitor>())
}

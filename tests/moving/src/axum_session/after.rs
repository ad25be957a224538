//! The application with typed sessions.

use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use session_runtime::{Session, SessionLayer, SessionSchema};

#[derive(SessionSchema)]
pub struct Visitor {
    #[session(principal, alias = "user_auth_session_id")]
    user: Option<i64>,
    #[session(default = "en")]
    locale: String,
    #[session(counter)]
    count: u64,
}

async fn home(session: Session<Visitor>) -> String {
    format!("{:?} {} {}", session.user(), session.locale(), session.count())
}

async fn login(mut session: Session<Visitor>, Path(user): Path<i64>) {
    session.set_user(user);
}

async fn locale(mut session: Session<Visitor>, Path(locale): Path<String>) {
    session.set_locale(locale);
    session.add_count(1);
}

async fn logout(mut session: Session<Visitor>) {
    session.destroy();
}

pub fn app(layer: SessionLayer) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/login/{user}", post(login))
        .route("/locale/{locale}", post(locale))
        .route("/logout", post(logout))
        .layer(layer.schema::<Visitor>())
}

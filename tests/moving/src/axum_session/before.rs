//! The application with axum_session.

use ::axum_session::{Session, SessionConfig, SessionLayer, SessionStore};
use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use axum_session_sqlx::SessionSqlitePool;

type Visit = Session<SessionSqlitePool>;

/// The key of `AuthSession::login_user`, by default.
const USER: &str = "user_auth_session_id";

async fn home(session: Visit) -> String {
    let user: Option<i64> = session.get(USER);
    let locale: Option<String> = session.get("locale");
    let count: u64 = session.get("count").unwrap_or(0);
    format!("{user:?} {} {count}", locale.as_deref().unwrap_or("en"))
}

/// Does what `AuthSession::login_user` does.
async fn login(session: Visit, Path(user): Path<i64>) {
    session.set(USER, user);
    session.renew();
}

async fn locale(session: Visit, Path(locale): Path<String>) {
    session.set("locale", locale);
    session.set("count", session.get("count").unwrap_or(0_u64) + 1);
}

async fn logout(session: Visit) {
    session.destroy();
}

pub async fn app(pool: &SessionSqlitePool, config: SessionConfig) -> Router {
    let store = SessionStore::new(Some(pool.clone()), config).await.unwrap();
    Router::new()
        .route("/", get(home))
        .route("/login/{user}", post(login))
        .route("/locale/{locale}", post(locale))
        .route("/logout", post(logout))
        .layer(SessionLayer::new(store))
}

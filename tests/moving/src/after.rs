//! The application with typed sessions.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum_login::{AuthUser as _, AuthnBackend as _};
use session_runtime::tower_sessions_014::TowerSessionsLegacy;
use session_runtime::{Session, SessionLayer, SessionSchema};
use tower_sessions_sqlx_store::SqliteStore;

use crate::users::Users;

#[derive(SessionSchema)]
pub struct Visitor {
    #[session(principal, alias = "member")]
    user_id: Option<i64>,
    #[session(default = "en")]
    locale: String,
}

async fn home(State(users): State<Users>, session: Session<Visitor>) -> String {
    let user = match session.user_id() {
        Some(id) => users.find(id).await.unwrap(),
        None => None,
    };
    format!("{:?} {}", user.map(|user| user.name), session.locale())
}

async fn login(
    State(users): State<Users>,
    mut session: Session<Visitor>,
    Path(credentials): Path<(String, String)>,
) -> StatusCode {
    let Some(user) = users.authenticate(credentials).await.unwrap() else {
        return StatusCode::UNAUTHORIZED;
    };
    session.set_user_id(user.id);
    StatusCode::OK
}

async fn locale(mut session: Session<Visitor>, Path(locale): Path<String>) {
    session.set_locale(locale);
}

async fn logout(mut session: Session<Visitor>) {
    session.destroy();
}

pub fn app(layer: SessionLayer, users: &Users) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/login/{name}/{password}", post(login))
        .route("/locale/{locale}", post(locale))
        .route("/logout", post(logout))
        .layer(layer.schema::<Visitor>())
        .with_state(users.clone())
}

/// What axum-login left in their store.
pub fn left(store: SqliteStore, users: &Users) -> TowerSessionsLegacy<SqliteStore> {
    let users = users.clone();
    let legacy = TowerSessionsLegacy::new(store).map(|mut data| {
        data.remove("member");
        data
    });
    legacy.axum_login("user_id", move |id: i64| {
        let users = users.clone();
        async move {
            let user = users.find(id).await?;
            Ok(user.map(|user| user.session_auth_hash().to_vec()))
        }
    })
}

//! The application with axum-login.

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum_login::tower_sessions::{SessionManagerLayer, SessionStore};
use axum_login::{AuthManagerLayerBuilder, AuthSession};
use tower_sessions_sqlx_store::SqliteStore;

use crate::users::Users;

type Auth = AuthSession<Users>;

async fn home(auth: Auth) -> String {
    let locale: Option<String> = auth.session.get("locale").await.unwrap();
    let name = auth.user.map(|user| user.name);
    format!("{name:?} {}", locale.as_deref().unwrap_or("en"))
}

async fn login(mut auth: Auth, Path(credentials): Path<(String, String)>) -> StatusCode {
    let Some(user) = auth.authenticate(credentials).await.unwrap() else {
        return StatusCode::UNAUTHORIZED;
    };
    auth.login(&user).await.unwrap();
    StatusCode::OK
}

async fn locale(auth: Auth, Path(locale): Path<String>) {
    auth.session.insert("locale", locale).await.unwrap();
}

/// A key of the application that has nothing to do with who is signed in.
async fn member(auth: Auth, Path(id): Path<i64>) {
    auth.session.insert("member", id).await.unwrap();
}

async fn logout(mut auth: Auth) {
    auth.logout().await.unwrap();
}

/// On any store of theirs, or one of ours that looks like one.
pub fn app(store: impl SessionStore + Clone, users: &Users) -> Router {
    let layer = AuthManagerLayerBuilder::new(users.clone(), SessionManagerLayer::new(store));
    Router::new()
        .route("/", get(home))
        .route("/login/{name}/{password}", post(login))
        .route("/locale/{locale}", post(locale))
        .route("/member/{id}", post(member))
        .route("/logout", post(logout))
        .layer(layer.build())
}

/// Their store on SQLite, in the file of the users.
pub async fn store(users: &Users) -> SqliteStore {
    let store = SqliteStore::new(users.0.clone());
    store.migrate().await.unwrap();
    store
}

//! The application of `before` on typed sessions, with its handlers: only what reads or writes
//! the session itself has changed.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use session_runtime::axum_login::{AuthLayer, AuthSession};
use session_runtime::{Authenticated, Session, SessionLayer};

use crate::after::Visitor;
use crate::users::Users;

type Auth = AuthSession<Users, Visitor>;

async fn home(auth: Auth) -> String {
    let name = auth.user.map(|user| user.name);
    format!("{name:?} {}", auth.session.locale())
}

async fn login(mut auth: Auth, Path(credentials): Path<(String, String)>) -> StatusCode {
    let Some(user) = auth.authenticate(credentials).await.unwrap() else {
        return StatusCode::UNAUTHORIZED;
    };
    auth.login(&user).await.unwrap();
    StatusCode::OK
}

async fn locale(mut auth: Auth, Path(locale): Path<String>) {
    auth.session.set_locale(locale);
}

async fn logout(mut auth: Auth) {
    auth.logout().await.unwrap();
}

/// A handler that was changed already, and knows nothing of axum-login.
async fn sign_in(mut session: Session<Visitor>, Path(user): Path<i64>) {
    session.set_user_id(user);
}

/// As above. Signing in again renews the token.
async fn password(
    State(users): State<Users>,
    mut who: Authenticated<Visitor>,
    Path(password): Path<String>,
) {
    let id = *who.principal();
    users.set_password(id, &password).await;
    who.set_user_id(id);
}

/// As above.
async fn act_as(mut who: Authenticated<Visitor>, Path(user): Path<i64>) {
    who.act_as(user);
}

/// As above.
async fn stop_acting(mut session: Session<Visitor>) {
    session.stop_acting().await.unwrap();
}

/// As above.
async fn account(who: Authenticated<Visitor>) -> String {
    who.principal().to_string()
}

pub fn layer(sessions: SessionLayer, users: &Users) -> AuthLayer<Users> {
    AuthLayer::new::<Visitor>(users.clone(), sessions.exclude("/health"))
}

pub fn app(layer: AuthLayer<Users>, users: &Users) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/login/{name}/{password}", post(login))
        .route("/locale/{locale}", post(locale))
        .route("/logout", post(logout))
        .route("/sign-in/{user}", post(sign_in))
        .route("/password/{password}", post(password))
        .route("/act-as/{user}", post(act_as))
        .route("/stop-acting", post(stop_acting))
        .route("/account", get(account))
        .route("/health", get(async || "well"))
        .layer(layer)
        .route("/outside", get(home))
        .with_state(users.clone())
}

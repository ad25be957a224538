//! The application of `before` on typed sessions, with its handlers: only what reads or writes
//! the session itself has changed.

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};
use session_runtime::axum_login::{AuthLayer, AuthSession};
use session_runtime::{Authenticated, Session, SessionLayer, SessionSchema};

use crate::after::Visitor;
use crate::users::{User, Users};

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

/// As above. The password was asked for once more.
async fn prove(mut who: Authenticated<Visitor>) {
    who.reauthenticated();
}

/// Signs out whoever comes along.
async fn banned(mut auth: Auth, request: Request, next: Next) -> Response {
    auth.logout().await.unwrap();
    drop(auth);
    next.run(request).await
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

/// Signs one user out and another one in.
async fn switch(mut auth: Auth, Path(credentials): Path<(String, String)>) {
    auth.logout().await.unwrap();
    let user = auth.authenticate(credentials).await.unwrap().unwrap();
    auth.login(&user).await.unwrap();
}

/// Signs in, and drops what it has not published.
async fn discard(mut auth: Auth, Path(credentials): Path<(String, String)>) {
    let user = auth.authenticate(credentials).await.unwrap().unwrap();
    auth.login(&user).await.unwrap();
    auth.session.discard();
}

/// Signs in on a session that another handle has ended meanwhile.
async fn too_late(
    mut auth: Auth,
    mut session: Session<Visitor>,
    Path(credentials): Path<(String, String)>,
) {
    session.destroy();
    let user = auth.authenticate(credentials).await.unwrap().unwrap();
    auth.login(&user).await.unwrap();
}

/// Signs in, and fails.
async fn fail(mut auth: Auth, Path(credentials): Path<(String, String)>) -> StatusCode {
    let user = auth.authenticate(credentials).await.unwrap().unwrap();
    auth.login(&user).await.unwrap();
    auth.session.save().await.unwrap();
    StatusCode::INTERNAL_SERVER_ERROR
}

pub fn layer(sessions: SessionLayer, users: &Users) -> AuthLayer<Users> {
    AuthLayer::new::<Visitor>(users.clone(), sessions.exclude("/health"))
}

pub fn app(layer: AuthLayer<Users>, users: &Users) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/login/{name}/{password}", post(login))
        .route("/switch/{name}/{password}", post(switch))
        .route("/discard/{name}/{password}", post(discard))
        .route("/too-late/{name}/{password}", post(too_late))
        .route("/fail/{name}/{password}", post(fail))
        .route("/locale/{locale}", post(locale))
        .route("/logout", post(logout))
        .route("/sign-in/{user}", post(sign_in))
        .route("/password/{password}", post(password))
        .route("/prove", post(prove))
        .route("/banned", get(home).layer(from_fn(banned)))
        .route("/act-as/{user}", post(act_as))
        .route("/stop-acting", post(stop_acting))
        .route("/account", get(account))
        .route("/static", get(async || "the same for everybody"))
        .route("/health", get(async || "well"))
        .layer(layer)
        .route("/outside", get(home))
        .with_state(users.clone())
}

/// Another kind of users, with sessions of their own beside those of the visitors.
#[derive(SessionSchema)]
#[session(namespace = "staff")]
pub struct Staff {
    #[session(principal)]
    user_id: Option<i64>,
}

/// An application for the staff alone.
pub fn staff(sessions: SessionLayer) -> Router {
    Router::new().route("/staff/{user}", post(sign_in_staff)).layer(sessions)
}

async fn sign_in_staff(mut session: Session<Staff>, Path(user): Path<i64>) {
    session.set_user_id(user);
}

async fn staff_login(
    mut auth: AuthSession<Users, Staff>,
    Path(credentials): Path<(String, String)>,
) {
    let user = auth.authenticate(credentials).await.unwrap().unwrap();
    auth.login(&user).await.unwrap();
}

async fn both(auth: Auth, staff: AuthSession<Users, Staff>) -> String {
    let name = |user: Option<User>| user.map(|user| user.name);
    format!("{:?} {:?}", name(auth.user), name(staff.user))
}

/// `visitors` within `staff`.
pub fn nested(visitors: SessionLayer, staff: SessionLayer, users: &Users) -> Router {
    Router::new()
        .route("/", get(both))
        .route("/login/{name}/{password}", post(login))
        .route("/staff/{name}/{password}", post(staff_login))
        .layer(AuthLayer::new::<Visitor>(users.clone(), visitors))
        .layer(AuthLayer::new::<Staff>(users.clone(), staff))
}

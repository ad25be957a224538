//! The application, and how long its sessions live.

use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use session_runtime::AtLimit;
use session_runtime::store::AnyStore;
use session_runtime::{Session, SessionLayer, SessionManager, SessionSchema};

pub(crate) const IDLE: Duration = Duration::from_secs(30 * 60);
pub(crate) const ABSOLUTE: Duration = Duration::from_secs(12 * 60 * 60);
pub(crate) const RENEW_AFTER: Duration = Duration::from_secs(5 * 60);
/// Sessions of one user.
pub(crate) const CAP: u32 = 3;

#[derive(SessionSchema)]
pub(crate) struct Member {
    #[session(principal)]
    user: Option<u64>,
    #[session(counter)]
    visits: u64,
    note: Option<u64>,
    cart: Vec<u64>,
    #[session(default = "en")]
    locale: String,
}

pub(crate) fn layer(store: AnyStore) -> SessionLayer {
    SessionLayer::new(store)
        .idle_timeout(Some(IDLE))
        .absolute_timeout(Some(ABSOLUTE))
        .renew_after(Some(RENEW_AFTER))
        .max_sessions(CAP, AtLimit::EvictOldest)
        // Four threads on two processors: what is looked for here is what is
        // lost, not what is late.
        .store_timeout(Duration::from_secs(60))
}

pub(crate) fn app(layer: SessionLayer) -> Router {
    Router::new()
        .route("/sign-in/{user}", post(sign_in))
        .route("/visit/{n}", post(visit))
        .route("/note/{n}", post(note))
        .route("/push/{n}", post(push))
        .route("/read", get(read))
        .route("/logout", post(|mut s: Session<Member>| async move { s.destroy() }))
        .route("/everywhere", post(everywhere))
        .layer(layer)
}

async fn sign_in(Path(user): Path<u64>, mut session: Session<Member>) {
    session.set_user(user);
    session.set_locale("de");
}

async fn visit(Path(n): Path<i64>, mut session: Session<Member>) {
    session.add_visits(n);
}

async fn note(Path(n): Path<u64>, mut session: Session<Member>) {
    session.set_note(n);
}

async fn push(Path(n): Path<u64>, mut session: Session<Member>) {
    let cart = session.cart_mut();
    cart.push(n);
    if cart.len() > 4 {
        cart.remove(0);
    }
}

async fn read(session: Session<Member>) -> String {
    let Some(user) = session.user() else { return "nobody".to_owned() };
    shown(user, session.visits(), session.note(), session.cart())
}

/// A session as `/read` shows it.
pub(crate) fn shown(user: u64, visits: u64, note: Option<u64>, cart: &[u64]) -> String {
    format!("{user} {visits} {note:?} {cart:?}")
}

async fn everywhere(session: Session<Member>, sessions: SessionManager) -> String {
    let user = session.user().expect("signed in");
    sessions.revoke_all(&user).await.expect("the store answers").to_string()
}

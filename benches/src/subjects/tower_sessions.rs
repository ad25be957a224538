//! `tower-sessions` as its documentation shows it: one typed value under one key.

use axum::Router;
use axum::routing::get;
use tower_sessions::cookie::{SameSite, time::Duration};
use tower_sessions::{Expiry, MemoryStore, Session, SessionManagerLayer};

use crate::shape::{Shape, next_user};

const KEY: &str = "data";

/// The service.
pub fn router<S: Shape>(store: MemoryStore) -> Router {
    let layer = SessionManagerLayer::new(store)
        .with_name("__Host-session")
        .with_same_site(SameSite::Lax)
        .with_expiry(Expiry::OnInactivity(Duration::minutes(30)));
    Router::new()
        .route("/ignore", get(|| async { "ok" }))
        .route("/read", get(read::<S>))
        .route("/change", get(change::<S>))
        .route("/login", get(login::<S>))
        .route("/renew", get(renew))
        .layer(layer)
}

async fn data<S: Shape>(session: &Session) -> S {
    session.get(KEY).await.expect("decodes").expect("signed in")
}

async fn read<S: Shape>(session: Session) -> String {
    data::<S>(&session).await.visits_mut().to_string()
}

async fn change<S: Shape>(session: Session) -> String {
    let mut data = data::<S>(&session).await;
    *data.visits_mut() += 1;
    session.insert(KEY, &data).await.expect("encodes");
    data.visits_mut().to_string()
}

async fn login<S: Shape>(session: Session) -> &'static str {
    session.insert(KEY, S::of(next_user())).await.expect("encodes");
    "ok"
}

async fn renew(session: Session) -> &'static str {
    session.cycle_id().await.expect("stored");
    "ok"
}

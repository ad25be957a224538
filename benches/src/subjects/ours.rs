//! This toolkit, with its default settings.

use axum::Router;
use axum::routing::get;
use session_runtime::store::SessionStore;
use session_runtime::{Session, SessionLayer};

use crate::shape::{Shape, next_user};

/// The service.
pub fn router<S: Shape>(store: impl SessionStore) -> Router {
    layered::<S>(SessionLayer::new(store))
}

/// The service with another layer.
pub fn layered<S: Shape>(layer: SessionLayer) -> Router {
    Router::new()
        .route("/ignore", get(|| async { "ok" }))
        .route("/read", get(read::<S>))
        .route("/change", get(change::<S>))
        .route("/login", get(login::<S>))
        .route("/renew", get(renew::<S>))
        .layer(layer)
}

async fn read<S: Shape>(session: Session<S>) -> String {
    S::read(&session).to_string()
}

async fn change<S: Shape>(mut session: Session<S>) -> String {
    S::change(&mut session).to_string()
}

async fn login<S: Shape>(mut session: Session<S>) -> &'static str {
    S::of(next_user()).fill(&mut session);
    "ok"
}

async fn renew<S: Shape>(mut session: Session<S>) -> &'static str {
    session.regenerate();
    "ok"
}

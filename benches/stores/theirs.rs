//! `tower-sessions` 0.14 on its own Redis store, set up as the documentation of
//! that shows it. (The store does not fit 0.15 yet.)

use axum::Router;
use axum::routing::get;
use session_benches::shape::{Shape, next_user};
use tower_sessions_014::cookie::{SameSite, time::Duration};
use tower_sessions_014::{Expiry, Session, SessionManagerLayer};
use tower_sessions_redis_store::RedisStore;
use tower_sessions_redis_store::fred::prelude::{ClientLike, Config, Pool};

const KEY: &str = "data";

/// The service.
pub(crate) async fn router<S: Shape>(url: &str) -> Router {
    let config = Config::from_url(url).expect("a URL");
    let pool = Pool::new(config, None, None, None, 6).expect("a pool");
    pool.connect();
    pool.wait_for_connect().await.expect("it runs");
    let layer = SessionManagerLayer::new(RedisStore::new(pool))
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

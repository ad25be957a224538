//! `tower-sessions` as its documentation shows it: one typed value under one key.

/// The same text for two versions, as the store on Redis does not fit 0.15 yet.
macro_rules! application {
    ($library:ident) => {
        use axum::Router;
        use axum::routing::get;
        use $library::cookie::{SameSite, time::Duration};
        use $library::{Expiry, Session, SessionManagerLayer, SessionStore};

        use crate::shape::{Shape, next_user};

        const KEY: &str = "data";

        /// The service.
        pub fn router<S: Shape>(store: impl SessionStore + Clone) -> Router {
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
    };
}

/// For its memory store.
pub mod in_process {
    application!(tower_sessions);
}

/// For its store on Redis.
pub mod on_redis {
    use tower_sessions_redis_store::RedisStore;
    use tower_sessions_redis_store::fred::prelude::{ClientLike, Config, Pool};

    application!(tower_sessions_014);

    /// Six connections, as the documentation of the store has it.
    ///
    /// # Panics
    ///
    /// If the server does not answer.
    pub async fn connect(url: &str) -> RedisStore<Pool> {
        let config = Config::from_url(url).expect("a URL");
        let pool = Pool::new(config, None, None, None, 6).expect("a pool");
        pool.connect();
        pool.wait_for_connect().await.expect("it runs");
        RedisStore::new(pool)
    }
}

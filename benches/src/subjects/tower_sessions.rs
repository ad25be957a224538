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

/// For its stores on Redis, on SQL servers and in a file.
pub mod on_servers {
    use std::path::Path;
    use std::time::Duration as Time;

    use tower_sessions_redis_store::RedisStore;
    use tower_sessions_redis_store::fred::prelude::{ClientLike, Config, Pool};
    use tower_sessions_sqlx_store::sqlx::sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous,
    };
    use tower_sessions_sqlx_store::sqlx::{MySqlPool, PgPool, SqlitePool};
    use tower_sessions_sqlx_store::{MySqlStore, PostgresStore, SqliteStore};

    application!(tower_sessions_014);

    /// Six connections, as the documentation of the store has it.
    ///
    /// # Panics
    ///
    /// If the server does not answer.
    pub async fn redis(url: &str) -> RedisStore<Pool> {
        let config = Config::from_url(url).expect("a URL");
        let pool = Pool::new(config, None, None, None, 6).expect("a pool");
        pool.connect();
        pool.wait_for_connect().await.expect("it runs");
        RedisStore::new(pool)
    }

    /// The pool as it is by default, with ten connections.
    ///
    /// # Panics
    ///
    /// If the server does not answer.
    pub async fn postgres(url: &str) -> PostgresStore {
        let store = PostgresStore::new(PgPool::connect(url).await.expect("it runs"));
        store.migrate().await.expect("tables");
        store
    }

    /// The same; the tables are in the database that the URL names.
    ///
    /// # Panics
    ///
    /// If the server does not answer.
    pub async fn mariadb(url: &str) -> MySqlStore {
        let store = MySqlStore::new(MySqlPool::connect(url).await.expect("it runs"));
        let database = url.rsplit('/').next().unwrap_or_default();
        let store = store.with_schema_name(database).expect("a name");
        store.migrate().await.expect("tables");
        store
    }

    /// The same with the durability of our store, and with patience: ten connections
    /// wait for each other to write.
    ///
    /// # Panics
    ///
    /// If there can be no such file.
    pub async fn sqlite(path: &Path) -> SqliteStore {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Time::from_secs(60));
        let store = SqliteStore::new(SqlitePool::connect_with(options).await.expect("a file"));
        store.migrate().await.expect("tables");
        store
    }
}

//! From a name to a service.

use std::path::PathBuf;

use axum::Router;
use session_runtime::store::{
    CachedStore, MemoryStore, MySqlStore, PostgresStore, RedisStore, SqliteStore,
};

use super::{bare, by_hand, ours, tower_sessions};
use crate::scenario::{Size, Who};
use crate::shape::{Large, Shape, Small};

/// Where sessions are kept.
#[derive(Clone, Debug)]
pub enum Engine {
    /// In this process.
    Memory,
    /// On the Redis server at this URL.
    Redis(String),
    /// In the PostgreSQL database at this URL.
    Postgres(String),
    /// In the MariaDB database at this URL.
    MariaDb(String),
    /// In this file of SQLite.
    Sqlite(PathBuf),
}

/// A fresh service of one subject.
///
/// # Panics
///
/// If the server does not answer.
pub async fn service(who: Who, size: Size, engine: &Engine) -> Router {
    match size {
        Size::Small => of::<Small>(who, engine).await,
        Size::Large => of::<Large>(who, engine).await,
    }
}

async fn of<S: Shape>(who: Who, engine: &Engine) -> Router {
    match who {
        Who::Bare => bare::router::<S>(),
        Who::Layered => bare::router::<S>().layer(bare::Nothing),
        Who::ByHand => by_hand::<S>(engine).await,
        Who::TowerSessions => tower_sessions::<S>(engine).await,
        Who::Ours => ours::<S>(engine).await,
        Who::Cached => cached::<S>(engine).await,
    }
}

async fn by_hand<S: Shape>(engine: &Engine) -> Router {
    use by_hand::{router, sql, sqlite};
    match engine {
        Engine::Memory => router::<S, _>(by_hand::Map::<S>::default()),
        Engine::Redis(url) => router::<S, _>(by_hand::redis::connect(url).await),
        Engine::Postgres(url) => router::<S, _>(sql::postgres(url).await),
        Engine::MariaDb(url) => router::<S, _>(sql::mariadb(url).await),
        Engine::Sqlite(file) => router::<S, _>(sqlite::open(file)),
    }
}

async fn tower_sessions<S: Shape>(engine: &Engine) -> Router {
    use tower_sessions::{in_process, on_servers};
    match engine {
        Engine::Memory => in_process::router::<S>(::tower_sessions::MemoryStore::default()),
        Engine::Redis(url) => on_servers::router::<S>(on_servers::redis(url).await),
        Engine::Postgres(url) => on_servers::router::<S>(on_servers::postgres(url).await),
        Engine::MariaDb(url) => on_servers::router::<S>(on_servers::mariadb(url).await),
        Engine::Sqlite(file) => on_servers::router::<S>(on_servers::sqlite(file).await),
    }
}

/// The defaults, but for sweeping in databases: nothing expires here, and its statements
/// would be counted.
async fn ours<S: Shape>(engine: &Engine) -> Router {
    match engine {
        Engine::Memory => ours::router::<S>(MemoryStore::new()),
        Engine::Redis(url) => ours::router::<S>(RedisStore::connect(url).await.expect("it runs")),
        Engine::Postgres(url) => {
            let options = PostgresStore::options().sweep_interval(None);
            ours::router::<S>(options.connect(url).await.expect("it runs"))
        }
        Engine::MariaDb(url) => {
            let options = MySqlStore::options().sweep_interval(None);
            ours::router::<S>(options.connect(url).await.expect("it runs"))
        }
        Engine::Sqlite(file) => {
            let options = SqliteStore::options().sweep_interval(None);
            ours::router::<S>(options.open(file).await.expect("a file"))
        }
    }
}

async fn cached<S: Shape>(engine: &Engine) -> Router {
    match engine {
        Engine::Redis(url) => {
            let store = RedisStore::connect(url).await.expect("it runs");
            ours::router::<S>(CachedStore::coherent(store))
        }
        // The others do not tell of changes.
        _ => ours::<S>(engine).await,
    }
}

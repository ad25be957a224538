//! From a name to a service.

use axum::Router;
use session_runtime::store::{CachedStore, MemoryStore, RedisStore};

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
    match (who, engine) {
        (Who::Bare, _) => bare::router::<S>(),
        (Who::Layered, _) => bare::router::<S>().layer(bare::Nothing),
        (Who::ByHand, Engine::Memory) => by_hand::router::<S, _>(by_hand::Map::<S>::default()),
        (Who::ByHand, Engine::Redis(url)) => {
            by_hand::router::<S, _>(by_hand::redis::connect(url).await)
        }
        (Who::TowerSessions, Engine::Memory) => {
            tower_sessions::in_process::router::<S>(::tower_sessions::MemoryStore::default())
        }
        (Who::TowerSessions, Engine::Redis(url)) => {
            let store = tower_sessions::on_redis::connect(url).await;
            tower_sessions::on_redis::router::<S>(store)
        }
        // A cache in front of this process's memory would be a second one.
        (Who::Ours | Who::Cached, Engine::Memory) => ours::router::<S>(MemoryStore::new()),
        (Who::Ours, Engine::Redis(url)) => ours::router::<S>(connect(url).await),
        (Who::Cached, Engine::Redis(url)) => {
            ours::router::<S>(CachedStore::coherent(connect(url).await))
        }
    }
}

async fn connect(url: &str) -> RedisStore {
    RedisStore::connect(url).await.expect("it runs")
}

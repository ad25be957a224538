//! The whole struct as JSON: `GET`, `SET … EX` and `RENAME`.

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, cmd};

use super::Structs;
use crate::shape::Shape;

const SECONDS: u32 = 1_800;

/// One connection for all requests, set up as `RedisStore` does.
///
/// # Panics
///
/// If the server does not answer.
pub async fn connect(url: &str) -> MultiplexedConnection {
    let client = Client::open(url).expect("a URL");
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    client.get_multiplexed_async_connection_with_config(&config).await.expect("it runs")
}

async fn load<S: Shape>(server: &mut MultiplexedConnection, key: &str) -> S {
    let json: Vec<u8> = cmd("GET").arg(key).query_async(server).await.expect("answered");
    serde_json::from_slice(&json).expect("decodes")
}

impl<S: Shape> Structs<S> for MultiplexedConnection {
    async fn read(&mut self, key: &str) -> u32 {
        *load::<S>(self, key).await.visits_mut()
    }

    async fn change(&mut self, key: &str) -> u32 {
        let mut value = load::<S>(self, key).await;
        *value.visits_mut() += 1;
        let visits = *value.visits_mut();
        self.insert(key, value).await;
        visits
    }

    async fn insert(&mut self, key: &str, value: S) {
        let json = serde_json::to_vec(&value).expect("encodes");
        let mut set = cmd("SET");
        set.arg(key).arg(json).arg("EX").arg(SECONDS);
        set.query_async::<()>(self).await.expect("answered");
    }

    async fn rename(&mut self, old: &str, new: &str) {
        let mut rename = cmd("RENAME");
        rename.arg(old).arg(new).query_async::<()>(self).await.expect("answered");
    }
}

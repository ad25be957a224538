//! `GET`, `SET … EX` and `RENAME`.

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, cmd};

use super::json::Texts;

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

impl Texts for MultiplexedConnection {
    async fn get(&mut self, key: &str) -> Vec<u8> {
        cmd("GET").arg(key).query_async(self).await.expect("answered")
    }

    async fn set(&mut self, key: &str, json: String) {
        let mut set = cmd("SET");
        set.arg(key).arg(json).arg("EX").arg(SECONDS);
        set.query_async::<()>(self).await.expect("answered");
    }

    async fn add(&mut self, key: &str, json: String) {
        self.set(key, json).await;
    }

    async fn rename(&mut self, old: &str, new: &str) {
        let mut rename = cmd("RENAME");
        rename.arg(old).arg(new).query_async::<()>(self).await.expect("answered");
    }
}

//! A connection on which a server reports changes.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, ProtocolVersion, PushInfo, PushKind, RedisError,
    Value,
};
use tokio::sync::Notify;

use super::layout::session_in;
use super::nodes::{Primary, slots};
use crate::store::ChangeSink;

/// A RESP3 connection with tracking in broadcast mode: every change of a key under the prefix is
/// reported, whichever connection has read it.
pub(super) struct Line(MultiplexedConnection);

/// Receives the notifications of a feed's connections, in order: everything that a server has sent
/// before its answer to a command is handled before that answer.
pub(super) struct Ear {
    prefix: String,
    sink: ChangeSink,
    over: AtomicBool,
    woken: Notify,
}

impl Ear {
    pub(super) fn new(prefix: &str, sink: &ChangeSink) -> Arc<Self> {
        Arc::new(Self {
            prefix: prefix.to_owned(),
            sink: sink.clone(),
            over: AtomicBool::new(false),
            woken: Notify::new(),
        })
    }

    /// Whether one of the connections has ended.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Waits until one of the connections has ended.
    pub(super) async fn over(&self) {
        self.woken.notified().await;
    }

    fn hears(&self, push: &PushInfo) {
        match push.kind {
            PushKind::Invalidate => match push.data.first() {
                Some(Value::Array(keys)) => keys.iter().for_each(|key| self.changed(key)),
                // The whole database was flushed.
                _ => self.sink.everything(),
            },
            PushKind::Disconnection => {
                self.over.store(true, Ordering::Release);
                self.sink.lost();
                self.woken.notify_one();
            }
            _ => {}
        }
    }

    fn changed(&self, key: &Value) {
        let Value::BulkString(key) = key else { return self.sink.everything() };
        // Other keys under the prefix belong to the index.
        if let Some(id) = session_in(&self.prefix, key) {
            self.sink.changed(id);
        }
    }
}

impl Line {
    pub(super) async fn open(
        to: ConnectionInfo,
        ear: Arc<Ear>,
        timeout: Duration,
    ) -> Result<Self, RedisError> {
        let settings = to.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let client = Client::open(to.set_redis_settings(settings))?;
        let mut track = redis::cmd("CLIENT");
        track.arg("TRACKING").arg("ON").arg("BCAST");
        if !ear.prefix.is_empty() {
            track.arg("PREFIX").arg(&ear.prefix);
        }
        let hears = move |push: PushInfo| {
            ear.hears(&push);
            Ok::<_, Infallible>(())
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(timeout))
            .set_response_timeout(Some(timeout))
            .set_push_sender(hears);
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        track.query_async::<()>(&mut connection).await?;
        Ok(Self(connection))
    }

    /// Sends a heartbeat; returns the primaries that a node of a cluster knows.
    pub(super) async fn beat(&mut self, cluster: bool) -> Result<Vec<Primary>, RedisError> {
        if cluster {
            return Ok(Primary::all(&slots().query_async(&mut self.0).await?));
        }
        redis::cmd("PING").query_async::<()>(&mut self.0).await?;
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SessionId;

    #[test]
    fn only_keys_of_sessions_are_sessions() {
        let id = SessionId::from_bytes([7; 16]);
        let key = |text: String| session_in("shop:", text.as_bytes());
        assert_eq!(key(format!("shop:{id}")), Some(id));
        for other in
            [format!("shop:p:{id}"), format!("shop:x:{id}"), format!("{id}"), "shop:".into()]
        {
            assert_eq!(key(other.clone()), None, "{other}");
        }
    }
}

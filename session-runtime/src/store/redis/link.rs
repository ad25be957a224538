//! Connections, and how they come back.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use redis::sentinel::SentinelClient;
use redis::{AsyncConnectionConfig, Client, Cmd, RedisError, Value};

use super::target::Target;

/// A way to the servers that repairs itself.
pub(super) enum Link {
    /// One connection that all requests share, to one server at a time.
    Single(Box<Single>),
    /// One such connection to every primary; the client library follows
    /// redirects and learns the topology anew.
    Cluster(Box<ClusterConnection>),
}

pub(super) struct Single {
    source: Source,
    connect_timeout: Duration,
    current: Mutex<Current>,
    /// Held while a connection is made, so that one is.
    connecting: tokio::sync::Mutex<()>,
}

enum Source {
    Client(Box<Client>),
    /// Asked anew for every connection.
    Sentinel(Arc<tokio::sync::Mutex<SentinelClient>>),
}

#[derive(Default)]
struct Current {
    connection: Option<MultiplexedConnection>,
    /// Which connection that is, or was.
    number: u64,
}

impl Link {
    pub(super) async fn open(target: Target, timeout: Duration) -> Result<Self, RedisError> {
        let source = match target {
            Target::Cluster(client) => {
                return Ok(Self::Cluster(Box::new(client.get_async_connection().await?)));
            }
            Target::Single(client) => Source::Client(client),
            Target::Sentinel(client) => Source::Sentinel(client),
        };
        let single = Single {
            source,
            connect_timeout: timeout,
            current: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
        };
        single.get().await?;
        Ok(Self::Single(Box::new(single)))
    }

    pub(super) const fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }

    /// Sends `command` once. Whether an error came after it may have been sent
    /// stands in the second half.
    pub(super) async fn call(&self, command: &Cmd) -> Result<Value, (RedisError, bool)> {
        match self {
            Self::Cluster(connection) => {
                let mut connection = connection.clone();
                let answer = connection.req_packed_command(command).await;
                answer.and_then(Value::extract_error).map_err(|error| (error, true))
            }
            Self::Single(single) => {
                let (mut connection, number) =
                    single.get().await.map_err(|error| (error, false))?;
                let answer = connection.req_packed_command(command).await;
                answer.and_then(Value::extract_error).map_err(|error| {
                    if super::failure::is_passing(&error) {
                        single.give_up(number);
                    }
                    (error, true)
                })
            }
        }
    }

    /// Sends `command` to the primary of `slot`, or to the one server.
    pub(super) async fn call_at(
        &self,
        slot: u16,
        command: &Cmd,
    ) -> Result<Value, (RedisError, bool)> {
        let Self::Cluster(connection) = self else { return self.call(command).await };
        let route = SingleNodeRoutingInfo::SpecificNode(Route::new(slot, SlotAddr::Master));
        let mut connection = connection.clone();
        let answer =
            connection.route_command(command.clone(), RoutingInfo::SingleNode(route)).await;
        answer.and_then(Value::extract_error).map_err(|error| (error, true))
    }

    /// Sends `command` about `key` and, behind it on the same connection, a
    /// `WAIT`: the answer, and how many replicas have it.
    pub(super) async fn call_and_wait(
        &self,
        key: &str,
        command: &Cmd,
        wait: &Cmd,
    ) -> Result<(Value, Value), (RedisError, bool)> {
        let mut pipeline = redis::Pipeline::with_capacity(2);
        pipeline.add_command(command.clone()).add_command(wait.clone());
        let answers = match self {
            Self::Cluster(connection) => {
                let route =
                    SingleNodeRoutingInfo::SpecificNode(Route::with_key(key, SlotAddr::Master));
                connection.clone().route_pipeline(pipeline, 0, 2, route).await
            }
            Self::Single(single) => {
                let (mut connection, number) =
                    single.get().await.map_err(|error| (error, false))?;
                let answers = connection.req_packed_commands(&pipeline, 0, 2).await;
                answers.inspect_err(|error| {
                    if super::failure::is_passing(error) {
                        single.give_up(number);
                    }
                })
            }
        };
        let mut answers = answers.map_err(|error| (error, true))?.into_iter();
        let mut next = || answers.next().unwrap_or_default().extract_error();
        let answer = next().map_err(|error| (error, true))?;
        Ok((answer, next().map_err(|error| (error, true))?))
    }

    /// Nothing came back for too long: the next request makes a new connection,
    /// for the present one may be half open.
    pub(super) fn distrust(&self) {
        if let Self::Single(single) = self {
            let number = single.lock().number;
            single.give_up(number);
        }
    }
}

impl Single {
    fn lock(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn present(&self) -> Option<(MultiplexedConnection, u64)> {
        let current = self.lock();
        current.connection.clone().map(|connection| (connection, current.number))
    }

    async fn get(&self) -> Result<(MultiplexedConnection, u64), RedisError> {
        if let Some(present) = self.present() {
            return Ok(present);
        }
        let _one = self.connecting.lock().await;
        if let Some(present) = self.present() {
            return Ok(present);
        }
        let connection = self.connect().await?;
        let mut current = self.lock();
        current.number += 1;
        current.connection = Some(connection.clone());
        Ok((connection, current.number))
    }

    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(None);
        match &self.source {
            Source::Client(client) => {
                client.get_multiplexed_async_connection_with_config(&config).await
            }
            Source::Sentinel(sentinel) => {
                let client = sentinel.lock().await.async_get_client().await?;
                client.get_multiplexed_async_connection_with_config(&config).await
            }
        }
    }

    /// Unless it was replaced already.
    fn give_up(&self, number: u64) {
        let mut current = self.lock();
        if current.number == number {
            current.connection = None;
        }
    }
}

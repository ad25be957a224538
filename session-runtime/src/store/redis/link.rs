//! Connections, and how they are restored.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use redis::sentinel::SentinelClient;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, Pipeline, RedisError,
    ServerErrorKind, Value,
};
use tokio::time::timeout;

use super::failure::{Failure, is_passing};
use super::layout::Key;
use super::nodes::{Primary, slots};
use super::target::Target;
use crate::store::error::StoreErrorKind;

/// A connection to the servers that repairs itself.
pub(super) enum Link {
    /// One connection to one server at a time, shared by all requests.
    Single(Box<Single>),
    /// One such connection to every primary; the client library keeps track of the topology.
    Cluster(Box<Cluster>),
}

pub(super) struct Cluster {
    connection: ClusterConnection,
    /// How to reach some nodes; empty for an application's own client.
    seeds: Vec<Client>,
}

pub(super) struct Single {
    source: Source,
    connect_timeout: Duration,
    current: Mutex<Current>,
    /// Held while connecting, so that only one connection is made.
    connecting: tokio::sync::Mutex<()>,
}

enum Source {
    Client(Box<Client>),
    /// Asked again for every connection.
    Sentinel(Arc<tokio::sync::Mutex<SentinelClient>>),
}

#[derive(Default)]
struct Current {
    connection: Option<MultiplexedConnection>,
    /// The number of that connection, or of the last one.
    number: u64,
}

/// Which server of a cluster a command is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum To<'k> {
    /// The one that its keys determine; a read may go to a replica if an application's own client
    /// is configured so.
    AsItSays,
    /// The primary of the slot.
    Slot(u16),
    /// The primary that holds the key.
    Holder(Key<'k>),
}

/// What is sent in one message.
#[derive(Clone, Copy)]
pub(super) enum Sent<'c> {
    One(&'c Cmd),
    /// Several commands about one key, in order: the answer is an array.
    Several(Key<'c>, &'c Pipeline),
}

impl Link {
    pub(super) async fn open(target: Target, timeout: Duration) -> Result<Self, Failure> {
        let is_tls = target.is_tls();
        let opened = match target {
            Target::Cluster(client, seeds) => Self::open_cluster(&client, seeds, timeout).await,
            Target::Single(client) => Self::open_single(Source::Client(client), timeout).await,
            Target::Sentinel(client, name) => {
                let source = Source::Sentinel(client.clone());
                match (Self::open_single(source, timeout).await, name) {
                    (Err(error), Some(name)) if is_unknown_name(&error) => {
                        return Err(why_no_master(&client, &name).await);
                    }
                    (opened, _) => opened,
                }
            }
        };
        opened.map_err(|error| {
            if is_tls && error.is_timeout() {
                let text = "no answer over TLS: does the server speak it on this port?";
                return Failure::timeout(text);
            }
            Failure::of(&error)
        })
    }

    async fn open_cluster(
        client: &ClusterClient,
        seeds: Vec<Client>,
        timeout: Duration,
    ) -> Result<Self, RedisError> {
        match client.get_async_connection().await {
            Ok(connection) => Ok(Self::Cluster(Box::new(Cluster { connection, seeds }))),
            // The client library reports one error for all nodes, without the reason.
            Err(error) => Err(why_no_cluster(&seeds, timeout).await.unwrap_or(error)),
        }
    }

    async fn open_single(source: Source, timeout: Duration) -> Result<Self, RedisError> {
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

    /// Sends it once. The error also tells whether it may have been sent before the error occurred.
    pub(super) async fn send(
        &self,
        to: To<'_>,
        sent: Sent<'_>,
    ) -> Result<Value, (RedisError, bool)> {
        match sent {
            Sent::One(command) => self.call(to, command).await,
            Sent::Several(key, commands) => self.call_several(key, commands).await,
        }
    }

    /// Sends `command` once, like [`send`](Self::send).
    async fn call(&self, to: To<'_>, command: &Cmd) -> Result<Value, (RedisError, bool)> {
        match self {
            Self::Cluster(cluster) => {
                let mut connection = cluster.connection.clone();
                let route = match to {
                    To::AsItSays => None,
                    To::Slot(slot) => Some(Route::new(slot, SlotAddr::Master)),
                    To::Holder(key) => Some(Route::with_key(key.text(), SlotAddr::Master)),
                };
                let answer = match route.map(SingleNodeRoutingInfo::SpecificNode) {
                    None => connection.req_packed_command(command).await,
                    Some(route) => {
                        let route = RoutingInfo::SingleNode(route);
                        connection.route_command(command.clone(), route).await
                    }
                };
                match answer.and_then(Value::extract_error) {
                    Err(error) => cluster.follow(command, error).await,
                    answer => answer,
                }
                .map_err(|error| {
                    let sent = error.kind() != ErrorKind::ClusterConnectionNotFound;
                    (error, sent)
                })
            }
            Self::Single(single) => {
                let (mut connection, number) =
                    single.get().await.map_err(|error| (error, false))?;
                let answer = connection.req_packed_command(command).await;
                answer.and_then(Value::extract_error).map_err(|error| {
                    if is_passing(&error) {
                        single.give_up(number);
                    }
                    (error, true)
                })
            }
        }
    }

    /// Returns how to reach every server that currently holds sessions. `patience` limits how long
    /// to look for them.
    pub(super) async fn primaries(
        &self,
        patience: Duration,
    ) -> Result<Vec<ConnectionInfo>, Failure> {
        match self {
            Self::Single(single) => match timeout(patience, single.client()).await {
                Ok(Ok(client)) => Ok(vec![client.get_connection_info().clone()]),
                Ok(Err(error)) => Err(Failure::of(&error)),
                Err(_) => Err(Failure::timeout("Sentinel does not answer")),
            },
            Self::Cluster(_) => self.primaries_of(&self.map(patience).await?),
        }
    }

    /// Same, from the answer of a cluster.
    pub(super) fn primaries_of(&self, map: &Value) -> Result<Vec<ConnectionInfo>, Failure> {
        let seed = match self {
            Self::Cluster(cluster) => cluster.seeds.first().map(Client::get_connection_info),
            Self::Single(_) => None,
        };
        let text = "the nodes of your own cluster client are unknown";
        let seed = seed.ok_or_else(|| Failure::config(text))?;
        Ok(Primary::all(map).iter().map(|primary| primary.like(seed)).collect())
    }

    /// Asks a node of the cluster for the distribution of the slots. Every node knows it, so a node
    /// that does not answer is given up early.
    pub(super) async fn map(&self, patience: Duration) -> Result<Value, Failure> {
        const TRIES: [u16; 3] = [0, 5_461, 10_922];
        let command = slots();
        let mut last = Failure::timeout("no node tells the slots of the cluster");
        for slot in TRIES {
            let asked = timeout(patience / TRIES.len() as u32, self.call(To::Slot(slot), &command));
            match asked.await {
                Ok(Ok(map)) => return Ok(map),
                Ok(Err((error, _))) if is_passing(&error) => last = Failure::of(&error),
                Ok(Err((error, _))) => return Err(Failure::of(&error)),
                Err(_) => {}
            }
        }
        Err(last)
    }

    /// Whether there is one server at a fixed address, whose role will not change.
    pub(super) fn is_one_place(&self) -> bool {
        matches!(self, Self::Single(single) if matches!(single.source, Source::Client(_)))
    }

    /// Returns the number of the current connection; 0 for a cluster.
    pub(super) fn number(&self) -> u64 {
        match self {
            Self::Single(single) => single.lock().number,
            Self::Cluster(_) => 0,
        }
    }

    /// Sends `commands` about `key` once, like [`send`](Self::send).
    async fn call_several(
        &self,
        key: Key<'_>,
        commands: &Pipeline,
    ) -> Result<Value, (RedisError, bool)> {
        let checked = |answers| Value::Array(answers).extract_error();
        match self {
            Self::Cluster(cluster) => {
                let route = Route::with_key(key.text(), SlotAddr::Master);
                let route = SingleNodeRoutingInfo::SpecificNode(route);
                let (commands, count) = (commands.clone(), commands.len());
                let mut connection = cluster.connection.clone();
                let answers = connection.route_pipeline(commands, 0, count, route).await;
                answers.and_then(checked)
            }
            Self::Single(single) => {
                let (mut connection, number) =
                    single.get().await.map_err(|error| (error, false))?;
                let answers = connection.req_packed_commands(commands, 0, commands.len()).await;
                answers.and_then(checked).inspect_err(|error| {
                    if is_passing(error) {
                        single.give_up(number);
                    }
                })
            }
        }
        .map_err(|error| (error, true))
    }

    /// Whether the client library may repeat a request without reporting it: an application's own
    /// cluster client has its own retries.
    pub(super) fn repeats_itself(&self) -> bool {
        matches!(self, Self::Cluster(cluster) if cluster.seeds.is_empty())
    }

    /// Drops the current connection after a timeout: it may be half open, so the next request
    /// connects again.
    pub(super) fn distrust(&self) {
        if let Self::Single(single) = self {
            let number = single.lock().number;
            single.give_up(number);
        }
    }
}

impl Cluster {
    /// If the error says that the slot of a command is migrating, sends it to the new server.
    async fn follow(&self, command: &Cmd, error: RedisError) -> Result<Value, RedisError> {
        let is_ask = error.kind() == ErrorKind::Server(ServerErrorKind::Ask);
        let node = error.redirect_node().filter(|_| is_ask).and_then(|(node, _)| {
            let (host, port) = node.rsplit_once(':')?;
            Some((host.to_owned(), port.parse().ok()?))
        });
        let Some((host, port)) = node else { return Err(error) };
        let mut both = Pipeline::with_capacity(2);
        both.add_command(redis::cmd("ASKING")).add_command(command.clone());
        let route = SingleNodeRoutingInfo::ByAddress { host, port };
        let answers = self.connection.clone().route_pipeline(both, 1, 1, route).await?;
        answers.into_iter().next().unwrap_or_default().extract_error()
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
        connected(&self.client().await?, self.connect_timeout).await
    }

    async fn client(&self) -> Result<Client, RedisError> {
        match &self.source {
            Source::Client(client) => Ok(Client::clone(client)),
            Source::Sentinel(sentinel) => sentinel.lock().await.async_get_client().await,
        }
    }

    /// Drops the connection, unless it was already replaced.
    fn give_up(&self, number: u64) {
        let mut current = self.lock();
        if current.number == number {
            current.connection = None;
        }
    }
}

async fn connected(
    client: &Client,
    timeout: Duration,
) -> Result<MultiplexedConnection, RedisError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(timeout))
        .set_response_timeout(None);
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// Asks the nodes of a cluster one by one; returns the first permanent error, or else the last one.
async fn why_no_cluster(seeds: &[Client], timeout: Duration) -> Option<RedisError> {
    let mut last = None;
    for seed in seeds {
        let asked = async {
            let mut connection = connected(seed, timeout).await?;
            slots().query_async::<Value>(&mut connection).await
        };
        match asked.await {
            Ok(_) => {}
            Err(error) if is_passing(&error) => last = Some(error),
            Err(error) => return Some(error),
        }
    }
    last
}

fn is_unknown_name(error: &RedisError) -> bool {
    error.kind() == ErrorKind::MasterNameNotFoundBySentinel
}

/// Returns whether Sentinel does not know the name, or considers the master to be down.
async fn why_no_master(sentinels: &tokio::sync::Mutex<SentinelClient>, name: &str) -> Failure {
    let asked = async {
        let client = sentinels.lock().await.async_get_sentinel_client().await?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut command = redis::cmd("SENTINEL");
        command.arg("MASTERS");
        command.query_async::<Vec<HashMap<String, String>>>(&mut connection).await
    };
    match asked.await {
        Ok(masters) if masters.iter().all(|it| it.get("name").is_none_or(|it| it != name)) => {
            Failure::config("Sentinel watches no master of this name")
        }
        Ok(_) => {
            let text = "Sentinel reports that this master is down";
            Failure::new(StoreErrorKind::Unavailable, text)
        }
        Err(error) => Failure::of(&error),
    }
}

//! Connections, and how they come back.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use redis::sentinel::SentinelClient;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, Pipeline, RedisError, Value,
};

use super::layout::Key;
use super::target::Target;

/// A way to the servers that repairs itself.
pub(super) enum Link {
    /// One connection that all requests share, to one server at a time.
    Single(Box<Single>),
    /// One such connection to every primary; the client library follows
    /// redirects and learns the topology anew.
    Cluster(Box<Cluster>),
}

pub(super) struct Cluster {
    connection: ClusterConnection,
    /// How one of the nodes is reached; not known of a client that was handed in.
    seed: Option<Box<Client>>,
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

/// Which server of a cluster a command is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum To<'k> {
    /// As its keys say; a read may go to a replica if the client that was
    /// handed in is set so.
    AsItSays,
    /// The primary of the slot.
    Slot(u16),
    /// The primary that holds the key.
    Holder(Key<'k>),
}

/// What is sent in one go.
#[derive(Clone, Copy)]
pub(super) enum Sent<'c> {
    One(&'c Cmd),
    /// Several commands about one key, one behind the other: the answer is an array.
    Several(Key<'c>, &'c Pipeline),
}

impl Link {
    pub(super) async fn open(target: Target, timeout: Duration) -> Result<Self, RedisError> {
        let source = match target {
            Target::Cluster(client, seed) => {
                let connection = client.get_async_connection().await?;
                return Ok(Self::Cluster(Box::new(Cluster { connection, seed })));
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

    /// Sends it once. Whether an error came after it may have been sent stands in the
    /// second half.
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

    /// Sends `command` once, as [`send`](Self::send).
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

    /// How to reach every server that holds sessions now.
    pub(super) async fn primaries(&self) -> Result<Vec<ConnectionInfo>, RedisError> {
        match self {
            Self::Single(single) => Ok(vec![single.client().await?.get_connection_info().clone()]),
            Self::Cluster(cluster) => {
                let mut slots = redis::cmd("CLUSTER");
                slots.arg("SLOTS");
                let said = self.call(To::Slot(0), &slots).await.map_err(|(error, _)| error)?;
                let Some(seed) = cluster.seed.as_ref().map(|seed| seed.get_connection_info())
                else {
                    let text = "a cluster client that was handed in does not tell its nodes";
                    return Err((redis::ErrorKind::InvalidClientConfig, text).into());
                };
                Ok(Primary::all(&said).iter().map(|primary| primary.like(seed)).collect())
            }
        }
    }

    /// Which of its connections this uses, where it uses one.
    pub(super) fn number(&self) -> u64 {
        match self {
            Self::Single(single) => single.lock().number,
            Self::Cluster(_) => 0,
        }
    }

    /// Sends `commands` about `key` once, as [`send`](Self::send).
    async fn call_several(
        &self,
        key: Key<'_>,
        commands: &Pipeline,
    ) -> Result<Value, (RedisError, bool)> {
        let answers = match self {
            Self::Cluster(cluster) => {
                let route = Route::with_key(key.text(), SlotAddr::Master);
                let route = SingleNodeRoutingInfo::SpecificNode(route);
                let (commands, count) = (commands.clone(), commands.len());
                cluster.connection.clone().route_pipeline(commands, 0, count, route).await
            }
            Self::Single(single) => {
                let (mut connection, number) =
                    single.get().await.map_err(|error| (error, false))?;
                let answers = connection.req_packed_commands(commands, 0, commands.len()).await;
                answers.inspect_err(|error| {
                    if super::failure::is_passing(error) {
                        single.give_up(number);
                    }
                })
            }
        };
        let answers = answers.map_err(|error| (error, true))?;
        Value::Array(answers).extract_error().map_err(|error| (error, true))
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
        self.client().await?.get_multiplexed_async_connection_with_config(&config).await
    }

    async fn client(&self) -> Result<Client, RedisError> {
        match &self.source {
            Source::Client(client) => Ok(Client::clone(client)),
            Source::Sentinel(sentinel) => sentinel.lock().await.async_get_client().await,
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

/// A primary of a cluster, as `CLUSTER SLOTS` names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Primary {
    /// Its own name for itself.
    node: String,
    /// Nothing: where the answer came from.
    host: Option<String>,
    port: u16,
}

impl Primary {
    /// Those that serve any slots, each once, in one order.
    pub(super) fn all(slots: &Value) -> Vec<Self> {
        let Value::Array(ranges) = slots else { return Vec::new() };
        let mut all: Vec<_> = ranges.iter().filter_map(Self::of).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// `[from, to, [host, port, node, ...], replicas...]`
    fn of(range: &Value) -> Option<Self> {
        let Value::Array(range) = range else { return None };
        let Value::Array(primary) = range.get(2)? else { return None };
        let [host, Value::Int(port), node, ..] = primary.as_slice() else { return None };
        let host = text(host).filter(|host| !matches!(host.as_str(), "" | "?"));
        Some(Self { node: text(node)?, host, port: u16::try_from(*port).ok()? })
    }

    /// The way there, with the credentials of the way to another node.
    fn like(&self, seed: &ConnectionInfo) -> ConnectionInfo {
        let host = |known: &str| self.host.clone().unwrap_or_else(|| known.to_owned());
        let addr = match seed.addr() {
            ConnectionAddr::TcpTls { host: known, insecure, tls_params, .. } => {
                ConnectionAddr::TcpTls {
                    host: host(known),
                    port: self.port,
                    insecure: *insecure,
                    tls_params: tls_params.clone(),
                }
            }
            ConnectionAddr::Tcp(known, _) => ConnectionAddr::Tcp(host(known), self.port),
            other => other.clone(),
        };
        seed.clone().set_addr(addr)
    }

    /// Whether both are the same nodes, wherever they are reached.
    pub(super) fn same(ours: &[Self], theirs: &[Self]) -> bool {
        let nodes = |all: &[Self]| -> Vec<String> {
            let mut nodes: Vec<_> = all.iter().map(|it| it.node.clone()).collect();
            nodes.sort_unstable();
            nodes
        };
        nodes(ours) == nodes(theirs)
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) => Some(text.clone()),
        _ => None,
    }
}

//! What a URL names.

use std::sync::Arc;

use redis::cluster::ClusterClient;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{Client, ConnectionAddr, RedisError, TlsMode};
use tokio::sync::Mutex;

use super::failure::Failure;
use super::options::RedisOptions;

/// What to connect to.
#[derive(Clone)]
pub(super) enum Target {
    /// One server.
    Single(Box<Client>),
    /// Whatever server Sentinel calls the master of this name.
    Sentinel(Arc<Mutex<SentinelClient>>),
    /// And how one of its nodes is reached, if that is known.
    Cluster(Box<ClusterClient>, Option<Box<Client>>),
}

/// A client of your own for [`RedisOptions::connect_with`], set up with
/// certificates, credentials or settings that a URL cannot hold.
///
/// The timeouts and retries of a `ClusterClient` count within the deadline of
/// the store. A `SentinelClient` must be one that asks for the master.
pub struct RedisClient(pub(super) Target);

impl From<Client> for RedisClient {
    fn from(client: Client) -> Self {
        Self(Target::Single(Box::new(client)))
    }
}

impl From<ClusterClient> for RedisClient {
    fn from(client: ClusterClient) -> Self {
        Self(Target::Cluster(Box::new(client), None))
    }
}

impl From<SentinelClient> for RedisClient {
    fn from(client: SentinelClient) -> Self {
        Self(Target::Sentinel(Arc::new(Mutex::new(client))))
    }
}

impl std::fmt::Debug for RedisClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Target::Single(_) => "RedisClient(one server)",
            Target::Cluster(..) => "RedisClient(cluster)",
            Target::Sentinel(_) => "RedisClient(sentinel)",
        })
    }
}

const SHAPES: &str = "write `redis://host:6379`, `rediss://host:6379`, `redis+unix:///path`, \
    `redis+cluster://host1:6379,host2:6379` or `redis+sentinel://host1:26379,host2:26379/name`";

impl Target {
    /// # Errors
    ///
    /// If it is none of the shapes. The URL itself is not repeated: it may hold
    /// a password.
    pub(super) fn parse(url: &str, options: &RedisOptions) -> Result<Self, Failure> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| Failure::config(SHAPES))?;
        let tls = scheme.starts_with("rediss") || scheme.starts_with("valkeys");
        if tls && cfg!(not(feature = "redis-tls")) {
            let text = "TLS needs the cargo feature `redis-tls`: \
                        `cargo add session-runtime --features redis-tls`";
            return Err(Failure::config(text));
        }
        let plain = if tls { "rediss" } else { "redis" };
        match scheme {
            "redis" | "rediss" | "valkey" | "valkeys" => {
                single(&format!("{plain}://{rest}"), options)
            }
            "redis+unix" | "valkey+unix" => single(&format!("redis+unix://{rest}"), options),
            "redis+cluster" | "rediss+cluster" | "valkey+cluster" | "valkeys+cluster" => {
                let hosts = Hosts::parse(rest)?;
                let node = |host: &&str| format!("{plain}://{}{host}/", hosts.credentials);
                if !matches!(hosts.path, "" | "0") {
                    return Err(Failure::config("a cluster has one database: no `/1` at the end"));
                }
                cluster(hosts.names.iter().map(node).collect(), options)
            }
            "redis+sentinel" | "rediss+sentinel" | "valkey+sentinel" | "valkeys+sentinel" => {
                sentinel(&Hosts::parse(rest)?, tls, options)
            }
            _ => Err(Failure::config(SHAPES)),
        }
    }
}

/// The client library has `rustls` choose among those that are compiled in,
/// and that panics if another crate brought a second one.
#[cfg(feature = "redis-tls")]
pub(super) fn provide_crypto() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Somebody else may have been faster: then that one serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

fn malformed(_: RedisError) -> Failure {
    Failure::config(SHAPES)
}

fn single(url: &str, options: &RedisOptions) -> Result<Target, Failure> {
    client(url, options).map(|client| Target::Single(Box::new(client)))
}

fn client(url: &str, options: &RedisOptions) -> Result<Client, Failure> {
    #[cfg(feature = "redis-tls")]
    if let (true, Some(certificates)) = (url.starts_with("rediss"), &options.certificates) {
        let client = Client::build_with_tls(url, certificates.clone());
        return client.map_err(|error| Failure::of(&error));
    }
    let _ = options;
    Client::open(url).map_err(malformed)
}

fn cluster(nodes: Vec<String>, options: &RedisOptions) -> Result<Target, Failure> {
    let seed = nodes.first().map(|node| client(node, options)).transpose()?;
    // One answer may take as long as the caller waits: see `Server`.
    let builder = ClusterClient::builder(nodes)
        .connection_timeout(options.connect_timeout)
        .retries(4)
        .min_retry_wait(10)
        .max_retry_wait(200);
    #[cfg(feature = "redis-tls")]
    let builder = match &options.certificates {
        Some(certificates) => builder.certs(certificates.clone()),
        None => builder,
    };
    let built = builder.build().map(Box::new).map_err(malformed)?;
    Ok(Target::Cluster(built, seed.map(Box::new)))
}

/// `user:password@host,host/path`
struct Hosts<'u> {
    /// With the `@`, or nothing.
    credentials: &'u str,
    names: Vec<&'u str>,
    path: &'u str,
}

impl<'u> Hosts<'u> {
    fn parse(rest: &'u str) -> Result<Self, Failure> {
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, names) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let names: Vec<_> = names.split(',').collect();
        if names.iter().any(|name| name.is_empty()) {
            return Err(Failure::config(SHAPES));
        }
        Ok(Self { credentials, names, path })
    }
}

/// The credentials are those of the servers; sentinels are asked without, and
/// without TLS.
fn sentinel(hosts: &Hosts<'_>, tls: bool, options: &RedisOptions) -> Result<Target, Failure> {
    let (name, database) = hosts.path.split_once('/').unwrap_or((hosts.path, "0"));
    if name.is_empty() {
        let text = "name the master that Sentinel watches: `redis+sentinel://host:26379/mymaster`";
        return Err(Failure::config(text));
    }
    let address = |host: &&str| match host.rsplit_once(':') {
        Some((host, port)) => match port.parse() {
            Ok(port) => ConnectionAddr::Tcp(host.to_owned(), port),
            Err(_) => ConnectionAddr::Tcp(format!("{host}:{port}"), 26_379),
        },
        None => ConnectionAddr::Tcp((*host).to_owned(), 26_379),
    };
    // Lets the client library take the credentials apart.
    let server = Client::open(format!("redis://{}server/{database}", hosts.credentials));
    let server = server.map_err(malformed)?;
    let settings = server.get_connection_info().redis_settings();
    let sentinels: Vec<_> = hosts.names.iter().map(address).collect();
    let name = name.to_owned();
    let mut builder = SentinelClientBuilder::new(sentinels, name, SentinelServerType::Master)
        .map_err(malformed)?
        .set_client_to_redis_db(settings.db());
    if let Some(user) = settings.username() {
        builder = builder.set_client_to_redis_username(user);
    }
    if let Some(password) = settings.password() {
        builder = builder.set_client_to_redis_password(password);
    }
    if tls {
        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
        #[cfg(feature = "redis-tls")]
        if let Some(certificates) = &options.certificates {
            builder = builder.set_client_to_redis_certificates(certificates.clone());
        }
    }
    let _ = options;
    let client = builder.build().map_err(malformed)?;
    Ok(Target::Sentinel(Arc::new(Mutex::new(client))))
}

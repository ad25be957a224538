//! Parsing URLs.

use std::sync::Arc;

use redis::cluster::ClusterClient;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{Client, ConnectionAddr, IntoConnectionInfo, RedisError, TlsMode};
use tokio::sync::Mutex;

use super::failure::Failure;
use super::options::RedisOptions;

/// What to connect to.
#[derive(Clone)]
pub(super) enum Target {
    /// One server.
    Single(Box<Client>),
    /// The server that Sentinel calls the master of this name, if the name is known.
    Sentinel(Arc<Mutex<SentinelClient>>, Option<String>),
    /// A cluster, and how to reach some of its nodes, if that is known.
    Cluster(Box<ClusterClient>, Vec<Client>),
}

/// Your own client for [`RedisOptions::with_client`], with certificates, credentials or settings
/// that a URL cannot express.
///
/// The timeouts and retries of a `ClusterClient` count towards the deadline of the store. A
/// `SentinelClient` must be one that asks for the master.
pub struct RedisClient(pub(super) Target);

impl From<Client> for RedisClient {
    fn from(client: Client) -> Self {
        Self(Target::Single(Box::new(client)))
    }
}

impl From<ClusterClient> for RedisClient {
    fn from(client: ClusterClient) -> Self {
        Self(Target::Cluster(Box::new(client), Vec::new()))
    }
}

impl From<SentinelClient> for RedisClient {
    fn from(client: SentinelClient) -> Self {
        Self(Target::Sentinel(Arc::new(Mutex::new(client)), None))
    }
}

impl std::fmt::Debug for RedisClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Target::Single(_) => "RedisClient(one server)",
            Target::Cluster(..) => "RedisClient(cluster)",
            Target::Sentinel(..) => "RedisClient(sentinel)",
        })
    }
}

const SHAPES: &str = "write `redis://host:6379`, `rediss://host:6379`, `redis+unix:///path`, \
    `redis+cluster://host1:6379,host2:6379` or `redis+sentinel://host1:26379,host2:26379/name`";

impl Target {
    /// Parses a URL.
    ///
    /// # Errors
    ///
    /// If it has an unknown form. The URL itself is not repeated, because it may contain a
    /// password.
    pub(super) fn parse(url: &str, options: &RedisOptions) -> Result<Self, Failure> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| Failure::config(SHAPES))?;
        let tls = scheme.starts_with("rediss") || scheme.starts_with("valkeys");
        if tls && cfg!(not(feature = "redis-tls")) {
            let text = "TLS needs the cargo feature `redis-tls`: \
                        `cargo add session-runtime --features redis-tls`";
            return Err(Failure::config(text));
        }
        allowed(rest)?;
        let plain = if tls { "rediss" } else { "redis" };
        match scheme {
            "redis" | "rediss" | "valkey" | "valkeys" => {
                single(&format!("{plain}://{rest}"), options)
            }
            "redis+unix" | "valkey+unix" => single(&format!("redis+unix://{rest}"), options),
            "redis+cluster" | "rediss+cluster" | "valkey+cluster" | "valkeys+cluster" => {
                let hosts = Hosts::parse(rest)?;
                let Hosts { credentials, query, .. } = hosts;
                let node = |host: &&str| format!("{plain}://{credentials}{host}/?{query}");
                if !matches!(hosts.path, "" | "0") {
                    return Err(Failure::config("a cluster has one database: no `/1` at the end"));
                }
                cluster(&hosts.names.iter().map(node).collect::<Vec<_>>(), options)
            }
            "redis+sentinel" | "rediss+sentinel" | "valkey+sentinel" | "valkeys+sentinel" => {
                sentinel(&Hosts::parse(rest)?, tls, options)
            }
            _ => Err(Failure::config(SHAPES)),
        }
    }
}

impl Target {
    /// Whether it is known to be reached over TLS.
    pub(super) fn is_tls(&self) -> bool {
        let client = match self {
            Self::Single(client) => Some(&**client),
            Self::Cluster(_, seeds) => seeds.first(),
            Self::Sentinel(..) => None,
        };
        let is_tls = |addr: &ConnectionAddr| matches!(addr, ConnectionAddr::TcpTls { .. });
        client.is_some_and(|client| is_tls(client.get_connection_info().addr()))
    }
}

/// Checks what follows `?` and `#`, which the client library would partly obey and partly ignore.
fn allowed(rest: &str) -> Result<(), Failure> {
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    if !fragment.is_empty() {
        let text = "nothing may stand behind `#` (in a password it is `%23`); certificates are \
                    always verified, by the authority of `RedisOptions::certificates` if there is \
                    one";
        return Err(Failure::config(text));
    }
    let (_, query) = rest.split_once('?').unwrap_or((rest, ""));
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, _) = parameter.split_once('=').unwrap_or((parameter, ""));
        if !matches!(name, "protocol" | "db" | "user" | "pass") {
            let text = "behind `?` (in a password it is `%3F`) there may be `protocol=resp3`, and \
                        for a socket `db`, `user` and `pass`; the rest are `RedisOptions`";
            return Err(Failure::config(text));
        }
    }
    Ok(())
}

/// Installs a crypto provider. The client library has `rustls` choose among those that are compiled
/// in, which panics if another crate has brought a second one.
#[cfg(feature = "redis-tls")]
pub(super) fn provide_crypto() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may have installed one first, which is just as good.
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
    let server = url.into_connection_info().map_err(malformed)?;
    // Setting the library's name requires one more command, which a user may not be allowed and a
    // proxy may not know.
    let settings = server.redis_settings().clone().set_skip_set_lib_name();
    let server = server.set_redis_settings(settings);
    #[cfg(feature = "redis-tls")]
    if let (true, Some(certificates)) = (url.starts_with("rediss"), &options.certificates) {
        let client = Client::build_with_tls(server, certificates.clone());
        return client.map_err(|error| Failure::of(&error));
    }
    let _ = options;
    Client::open(server).map_err(malformed)
}

fn cluster(nodes: &[String], options: &RedisOptions) -> Result<Target, Failure> {
    let seeds = nodes.iter().map(|node| client(node, options)).collect::<Result<Vec<_>, _>>()?;
    let servers = seeds.iter().map(|seed| seed.get_connection_info().clone());
    // An answer may take as long as the caller waits. Without retries, the library does not
    // silently repeat what may have been done: see `Server`.
    let builder =
        ClusterClient::builder(servers).connection_timeout(options.connect_timeout).retries(0);
    #[cfg(feature = "redis-tls")]
    let builder = match &options.certificates {
        Some(certificates) => builder.certs(certificates.clone()),
        None => builder,
    };
    let built = builder.build().map(Box::new).map_err(malformed)?;
    Ok(Target::Cluster(built, seeds))
}

/// `user:password@host,host/path?query`
struct Hosts<'u> {
    /// With the `@`, or empty.
    credentials: &'u str,
    names: Vec<&'u str>,
    path: &'u str,
    query: &'u str,
}

impl<'u> Hosts<'u> {
    fn parse(rest: &'u str) -> Result<Self, Failure> {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, names) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let names: Vec<_> = names.split(',').collect();
        if names.iter().any(|name| name.is_empty()) {
            return Err(Failure::config(SHAPES));
        }
        Ok(Self { credentials, names, path, query })
    }
}

/// Parses the target. The credentials are for the servers; sentinels are asked without, and over
/// TLS if the servers are.
fn sentinel(hosts: &Hosts<'_>, tls: bool, options: &RedisOptions) -> Result<Target, Failure> {
    let (name, database) = hosts.path.split_once('/').unwrap_or((hosts.path, "0"));
    if name.is_empty() {
        let text = "name the master that Sentinel watches: `redis+sentinel://host:26379/mymaster`";
        return Err(Failure::config(text));
    }
    // Has the client library parse the credentials.
    let Hosts { credentials, query, .. } = hosts;
    let server = Client::open(format!("redis://{credentials}server/{database}?{query}"));
    let server = server.map_err(malformed)?;
    let settings = server.get_connection_info().redis_settings();
    let sentinels = hosts.names.iter().map(|name| address(name, tls)).collect::<Option<Vec<_>>>();
    let sentinels = sentinels.ok_or_else(|| Failure::config(SHAPES))?;
    let mut builder = SentinelClientBuilder::new(sentinels, name, SentinelServerType::Master)
        .map_err(malformed)?
        .set_client_to_redis_db(settings.db())
        .set_client_to_redis_protocol(settings.protocol());
    if let Some(user) = settings.username() {
        builder = builder.set_client_to_redis_username(user);
    }
    if let Some(password) = settings.password() {
        builder = builder.set_client_to_redis_password(password);
    }
    if tls {
        builder = builder
            .set_client_to_redis_tls_mode(TlsMode::Secure)
            .set_client_to_sentinel_tls_mode(TlsMode::Secure);
        #[cfg(feature = "redis-tls")]
        if let Some(certificates) = &options.certificates {
            builder = builder
                .set_client_to_redis_certificates(certificates.clone())
                .set_client_to_sentinel_certificates(certificates.clone());
        }
    }
    let _ = options;
    let client = builder.build().map_err(malformed)?;
    Ok(Target::Sentinel(Arc::new(Mutex::new(client)), Some(name.to_owned())))
}

/// `host`, `host:port`, `[::1]` or `[::1]:port`.
fn address(name: &str, tls: bool) -> Option<ConnectionAddr> {
    let (host, port) = match name.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
        }
        None => name.split_once(':').map_or((name, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Ok(26_379), str::parse).ok()?;
    let host = Some(host).filter(|host| !host.is_empty())?.to_owned();
    Some(if tls {
        ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host, port)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::RedisStore;
    use crate::store::StoreError;

    fn refused(url: &str) -> StoreError {
        match Target::parse(url, &RedisStore::options()) {
            Ok(_) => panic!("{url} names something"),
            Err(failure) => failure.into(),
        }
    }

    #[test]
    fn urls_that_name_nothing_are_settings_and_tell_no_password() {
        let schemes =
            ["redis", "valkey", "redis+cluster", "redis+sentinel", "redis+unix", "http", ""];
        let rests = [
            "user:hunter2@",
            "user:hunter2@:6379",
            "user:hunter2@host:port",
            "user:hunter2@host:99999",
            "user:hunter2@host/hunter2",
            "user:hunter2@host,,other/0",
            "user:hunter2@host:6379?password=hunter2",
            "user:hunter2@host:6379?hunter2",
            "user:hunter2@host?protocol=hunter2",
            "user:hunter2@host#insecure",
            "user:hunter2@host#hunter2",
            "user:%FFhunter2@ho st",
            "user:hunter2@[::1",
            "hunter2",
            "/%FF?pass=hunter2&db=hunter2",
        ];
        for (scheme, rest) in schemes.iter().flat_map(|it| rests.map(|rest| (*it, rest))) {
            let url = format!("{scheme}://{rest}");
            let said = match Target::parse(&url, &RedisStore::options()) {
                // A host name or a file name.
                Ok(target) => format!("{:?}", RedisClient(target)),
                Err(failure) => {
                    let error = StoreError::from(failure);
                    assert_eq!(error.kind(), crate::store::StoreErrorKind::Config, "{url}");
                    format!("{error} {error:?}")
                }
            };
            assert!(!said.contains("hunter2"), "{url}: {said}");
        }
        refused("redis:user:hunter2@host");
    }

    #[test]
    fn what_would_be_overlooked_is_refused() {
        for url in [
            "redis://host?timeout=3",
            "redis://host/0?ssl=true",
            "redis://host/1#insecure",
            "redis+cluster://host,other?protocol=resp3&tls=1",
            "redis+cluster://host/1",
            "redis+sentinel://host:26379",
            "redis+sentinel://host:port/name",
            "redis+sentinel://[::1/name",
        ] {
            refused(url);
        }
    }

    #[test]
    fn sentinels_are_asked_as_the_servers_are() {
        let at = |name, tls| address(name, tls).map(|it| (it.to_string(), tls_of(&it)));
        for tls in [false, true] {
            assert_eq!(at("host", tls), Some(("host:26379".into(), tls)));
            assert_eq!(at("host:7", tls), Some(("host:7".into(), tls)));
            assert_eq!(at("[::1]", tls), Some(("::1:26379".into(), tls)));
            assert_eq!(at("[::1]:7", tls), Some(("::1:7".into(), tls)));
            for wrong in ["", ":7", "host:", "host:99999", "::1", "[::1", "[]:7", "[::1]7"] {
                assert_eq!(at(wrong, tls), None, "{wrong}");
            }
        }
    }

    fn tls_of(address: &ConnectionAddr) -> bool {
        matches!(address, ConnectionAddr::TcpTls { insecure: false, .. })
    }
}

//! What a URL names.

use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{Client, RedisConnectionInfo, RedisError, TlsMode};

use super::failure::Failure;

/// What to connect to.
pub(super) enum Target {
    /// One server.
    Single(Client),
    /// Whatever server Sentinel calls the master of this name.
    Sentinel(Box<SentinelClient>),
    /// Nodes of a cluster to begin with, as URLs.
    Cluster(Vec<String>),
}

const SHAPES: &str = "write `redis://host:6379`, `rediss://host:6379`, `redis+unix:///path`, \
    `redis+cluster://host1:6379,host2:6379` or `redis+sentinel://host1:26379,host2:26379/name`";

impl Target {
    /// # Errors
    ///
    /// If it is none of the shapes. The URL itself is not repeated: it may hold
    /// a password.
    pub(super) fn parse(url: &str) -> Result<Self, Failure> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| Failure::config(SHAPES))?;
        let tls = scheme.starts_with("rediss") || scheme.starts_with("valkeys");
        if tls && cfg!(not(feature = "redis-tls")) {
            let text = "TLS needs the cargo feature `redis-tls`: \
                        `cargo add session-runtime --features redis-tls`";
            return Err(Failure::config(text));
        }
        let plain = if tls { "rediss" } else { "redis" };
        match scheme {
            "redis" | "rediss" | "valkey" | "valkeys" => single(&format!("{plain}://{rest}")),
            "redis+unix" | "valkey+unix" => single(&format!("redis+unix://{rest}")),
            "redis+cluster" | "rediss+cluster" | "valkey+cluster" | "valkeys+cluster" => {
                let hosts = Hosts::parse(rest)?;
                let node = |host: &&str| format!("{plain}://{}{host}/", hosts.credentials);
                if !matches!(hosts.path, "" | "0") {
                    return Err(Failure::config("a cluster has one database: no `/1` at the end"));
                }
                Ok(Self::Cluster(hosts.names.iter().map(node).collect()))
            }
            "redis+sentinel" | "rediss+sentinel" | "valkey+sentinel" | "valkeys+sentinel" => {
                sentinel(&Hosts::parse(rest)?, tls)
            }
            _ => Err(Failure::config(SHAPES)),
        }
    }
}

fn malformed(_: RedisError) -> Failure {
    Failure::config(SHAPES)
}

fn single(url: &str) -> Result<Target, Failure> {
    Client::open(url).map(Target::Single).map_err(malformed)
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

/// The credentials are those of the servers; sentinels are asked without.
fn sentinel(hosts: &Hosts<'_>, tls: bool) -> Result<Target, Failure> {
    let (name, database) = hosts.path.split_once('/').unwrap_or((hosts.path, "0"));
    if name.is_empty() {
        let text = "name the master that Sentinel watches: `redis+sentinel://host:26379/mymaster`";
        return Err(Failure::config(text));
    }
    let with_default = |host: &&str| match host.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => format!("redis://{host}/"),
        _ => format!("redis://{host}:26379/"),
    };
    let sentinels: Vec<_> = hosts.names.iter().map(with_default).collect();
    // Lets the client library take the credentials apart.
    let server = Client::open(format!("redis://{}server/{database}", hosts.credentials));
    let server = server.map_err(malformed)?;
    let settings: RedisConnectionInfo = server.get_connection_info().redis_settings().clone();
    let mut node = SentinelNodeConnectionInfo::default().set_redis_connection_info(settings);
    if tls {
        node = node.set_tls_mode(TlsMode::Secure);
    }
    let client =
        SentinelClient::build(sentinels, name.to_owned(), Some(node), SentinelServerType::Master);
    Ok(Target::Sentinel(Box::new(client.map_err(malformed)?)))
}

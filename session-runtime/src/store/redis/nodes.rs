//! The nodes of a cluster, by their own names.

use redis::{Cmd, ConnectionAddr, ConnectionInfo, Value};

/// Returns the command that asks a node for the map of its cluster.
pub(super) fn slots() -> Cmd {
    let mut command = redis::cmd("CLUSTER");
    command.arg("SLOTS");
    command
}

/// A primary of a cluster, as `CLUSTER SLOTS` names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Primary {
    /// Its node id.
    node: String,
    /// `None` means the node that answered.
    host: Option<String>,
    port: u16,
}

impl Primary {
    /// Returns the primaries that serve any slots, each once, in a fixed order.
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

    /// Returns how to reach it, with the credentials for another node.
    pub(super) fn like(&self, seed: &ConnectionInfo) -> ConnectionInfo {
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

    /// Whether both contain the same nodes, at whatever addresses.
    pub(super) fn same(ours: &[Self], theirs: &[Self]) -> bool {
        let nodes = |all: &[Self]| -> Vec<String> {
            let mut nodes: Vec<_> = all.iter().map(|it| it.node.clone()).collect();
            nodes.sort_unstable();
            nodes
        };
        nodes(ours) == nodes(theirs)
    }
}

pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) => Some(text.clone()),
        _ => None,
    }
}

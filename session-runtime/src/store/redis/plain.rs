//! Connections that others can read.

use std::net::IpAddr;

use redis::{ConnectionAddr, ConnectionInfo};

/// Reports, at WARN and once, servers on other machines that are reached without
/// TLS, or with one that trusts anybody.
pub(super) fn report(servers: &[ConnectionInfo]) {
    let of = |wanted| servers.iter().map(ConnectionInfo::addr).find(|it| safety(it) == wanted);
    if let Some(server) = of(Safety::Plain) {
        let cure = "write `rediss://`, or reach it by a tunnel that ends on this machine";
        tracing::warn!(%server, "sessions and the password cross the network unencrypted: {cure}");
    }
    if let Some(server) = of(Safety::Unverified) {
        let cure = "make the client without `insecure`";
        tracing::warn!(%server, "the certificate of the server is not verified: {cure}");
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Safety {
    Safe,
    Plain,
    Unverified,
}

fn safety(server: &ConnectionAddr) -> Safety {
    match server {
        ConnectionAddr::Tcp(host, _) if !is_here(host) => Safety::Plain,
        ConnectionAddr::TcpTls { host, insecure: true, .. } if !is_here(host) => Safety::Unverified,
        _ => Safety::Safe,
    }
}

/// Whether the name is this machine's, whatever the network says (RFC 6761).
fn is_here(host: &str) -> bool {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_reached_safely_without_tls() {
        let plain = |host: &str| safety(&ConnectionAddr::Tcp(host.to_owned(), 6379));
        for here in [
            "localhost",
            "LOCALHOST",
            "localhost.",
            "a.localhost",
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::ffff:127.0.0.1",
        ] {
            assert_eq!(plain(here), Safety::Safe, "{here}");
        }
        for elsewhere in [
            "10.0.0.1",
            "redis",
            "localhost.example.org",
            "127.0.0.1.example.org",
            "notlocalhost",
            "fe80::1",
            "0.0.0.0",
            "::",
        ] {
            assert_eq!(plain(elsewhere), Safety::Plain, "{elsewhere}");
        }
        let tls = |insecure| ConnectionAddr::TcpTls {
            host: "redis".to_owned(),
            port: 6379,
            insecure,
            tls_params: None,
        };
        assert_eq!(safety(&tls(false)), Safety::Safe);
        assert_eq!(safety(&tls(true)), Safety::Unverified);
        assert_eq!(safety(&ConnectionAddr::Unix("/run/redis.sock".into())), Safety::Safe);
    }
}

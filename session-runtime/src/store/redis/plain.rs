//! Warnings of connections that others can read.

use redis::{ConnectionAddr, ConnectionInfo};

use crate::store::engine::Tls;

/// Warns once, at WARN, of servers on other machines that are reached without TLS, or with TLS that
/// accepts any certificate.
pub(super) fn report(servers: &[ConnectionInfo]) {
    for (tls, cure) in [
        (Tls::No, "write `rediss://`, or reach it by a tunnel that ends on this machine"),
        (Tls::Unverified, "make the client without `insecure`"),
    ] {
        let mut servers = servers.iter().map(ConnectionInfo::addr);
        if let Some(server) = servers.find(|server| exposed(server) == Some(tls)) {
            tls.report(server, cure);
        }
    }
}

/// Returns why a connection to another machine is not protected enough.
fn exposed(server: &ConnectionAddr) -> Option<Tls> {
    let (host, tls) = match server {
        ConnectionAddr::Tcp(host, _) => (host, Tls::No),
        ConnectionAddr::TcpTls { host, insecure: true, .. } => (host, Tls::Unverified),
        _ => return None,
    };
    (!tls.is_enough_for(host)).then_some(tls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_on_other_machines_need_tls_that_is_verified() {
        let plain = |host: &str| exposed(&ConnectionAddr::Tcp(host.to_owned(), 6379));
        assert_eq!(plain("127.0.0.1"), None);
        assert_eq!(plain("redis"), Some(Tls::No));
        let tls = |insecure| ConnectionAddr::TcpTls {
            host: "redis".to_owned(),
            port: 6379,
            insecure,
            tls_params: None,
        };
        assert_eq!(exposed(&tls(false)), None);
        assert_eq!(exposed(&tls(true)), Some(Tls::Unverified));
        assert_eq!(exposed(&ConnectionAddr::Unix("/run/redis.sock".into())), None);
    }
}

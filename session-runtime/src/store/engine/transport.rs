//! Detecting connections that others on the network can read or impersonate.

use std::fmt::Display;
use std::net::IpAddr;

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Tls {
    /// Not, or not if an attacker pretends that the server has no TLS.
    No,
    /// By encryption, but without verifying the server.
    Unverified,
    Verified,
}

impl Tls {
    /// Whether that is enough to reach `host`: it is this machine, or the server is verified.
    pub(in crate::store) fn is_enough_for(self, host: &str) -> bool {
        self == Self::Verified || is_here(host)
    }

    /// Warns that `server` is reached with this protection.
    pub(in crate::store) fn report(self, server: impl Display, cure: &str) {
        match self {
            Self::Verified => {}
            Self::Unverified => tracing::warn!(
                %server,
                "the certificate of the server is not verified: {cure}"
            ),
            Self::No => tracing::warn!(
                %server,
                "sessions and the password may cross the network unencrypted: {cure}"
            ),
        }
    }
}

/// Whether the name is always this machine's (RFC 6761), or a path.
fn is_here(host: &str) -> bool {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || name.starts_with('/')
        || address(host).is_some_and(|address| address.to_canonical().is_loopback())
}

fn address(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_reached_safely_without_tls() {
        for here in [
            "localhost",
            "LOCALHOST",
            "localhost.",
            "a.localhost",
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "[::1]",
            "::ffff:127.0.0.1",
            "/run/postgresql",
        ] {
            assert!(Tls::No.is_enough_for(here), "{here}");
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
            assert!(!Tls::No.is_enough_for(elsewhere), "{elsewhere}");
            assert!(!Tls::Unverified.is_enough_for(elsewhere), "{elsewhere}");
            assert!(Tls::Verified.is_enough_for(elsewhere), "{elsewhere}");
        }
    }
}

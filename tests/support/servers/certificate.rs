//! A certificate that nobody else signed.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{left_out, program};

/// A certificate for `localhost` and 127.0.0.1, and its key.
#[derive(Debug)]
pub struct Certificate {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Certificate {
    /// Makes one in `directory`.
    ///
    /// # Panics
    ///
    /// If `openssl` is there and refuses.
    pub fn in_directory(directory: &Path) -> Option<Self> {
        let Some(openssl) = program("OPENSSL", &["openssl"], &[]) else {
            left_out("the tests of TLS", "openssl");
            return None;
        };
        let (certificate, key) = (directory.join("server.crt"), directory.join("server.key"));
        let done = Command::new(openssl)
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .expect("openssl runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        Some(Self { certificate, key })
    }
}

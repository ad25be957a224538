//! TLS: to servers, to Sentinels, and to strangers who say that they are those.

use std::path::{Path, PathBuf};
use std::process::Command;

use ::redis::{Client, TlsCertificates};
use session_runtime::store::{RedisOptions, RedisStore, StoreErrorKind};
use session_tests::servers::redis::{self, Server};
use session_tests::servers::{free_port, left_out, program};
use session_tests::traced::Traced;

use super::reach::works;
use super::rights::source;

/// Two authorities; `right` of the first is for this machine, `elsewhere` is for
/// another, and `stranger` is of the second.
struct Certificates(tempfile::TempDir);

impl Certificates {
    fn new() -> Option<Self> {
        let Some(openssl) = program("SESSION_TESTS_OPENSSL", &["openssl"], &["/usr/bin"]) else {
            left_out("TLS to Redis", "openssl");
            return None;
        };
        let place = tempfile::tempdir().unwrap();
        let new = "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        let mut all = Vec::new();
        for authority in ["ours", "theirs"] {
            all.push(format!(
                "{new} -x509 -days 2 -subj /CN={authority} -keyout {authority}.key -out {authority}.crt"
            ));
        }
        let here = "subjectAltName=DNS:localhost,IP:127.0.0.1";
        for (name, authority, names) in [
            ("right", "ours", here),
            ("stranger", "theirs", here),
            ("elsewhere", "ours", "subjectAltName=DNS:example.org,IP:192.0.2.1"),
        ] {
            std::fs::write(place.path().join(format!("{name}.names")), names).unwrap();
            all.push(format!("{new} -subj /CN={name} -keyout {name}.key -out {name}.csr"));
            all.push(format!(
                "x509 -req -days 2 -in {name}.csr -CA {authority}.crt -CAkey {authority}.key \
                 -CAcreateserial -extfile {name}.names -out {name}.crt"
            ));
        }
        for words in all {
            let output = Command::new(&openssl).args(words.split(' ')).current_dir(&place).output();
            let output = output.unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        Some(Self(place))
    }

    fn file(&self, name: &str) -> PathBuf {
        Path::new(self.0.path()).join(name)
    }

    fn roots(&self) -> TlsCertificates {
        let ours = std::fs::read(self.file("ours.crt")).unwrap();
        TlsCertificates { client_tls: None, root_cert: Some(ours) }
    }

    fn options(&self) -> RedisOptions {
        RedisStore::options().certificates(self.roots())
    }

    /// The settings of a server with this certificate, and its port.
    fn settings(&self, name: &str) -> (u16, Vec<(&'static str, String)>) {
        let port = free_port();
        let file = |name: &str| self.file(name).display().to_string();
        let settings = vec![
            ("tls-port", port.to_string()),
            ("tls-ca-cert-file", file("ours.crt")),
            ("tls-cert-file", file(&format!("{name}.crt"))),
            ("tls-key-file", file(&format!("{name}.key"))),
            ("tls-auth-clients", "no".to_owned()),
        ];
        (port, settings)
    }

    fn server(&self, name: &str) -> Option<(Server, u16)> {
        let (port, settings) = self.settings(name);
        let settings: Vec<_> = settings
            .iter()
            .flat_map(|(name, value)| [format!("--{name}"), value.clone()])
            .collect();
        let settings: Vec<_> = settings.iter().map(String::as_str).collect();
        Some((Server::start(&settings)?, port))
    }

    /// One that watches the server on the other port.
    fn sentinel(&self, name: &str, primary: u16) -> Option<(Server, u16)> {
        let (port, mut settings) = self.settings(name);
        settings.push(("tls-replication", "yes".to_owned()));
        let lines: Vec<_> =
            settings.iter().map(|(name, value)| format!("{name} {value}")).collect();
        Some((Server::start_sentinel(primary, 1, &lines.join("\n"))?, port))
    }

    async fn refused(&self, url: &str, says: &str) {
        let error = self.options().connect(url).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Config, "{url}: {error:?}");
        assert!(source(&error).contains(says), "{url}: {error:?}");
    }
}

#[tokio::test]
async fn tls_is_spoken_with_an_authority_of_ones_own_and_with_no_other() {
    let Some(certificates) = Certificates::new() else { return };
    let Some((_server, port)) = certificates.server("right") else { return };
    for host in ["localhost", "127.0.0.1"] {
        let url = format!("rediss://{host}:{port}");
        works(&certificates.options().connect(&url).await.unwrap()).await;
        let client = Client::build_with_tls(url.as_str(), certificates.roots()).unwrap();
        works(&RedisStore::options().with_client(client).await.unwrap()).await;
        let error = RedisStore::connect(&url).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Config);
        assert!(source(&error).contains("UnknownIssuer"), "the public web's: {error:?}");
    }
}

#[tokio::test]
async fn a_stranger_in_the_place_of_a_server_is_refused() {
    let Some(certificates) = Certificates::new() else { return };
    for (name, says) in [("stranger", "UnknownIssuer"), ("elsewhere", "not valid for name")] {
        let Some((_server, port)) = certificates.server(name) else { return };
        for scheme in ["rediss", "rediss+cluster"] {
            certificates.refused(&format!("{scheme}://localhost:{port}"), says).await;
            certificates.refused(&format!("{scheme}://127.0.0.1:{port}"), says).await;
        }
        let trusting = format!("rediss://127.0.0.1:{port}/#insecure");
        certificates.refused(&trusting, "always verified").await;
    }
}

#[tokio::test]
async fn sentinels_are_asked_over_tls_and_are_who_they_should_be() {
    let Some(certificates) = Certificates::new() else { return };
    let Some((server, port)) = certificates.server("right") else { return };
    let Some((stranger, strange_port)) = certificates.server("stranger") else { return };
    let url = |port: u16| format!("rediss+sentinel://127.0.0.1:{port}/sessions");
    let Some((_right, right)) = certificates.sentinel("right", port) else { return };
    works(&certificates.options().connect(&url(right)).await.unwrap()).await;
    // Of the servers themselves nothing is wrong.
    for (name, says) in [("stranger", "UnknownIssuer"), ("elsewhere", "not valid for name")] {
        let Some((_sentinel, asked)) = certificates.sentinel(name, port) else { return };
        certificates.refused(&url(asked), says).await;
    }
    // A forged answer: a true Sentinel that watches somebody else's server.
    let Some((_right, right)) = certificates.sentinel("right", strange_port) else { return };
    certificates.refused(&url(right), "UnknownIssuer").await;
    let error = RedisStore::connect(&url(right)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Config, "the public web's: {error:?}");
    drop((server, stranger));
}

#[tokio::test]
async fn the_one_who_speaks_no_tls_is_told_from_the_one_who_does() {
    let Some(certificates) = Certificates::new() else { return };
    let Some((server, port)) = certificates.server("right") else { return };
    let options = certificates.options();
    let without = format!("rediss://localhost:{}", server.port);
    let error = options.clone().connect(&without).await.unwrap_err();
    assert!(source(&error).contains("TLS"), "{error:?}");
    let error = options.connect(&format!("redis://localhost:{port}")).await.unwrap_err();
    assert!(source(&error).contains("TLS"), "{error:?}");
}

#[tokio::test]
async fn a_server_elsewhere_without_tls_is_reported_once() {
    let Some(server) = redis::single() else { return };
    let traced = Traced::start();
    RedisStore::connect(&server.url()).await.unwrap();
    assert_eq!(traced.warnings("unencrypted"), 0, "this machine: {}", traced.text());
    // Another way to write this machine, and none that has to mean it.
    let url = format!("redis://:hunter2@127.1:{}", server.port);
    RedisStore::connect(&url).await.unwrap_err();
    let url = format!("redis://127.1:{}", server.port);
    let store = RedisStore::connect(&url).await.unwrap();
    works(&store).await;
    assert_eq!(traced.warnings("unencrypted"), 1, "{}", traced.text());
    assert!(!traced.text().contains("hunter2"), "{}", traced.text());
}

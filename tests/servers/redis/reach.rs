//! The ways to reach servers: URLs, clients of one's own, TLS.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ::redis::cluster::ClusterClient;
use ::redis::sentinel::{SentinelClient, SentinelServerType};
use ::redis::{Client, TlsCertificates};
use session_runtime::store::{
    AnyStore, Created, EndedBy, Lookup, RedisClient, RedisStore, SessionStore, StoreErrorKind,
    Touch,
};
use session_tests::servers::redis::{self, Server, Watched};
use session_tests::servers::{free_port, left_out, program};

use super::records::{count_of, created, found, one_more, record};

async fn works(store: &RedisStore) {
    let record = created(store, None).await;
    store.apply(record.id, 1, &one_more(), None).await.unwrap();
    assert_eq!(count_of(store, &record).await, 1);
    assert!(store.delete(record.id, EndedBy::Browser).await.unwrap());
}

#[tokio::test]
async fn a_socket_of_this_machine_is_a_server_too() {
    let place = tempfile::tempdir().unwrap();
    let socket = place.path().join("redis.sock").display().to_string();
    let Some(_server) = Server::start(&["--unixsocket", &socket]) else { return };
    for scheme in ["redis+unix", "valkey+unix"] {
        works(&RedisStore::connect(&format!("{scheme}://{socket}")).await.unwrap()).await;
    }
}

#[tokio::test]
async fn any_store_is_chosen_by_the_same_urls() {
    let (Some(server), Some(cluster)) = (redis::single(), redis::cluster()) else { return };
    let urls = [
        server.url(),
        server.url().replace("redis:", "valkey:"),
        cluster.url(),
        cluster.url().replace("redis+", "valkey+"),
    ];
    for url in urls {
        let store = AnyStore::connect(&url).await.unwrap();
        let direct = RedisStore::connect(&url).await.unwrap();
        let record = record(&direct, None);
        assert_eq!(
            store.create(record.clone(), Default::default()).await.unwrap(),
            Created::Created
        );
        found(&direct, &record).await;
        assert!(store.delete(record.id, EndedBy::Browser).await.unwrap(), "{url}");
    }
}

#[tokio::test]
async fn a_client_of_ones_own_is_as_good_as_a_url() {
    let (Some(server), Some(cluster)) = (redis::single(), redis::cluster()) else { return };
    let nodes: Vec<_> = cluster.nodes.iter().map(Server::url).collect();
    let clients: [(RedisClient, usize); 2] = [
        (Client::open(server.url()).unwrap().into(), 0),
        (ClusterClient::new(nodes).unwrap().into(), 1),
    ];
    for (client, replicas) in clients {
        let options = RedisStore::options().wait_replicas(replicas);
        works(&options.connect_with(client).await.unwrap()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_follows_sentinel_to_another_server_without_a_restart() {
    let Some(watched) = Watched::start() else { return };
    let by_url = RedisStore::connect(&watched.url()).await.unwrap();
    let sentinels = watched.sentinels.iter().map(Server::url).collect();
    let client = SentinelClient::build(sentinels, "sessions", None, SentinelServerType::Master);
    let options = RedisStore::options().wait_replicas(1);
    let by_client = options.connect_with(client.unwrap()).await.unwrap();
    works(&by_client).await;
    let mut records = Vec::new();
    for _ in 0..10 {
        let record = created(&by_url, None).await;
        by_url.apply(record.id, 1, &one_more(), None).await.unwrap();
        records.push(record);
    }
    assert_eq!(watched.primary.ask(&["WAIT", "1", "5000"]).trim(), "1");
    // And the sentinel that is asked first with it: the other two agree.
    watched.sentinels[0].signal("KILL");
    watched.primary.signal("KILL");
    let begun = tokio::time::Instant::now();
    for store in [&by_url, &by_client] {
        let first = &records[0];
        loop {
            let asked = tokio::time::Instant::now();
            let seen = store.load(first.id, &[first.meta.secret], Touch::Never.into()).await;
            assert!(asked.elapsed() < Duration::from_secs(5), "a call has two seconds");
            match seen {
                Ok(Lookup::Found(_)) => break,
                Ok(other) => panic!("{other:?}"),
                Err(_) => assert!(begun.elapsed() < Duration::from_secs(60), "no failover"),
            }
        }
    }
    assert!(watched.replica.ask(&["ROLE"]).starts_with("master"));
    for record in &records {
        by_client.apply(record.id, 1, &one_more(), None).await.unwrap();
        assert_eq!(count_of(&by_url, record).await, 2);
    }
    let wrong = watched.url().replace("sessions", "others");
    let error = RedisStore::connect(&wrong).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Config, "{error:?}");
}

/// An authority, and a server's certificate that it signed.
fn certificates(place: &Path) -> Option<PathBuf> {
    let Some(openssl) = program("SESSION_TESTS_OPENSSL", &["openssl"], &["/usr/bin"]) else {
        left_out("TLS to Redis", "openssl");
        return None;
    };
    std::fs::write(place.join("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1").unwrap();
    let new = "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    for said in [
        format!("{new} -x509 -days 2 -subj /CN=authority -keyout ca.key -out ca.crt"),
        format!("{new} -subj /CN=localhost -keyout server.key -out server.csr"),
        "x509 -req -days 2 -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial \
         -extfile names -out server.crt"
            .to_owned(),
    ] {
        let output = Command::new(&openssl).args(said.split(' ')).current_dir(place).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    Some(place.join("ca.crt"))
}

#[tokio::test]
async fn tls_is_spoken_with_an_authority_of_ones_own_and_with_no_other() {
    let place = tempfile::tempdir().unwrap();
    let Some(authority) = certificates(place.path()) else { return };
    let port = free_port();
    let file = |name: &str| place.path().join(name).display().to_string();
    let (port_text, ca, cert, key) =
        (port.to_string(), file("ca.crt"), file("server.crt"), file("server.key"));
    let settings = [
        "--tls-port",
        &port_text,
        "--tls-ca-cert-file",
        &ca,
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &key,
        "--tls-auth-clients",
        "no",
    ];
    let Some(_server) = Server::start(&settings) else { return };
    let root = || TlsCertificates {
        client_tls: None,
        root_cert: Some(std::fs::read(&authority).unwrap()),
    };
    for host in ["localhost", "127.0.0.1"] {
        let url = format!("rediss://{host}:{port}");
        let options = RedisStore::options().certificates(root());
        works(&options.connect(&url).await.unwrap()).await;
        let client = Client::build_with_tls(url.as_str(), root()).unwrap();
        works(&RedisStore::options().connect_with(client).await.unwrap()).await;
        let error = RedisStore::connect(&url).await.unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("UnknownIssuer"), "the public web's authorities: {error:?}");
    }
    let plain = format!("redis://127.0.0.1:{port}");
    RedisStore::connect(&plain).await.unwrap_err();
}

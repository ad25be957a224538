//! The ways to reach servers: URLs, clients of one's own, TLS.

use std::time::Duration;

use ::redis::Client;
use ::redis::cluster::ClusterClient;
use ::redis::sentinel::{SentinelClient, SentinelServerType};
use session_runtime::store::{
    AnyStore, CachedStore, RedisClient, RedisStore, SessionStore, StoreErrorKind,
    contract::{Created, EndReason, Lookup, Revoke, Touch},
};
use session_tests::servers::redis::{self, Server, Watched};

use super::records::{count_of, created, customer, found, one_more, record};

pub(super) async fn works(store: &RedisStore) {
    let record = created(store, None).await;
    store.apply(record.id, 1, &one_more(), None).await.unwrap();
    assert_eq!(count_of(store, &record).await, 1);
    assert!(store.delete(record.id, EndReason::SignedOut).await.unwrap());
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
            store.create(record.clone().into(), Default::default()).await.unwrap(),
            Created::ALONE
        );
        found(&direct, &record).await;
        assert!(store.delete(record.id, EndReason::SignedOut).await.unwrap(), "{url}");
    }
}

#[tokio::test]
async fn servers_are_reached_by_either_protocol() {
    let (Some(server), Some(cluster)) = (redis::single(), redis::cluster()) else { return };
    for url in [server.url(), cluster.url()] {
        works(&RedisStore::connect(&format!("{url}?protocol=resp3")).await.unwrap()).await;
    }
}

#[tokio::test]
async fn a_time_that_no_clock_can_tell_is_as_good_as_none() {
    let (Some(server), Some(cluster)) = (redis::single(), redis::cluster()) else { return };
    let max = Duration::MAX;
    for (url, replicas) in [(server.url(), 0), (cluster.url(), 1)] {
        let options = RedisStore::options().prefix(redis::fresh_prefix()).wait_replicas(replicas);
        let patient = options.clone().deadline(max).connect_timeout(max).silence(max);
        let store = patient.connect(&url).await.unwrap();
        works(&store).await;
        assert_eq!(
            store
                .revoke(&customer(), Revoke::All, EndReason::OtherDevice, None)
                .await
                .unwrap()
                .ended,
            0
        );
        let feed = CachedStore::coherent(store);
        feed.count().await.unwrap();
        let error = options.deadline(Duration::ZERO).connect(&url).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Config, "{error:?}");
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
        works(&options.with_client(client).await.unwrap()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_follows_sentinel_to_another_server_without_a_restart() {
    let Some(watched) = Watched::start() else { return };
    let by_url = RedisStore::connect(&watched.url()).await.unwrap();
    let sentinels = watched.sentinels.iter().map(Server::url).collect();
    let client = SentinelClient::build(sentinels, "sessions", None, SentinelServerType::Master);
    let options = RedisStore::options().wait_replicas(1);
    let by_client = options.with_client(client.unwrap()).await.unwrap();
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

//! Walks over all sessions while servers restart and fail over.

use std::collections::BTreeSet;
use std::time::Duration;

use session_runtime::SessionId;
use session_runtime::store::{RedisStore, SessionStore, StoreErrorKind, contract::Cursor};
use session_tests::servers::redis::{self, Cluster, Server};

use super::records::created;

/// Walks to the end in small pages, and does `between` after the third.
async fn walked(store: &RedisStore, between: impl FnOnce()) -> BTreeSet<SessionId> {
    let (mut seen, mut cursor) = (BTreeSet::new(), None);
    let mut between = Some(between);
    for page in 0.. {
        let got = store.scan(cursor.as_ref(), 5).await.unwrap();
        seen.extend(got.records.iter().map(|record| record.id));
        if page == 2 {
            between.take().unwrap()();
        }
        cursor = got.next;
        if cursor.is_none() {
            break;
        }
    }
    assert!(between.is_none(), "the walk was longer than three pages");
    seen
}

async fn some(store: &RedisStore) -> BTreeSet<SessionId> {
    let mut ids = BTreeSet::new();
    for _ in 0..80 {
        ids.insert(created(store, None).await.id);
    }
    ids
}

#[tokio::test]
async fn a_walk_goes_on_over_a_restart_and_misses_nobody() {
    let settings = ["--appendonly", "yes", "--appendfsync", "always"];
    let Some(mut server) = Server::start(&settings) else { return };
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let ids = some(&store).await;
    // The server orders its keys anew.
    let seen = walked(&store, || server.restart()).await;
    assert_eq!(seen, ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_goes_on_over_a_failover_of_the_cluster_and_misses_nobody() {
    let Some(cluster) = Cluster::start() else { return };
    let store = RedisStore::connect(&cluster.url()).await.unwrap();
    let ids = some(&store).await;
    let before = cluster.primaries();
    // What has not been copied is not there afterwards, whoever walks.
    cluster.wait_until_copied();
    let seen = walked(&store, || {
        for node in (0..cluster.nodes.len()).filter(|node| !before.contains(node)) {
            cluster.nodes[node].ask(&["CLUSTER", "FAILOVER", "TAKEOVER"]);
        }
        cluster.wait_until_whole();
    })
    .await;
    assert_ne!(cluster.primaries(), before, "others are primaries now");
    assert_eq!(seen, ids);
}

#[tokio::test]
async fn keys_of_others_are_no_sessions_and_end_no_walk() {
    let Some(server) = Server::start(&[]) else { return };
    server.ask(&["EVAL", "for i = 1, 20000 do redis.call('SET', 'other:' .. i, i) end", "0"]);
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let other = RedisStore::options().prefix("sessio").connect(&server.url()).await.unwrap();
    created(&other, None).await;
    server.ask(&["SET", "session:abcdefghijklmnopqrstuv", "no session's id"]);
    let record = created(&store, None).await;
    let (mut seen, mut cursor, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = store.scan(cursor.as_ref(), 1_000).await.unwrap();
        seen.extend(page.records.iter().map(|record| record.id));
        pages += 1;
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, [record.id]);
    assert!(pages <= 10, "{pages} pages for one session among 20,000 keys");
}

#[tokio::test]
async fn a_cursor_of_another_store_is_refused() {
    let (Some(server), Some(cluster)) = (redis::single(), redis::cluster()) else { return };
    let single = RedisStore::connect(&server.url()).await.unwrap();
    let deadline = Duration::from_secs(5);
    let many = RedisStore::options().deadline(deadline).connect(&cluster.url()).await.unwrap();
    for (store, cursors) in [
        (&single, ["", "slot:7", "Rm9vQmFyQmF6UXV4MTIzNA", "at:zz:1"]),
        (&many, ["", "at::7", "slot:16384", "slot:x"]),
    ] {
        for text in cursors {
            let error = store.scan(Some(&Cursor::new(text)), 5).await.unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Config, "{text:?}: {error:?}");
        }
    }
}

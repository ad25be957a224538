//! Removing what is due: by several nodes, and in the background.

use std::time::Duration;

use session_runtime::__private::patch::SignIn;
use session_runtime::__private::record::Record;
use session_runtime::clock::Timestamp;
use session_runtime::store::{MySqlStore, SessionStore};
use session_tests::servers::MariaDb;
use session_tests::traced::Traced;
use sqlx::{Connection as _, MySqlConnection, Row as _};
use tokio::task::JoinSet;

use super::server::{MISSING, add, found, fresh, record, run, stored};

/// A session that ended long ago.
async fn due(store: &MySqlStore) -> Record {
    let mut old = record(&[("n", b"0")]);
    old.meta.absolute = Some(Timestamp::from_millis(1_000));
    store.create(old.clone().into(), SignIn::default()).await.unwrap();
    old
}

async fn rows(db: &mut MySqlConnection, prefix: &str) -> i64 {
    run(db, &format!("SELECT COUNT(*) FROM {prefix}session")).await[0].get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_sweep_at_once_remove_each_session_once() {
    let tables = fresh().await;
    let nodes = [tables.store().await, tables.store().await];
    const DUE: usize = 300;
    for _ in 0..DUE {
        due(&nodes[0]).await;
    }
    let mut live = Vec::new();
    for _ in 0..40 {
        live.push(stored(&nodes[0], &[("n", b"0")]).await);
    }
    let mut sweeping = JoinSet::new();
    for task in 0..6 {
        let node = nodes[task % 2].clone();
        sweeping.spawn(async move {
            let mut removed = 0;
            loop {
                let swept = node.sweep(7).await.unwrap();
                removed += swept.removed;
                if !swept.more {
                    return removed;
                }
            }
        });
    }
    // Meanwhile those that live are at work.
    for record in &live {
        nodes[1].apply(record.id, 1, &add(), None).await.unwrap();
    }
    let removed: Vec<usize> = sweeping.join_all().await;
    assert_eq!(removed.iter().sum::<usize>(), DUE, "{removed:?}");
    for record in &live {
        assert_eq!(found(&nodes[1], record).await.fields.get("n"), Some(&b"1"[..]));
    }
    assert_eq!(rows(&mut tables.db().await, &tables.prefix).await, live.len() as i64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_somebody_holds_is_neither_waited_for_nor_taken_from_them() {
    let tables = fresh().await;
    let options = tables.options().deadline(Duration::from_secs(2));
    let store = options.connect(&tables.url).await.unwrap();
    let (held, _) = (due(&store).await, due(&store).await);
    // Somebody makes it live again.
    let mut holder = tables.db().await;
    let sql = format!(
        "BEGIN; UPDATE {}session SET expires = 9000000000000 WHERE id = '{}'",
        tables.prefix, held.id
    );
    run(&mut holder, &sql).await;
    assert_eq!(store.sweep(100).await.unwrap().removed, 1, "the other one");
    run(&mut holder, "COMMIT").await;
    assert_eq!(store.sweep(100).await.unwrap().removed, 0);
    assert_eq!(rows(&mut holder, &tables.prefix).await, 1);
}

/// Until there is nothing but `left`, for at most ten seconds.
async fn until_only(left: i64, db: &mut MySqlConnection) {
    for _ in 0..500 {
        if rows(db, "").await == left {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never swept");
}

// On one thread: that is whose events are collected.
#[tokio::test]
async fn the_background_survives_a_restart_of_the_server() {
    let traced = Traced::start();
    let Some(server) = MariaDb::start() else { panic!("{MISSING}") };
    let mut db = MySqlConnection::connect(&server.url("")).await.unwrap();
    run(&mut db, "CREATE DATABASE app; USE app").await;
    let (every, deadline) = (Duration::from_millis(20), Duration::from_millis(400));
    let options = MySqlStore::options().sweep_interval(every).deadline(deadline);
    let store = options.connect(&server.url("app")).await.unwrap();
    let live = stored(&store, &[("n", b"1")]).await;
    due(&store).await;
    until_only(1, &mut db).await;
    // It stands still first: a restart waits for it to be up again.
    server.process().signal("STOP");
    for _ in 0..500 {
        if traced.text().contains("trying again later") {
            break;
        }
        tokio::time::sleep(every).await;
    }
    assert!(traced.text().contains("trying again later"));
    server.process().signal("CONT");
    let server = server.restart();
    let mut db = MySqlConnection::connect(&server.url("app")).await.unwrap();
    let mut tries = 0;
    while store.count().await.is_err() {
        tries += 1;
        assert!(tries < 20, "the server is there again");
    }
    due(&store).await;
    until_only(1, &mut db).await;
    assert_eq!(found(&store, &live).await.fields.get("n"), Some(&b"1"[..]));
}

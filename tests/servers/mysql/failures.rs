//! A server that is gone, stands still, or cuts connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use session_runtime::__private::patch::Outcome;
use session_runtime::store::{MySqlStore, SessionStore, StoreErrorKind, contract::EndReason};
use session_tests::servers::MariaDb;
use sqlx::{Connection, MySqlConnection, Row};

use super::server::{MISSING, add, found, fresh, record, run, stored};

/// A server that nobody else uses, and a store in it.
async fn alone(deadline: Duration) -> (MariaDb, MySqlStore) {
    let server = tokio::task::spawn_blocking(MariaDb::start).await.unwrap();
    let Some(server) = server else { panic!("{MISSING}") };
    let mut db = MySqlConnection::connect(&server.url("")).await.unwrap();
    run(&mut db, "CREATE DATABASE app").await;
    let options = MySqlStore::options().deadline(deadline).connections(4);
    let store = options.connect(&server.url("app")).await.unwrap();
    (server, store)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_server_costs_nothing_but_time() {
    let (server, store) = alone(Duration::from_secs(20)).await;
    let record = stored(&store, &[("n", b"1")]).await;
    // Several connections in the pool, all of them dead afterwards.
    let load = || {
        let (store, id) = (store.clone(), record.id);
        tokio::spawn(async move { store.reload(id, 1).await.unwrap() })
    };
    for load in [load(), load(), load(), load()] {
        assert!(load.await.unwrap().is_some());
    }
    let server = tokio::task::spawn_blocking(|| server.restart()).await.unwrap();
    for n in 2..6 {
        let outcome = store.apply(record.id, 1, &add(), None).await.unwrap();
        assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
        let n = n.to_string();
        assert_eq!(found(&store, &record).await.fields.get("n"), Some(n.as_bytes()));
    }
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stands_still_costs_a_deadline_and_then_everything_works() {
    let (server, store) = alone(Duration::from_millis(700)).await;
    let before = stored(&store, &[("n", b"1")]).await;
    server.process().signal("STOP");
    let error = store.reload(before.id, 1).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Timeout);
    assert!(store.delete(before.id, EndReason::SignedOut).await.is_err());
    assert!(store.apply(before.id, 1, &add(), None).await.is_err(), "nothing was sent that writes");
    let hasty = MySqlStore::options().deadline(Duration::from_millis(300));
    let error = hasty.connect(&server.url("app")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Timeout);
    server.process().signal("CONT");
    // What was cut off holds no lock, and left nothing half-way.
    let after = MySqlStore::options().deadline(Duration::from_secs(20));
    let after = after.connect(&server.url("app")).await.unwrap();
    let outcome = after.apply(before.id, 1, &add(), None).await.unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    assert_eq!(found(&store, &before).await.fields.get("n"), Some(&b"2"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_killed_in_the_middle_apply_nothing_twice() {
    let (server, store) = alone(Duration::from_secs(20)).await;
    let record = stored(&store, &[("n", b"0")]).await;
    let applied = Arc::new(AtomicU64::new(0));
    let uncertain = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let (store, id) = (store.clone(), record.id);
            let (applied, uncertain) = (applied.clone(), uncertain.clone());
            tokio::spawn(async move {
                for _ in 0..60 {
                    match store.apply(id, 1, &add(), None).await.unwrap() {
                        Outcome::Applied(_) => applied.fetch_add(1, Ordering::Relaxed),
                        Outcome::Uncertain => uncertain.fetch_add(1, Ordering::Relaxed),
                        other => panic!("{other:?}"),
                    };
                }
            })
        })
        .collect();
    let done = Arc::new(AtomicBool::new(false));
    let killer = tokio::spawn({
        let (done, url) = (done.clone(), server.url("app"));
        async move {
            let mut db = MySqlConnection::connect(&url).await.unwrap();
            let mut killed = 0;
            let list = "SELECT CAST(id AS CHAR) FROM information_schema.PROCESSLIST \
                        WHERE db = 'app' AND id <> CONNECTION_ID() ORDER BY RAND() LIMIT 1";
            while !done.load(Ordering::Relaxed) {
                for row in run(&mut db, list).await {
                    let kill = format!("KILL {}", row.get::<String, _>(0));
                    killed += i32::from(
                        sqlx::Executor::execute(&mut db, sqlx::raw_sql(&kill)).await.is_ok(),
                    );
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            killed
        }
    });
    for task in tasks {
        task.await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    assert!(killer.await.unwrap() > 10);
    let stored = found(&store, &record).await;
    let n: u64 = std::str::from_utf8(stored.fields.get("n").unwrap()).unwrap().parse().unwrap();
    let (applied, uncertain) = (applied.load(Ordering::Relaxed), uncertain.load(Ordering::Relaxed));
    assert!((applied..=applied + uncertain).contains(&n), "{n} of {applied} and {uncertain}");
    assert_eq!(applied + uncertain, 240);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_given_up_leaves_no_lock_and_no_half_transaction() {
    let tables = fresh().await;
    let store = tables.store().await;
    let record = stored(&store, &[("n", b"1")]).await;
    for wait in [0, 1_000, 2_000, 3_000, 4_000, 6_000, 8_000, 12_000] {
        // Dropped at some point between its beginning and its commit.
        let patch = add();
        let call = store.apply(record.id, 1, &patch, None);
        let _ = tokio::time::timeout(Duration::from_micros(wait), call).await;
    }
    let other = tables.store().await;
    let outcome = other.apply(record.id, 1, &add(), None).await.unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    let after = found(&store, &record).await;
    // Each that was stored was stored whole: a revision and one more.
    assert_eq!(after.fields.get("n"), Some(after.meta.rev.to_string().as_bytes()));
}

#[tokio::test]
async fn errors_and_debug_output_hold_no_values() {
    let tables = fresh().await;
    let store = tables.store().await;
    let record = record(&[("a", b"\"hunter2\"")]);
    run(&mut tables.db().await, &format!("DROP TABLE {}session", tables.prefix)).await;
    let error = store.create(record.into(), Default::default()).await.unwrap_err();
    let text = format!("{error} {error:?} {store:?}");
    assert!(!text.contains("hunter2") && !text.contains("68756E74"), "{text}");
    assert_eq!(error.kind(), StoreErrorKind::Config);
}

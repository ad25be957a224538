//! Removing what is due: by hand, by several nodes.

use std::time::Duration;

use session_runtime::__private::patch::{Gone, Lifetime, Outcome, SignIn};
use session_runtime::__private::record::COMMIT_LEEWAY;
use session_runtime::SessionId;
use session_runtime::clock::{Clock, Timestamp};
use session_runtime::store::{
    PostgresStore, SessionStore,
    contract::{Lookup, Touch},
};
use session_tests::servers::Postgres;
use sqlx::{Executor as _, PgPool};
use tokio::task::JoinSet;

use super::kit::{DATABASE, Opened, add, insert, new_schema, options, record, server};
use super::locks::until_waiting;

const HOUR: Duration = Duration::from_secs(3600);

/// A session that ended long ago.
pub(super) async fn due(store: &PostgresStore) -> SessionId {
    let (mut old, _) = record(store, HOUR);
    old.meta.absolute = Some(Timestamp::from_millis(1_000));
    let id = old.id;
    store.create(old.into(), SignIn::default()).await.unwrap();
    id
}

pub(super) fn rows(server: &Postgres, database: &str, schema: &str) -> u64 {
    let sql = format!("SELECT count(*) FROM {schema}.session");
    server.psql(database, &sql).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_sweep_at_once_remove_each_session_once() {
    let database = new_schema();
    server().psql(DATABASE, &format!("CREATE DATABASE {database}")).unwrap();
    let url = server().url(&database);
    let open = || options(Clock::system()).connections(3).connect(&url);
    let nodes = [open().await.unwrap(), open().await.unwrap()];
    const DUE: usize = 400;
    for _ in 0..DUE {
        due(&nodes[0]).await;
    }
    let mut live = Vec::new();
    for _ in 0..40 {
        live.push(insert(&nodes[0], HOUR).await);
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
    for (id, _) in &live {
        nodes[1].apply(*id, 1, &add("n"), None).await.unwrap();
    }
    let removed: Vec<usize> = sweeping.join_all().await;
    assert_eq!(removed.iter().sum::<usize>(), DUE, "{removed:?}");
    for (id, secret) in &live {
        let found = nodes[1].load(*id, &[*secret], Touch::Never.into()).await.unwrap();
        assert!(matches!(found, Lookup::Found(_)), "{found:?}");
    }
    assert_eq!(rows(server(), &database, "sessions"), live.len() as u64);
    // The counters of a backend arrive when it ends.
    drop(nodes);
    let sql = format!("SELECT deadlocks FROM pg_stat_database WHERE datname = '{database}'");
    assert_eq!(server().psql(DATABASE, &sql).unwrap(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_somebody_holds_is_neither_waited_for_nor_taken_from_them() {
    let opened = Opened::with_clock(Clock::system()).await;
    let (store, schema) = (&opened.store, &opened.schema.0);
    let (held, other) = (due(store).await, due(store).await);
    let pool = PgPool::connect(&server().url(DATABASE)).await.unwrap();
    let mut holder = pool.begin().await.unwrap();
    // Somebody makes it live again.
    let sql = format!("UPDATE {schema}.session SET expires = 9000000000000 WHERE id = '{held}'");
    holder.execute(sqlx::raw_sql(&sql)).await.unwrap();
    let swept = store.sweep(100).await.unwrap();
    assert_eq!(swept.removed, 1, "the other one");
    let left = format!("SELECT id FROM {schema}.session");
    assert_eq!(server().psql(DATABASE, &left).unwrap(), held.to_string(), "{other} was due");
    holder.commit().await.unwrap();
    assert_eq!(store.sweep(100).await.unwrap().removed, 0);
    assert_eq!(server().psql(DATABASE, &left).unwrap(), held.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_that_comes_while_its_session_is_removed_finds_nothing() {
    let opened = Opened::with_clock(Clock::system()).await;
    let (store, schema) = (&opened.store, &opened.schema.0);
    let id = due(store).await;
    // By the clock of another node it lives.
    let behind = Clock::frozen(Timestamp::from_millis(900));
    let behind = options(behind).schema(schema).connect(&server().url(DATABASE)).await.unwrap();
    // A sweep stops for a lock right before it removes what it has found.
    let aside = PgPool::connect(&server().url(DATABASE)).await.unwrap();
    let stop = format!(
        "CREATE FUNCTION {schema}.stop() RETURNS trigger LANGUAGE plpgsql AS \
            'BEGIN LOCK TABLE \"{schema}\".stop; RETURN NULL; END'; \
         CREATE TABLE {schema}.stop (); \
         CREATE TRIGGER stop BEFORE DELETE ON {schema}.session \
            FOR EACH STATEMENT EXECUTE FUNCTION {schema}.stop()"
    );
    aside.execute(sqlx::raw_sql(&stop)).await.unwrap();
    let mut holder = aside.begin().await.unwrap();
    holder.execute(sqlx::raw_sql(&format!("LOCK TABLE {schema}.stop"))).await.unwrap();
    let sweeping = store.clone();
    let sweeping = tokio::spawn(async move { sweeping.sweep(100).await.unwrap() });
    until_waiting(schema, 1).await;
    let mut patch = add("n");
    let idle = Some(HOUR);
    patch.meta.lifetime = Some(Lifetime { idle, absolute: None, remember: false });
    let late = tokio::spawn(async move { behind.apply(id, 1, &patch, None).await.unwrap() });
    until_waiting(schema, 2).await;
    holder.rollback().await.unwrap();
    assert_eq!(sweeping.await.unwrap().removed, 1);
    let outcome = late.await.unwrap();
    assert!(matches!(outcome, Outcome::Gone(Gone::Absent)), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_visits_kept_alive_are_looked_at_once_and_swept_when_they_end() {
    let clock = Clock::frozen(Clock::system().now());
    let opened = Opened::with_clock(clock.clone()).await;
    let store = &opened.store;
    let mut visited = Vec::new();
    for _ in 0..5 {
        visited.push(insert(store, HOUR).await);
    }
    clock.advance(HOUR / 2);
    for (id, secret) in &visited {
        let seen = store.load(*id, &[*secret], Touch::IfDue.into()).await.unwrap();
        assert!(matches!(seen, Lookup::Found(_)), "{seen:?}");
    }
    let (ended, _) = insert(store, Duration::from_secs(1)).await;
    // They would have ended by now.
    clock.advance(HOUR / 2 + COMMIT_LEEWAY);
    let (mut removed, mut steps) = (0, 0);
    loop {
        let swept = store.sweep(2).await.unwrap();
        (removed, steps) = (removed + swept.removed, steps + 1);
        if !swept.more {
            break;
        }
    }
    assert_eq!((removed, steps), (1, 3), "removed, in steps of two of six");
    assert!(store.reload(ended, 1).await.unwrap().is_none());
    assert_eq!(store.count().await.unwrap(), 5);
    let nothing = store.sweep(2).await.unwrap();
    assert_eq!((nothing.removed, nothing.more), (0, false), "nobody looks due any more");
    clock.advance(HOUR / 2);
    assert_eq!(store.sweep(100).await.unwrap().removed, 5);
    assert_eq!(rows(server(), DATABASE, &opened.schema.0), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_life_cut_short_is_swept_when_it_is_over() {
    let clock = Clock::frozen(Clock::system().now());
    let opened = Opened::with_clock(clock.clone()).await;
    let (id, _) = insert(&opened.store, HOUR).await;
    let mut patch = add("n");
    let idle = Some(Duration::from_secs(60));
    patch.meta.lifetime = Some(Lifetime { idle, absolute: None, remember: false });
    opened.store.apply(id, 1, &patch, None).await.unwrap();
    clock.advance(Duration::from_secs(60) + COMMIT_LEEWAY);
    let swept = opened.store.sweep(100).await.unwrap();
    assert_eq!((swept.removed, swept.more), (1, false));
}

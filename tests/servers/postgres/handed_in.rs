//! The application's own pools, whose connections may be in any state.

use std::time::Duration;

use session_runtime::__private::patch::{AtLimit, Cap, Outcome, SignIn};
use session_runtime::__private::record::Principal;
use session_runtime::clock::Clock;
use session_runtime::store::{
    PostgresStore, SessionStore,
    contract::{EndReason, Lookup, Revoke, Touch},
};
use session_tests::servers::Postgres;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Executor as _, PgPool};

use super::kit::{DATABASE, Opened, add, insert, options, record, server};

const HOUR: Duration = Duration::from_secs(3600);

/// A pool of one connection, which a store gets in whatever state it was left in.
async fn one(url: &str) -> PgPool {
    PgPoolOptions::new().max_connections(1).connect(url).await.unwrap()
}

/// Does one of everything, each after `leave`.
async fn everything(store: &PostgresStore, leave: impl AsyncFn()) {
    let principal = Principal::new("shop", "7");
    let cap = Cap { max: 1.try_into().unwrap(), at_limit: AtLimit::EvictOldest };
    let sign_in = SignIn { cap: Some(cap), not_revoked_since: None };
    leave().await;
    let (id, secret) = insert(store, HOUR).await;
    leave().await;
    let found = store.load(id, &[secret], Touch::Never.into()).await.unwrap();
    let Lookup::Found(read) = found else { panic!("{found:?}") };
    for read in [Some(&read), None] {
        leave().await;
        let outcome = store.apply(id, 1, &add("n"), read).await.unwrap();
        assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    }
    for _ in 0..2 {
        let (mut new, _) = record(store, HOUR);
        new.meta.principal = Some(principal.clone());
        leave().await;
        assert!(store.create(new.into(), sign_in).await.unwrap().is_created());
    }
    leave().await;
    assert_eq!(store.list(&principal, None, 9).await.unwrap().records.len(), 1);
    leave().await;
    assert_eq!(
        store.revoke(&principal, Revoke::All, EndReason::OtherDevice, None).await.unwrap().ended,
        1
    );
    leave().await;
    assert!(store.delete(id, EndReason::SignedOut).await.unwrap());
    leave().await;
    assert_eq!(store.count().await.unwrap(), 0);
    leave().await;
    assert_eq!(store.sweep(9).await.unwrap().removed, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_connection_was_left_in_is_neither_used_nor_believed() {
    let opened = Opened::with(&server().url(DATABASE), options(Clock::system())).await;
    let pool = one(&server().url(DATABASE)).await;
    for left in [
        "SELECT 1",
        // An old view of the database.
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class",
        "BEGIN READ ONLY",
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY; \
         SET search_path = ''; SET bytea_output = 'escape'; SET lock_timeout = 0",
        // A transaction that has failed.
        "BEGIN; SELECT 1 / 0",
    ] {
        let options = options(Clock::system()).schema(&opened.schema.0).migrate(false);
        let store = options.with_pool(pool.clone()).await.unwrap();
        everything(&store, async || {
            let mut connection = pool.acquire().await.unwrap();
            let _ = connection.execute(sqlx::raw_sql(left)).await;
        })
        .await;
        // What was written is there for others.
        let (id, secret) = insert(&store, HOUR).await;
        let found = opened.store.load(id, &[secret], Touch::Never.into()).await.unwrap();
        assert!(matches!(found, Lookup::Found(_)), "{left}: {found:?}");
        opened.store.delete(id, EndReason::SignedOut).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_the_server_has_no_warnings() {
    let server = Postgres::start().unwrap();
    let url = server.url(DATABASE);
    let own = options(Clock::system()).connect(&url).await.unwrap();
    everything(&own, async || ()).await;
    let pooled = options(Clock::system()).pooler(true).connect(&url).await.unwrap();
    everything(&pooled, async || ()).await;
    let pool = one(&url).await;
    for pooler in [false, true] {
        let options = options(Clock::system()).pooler(pooler);
        let lent = options.with_pool(pool.clone()).await.unwrap();
        everything(&lent, async || ()).await;
    }
    server.stop();
    let said = std::fs::read_to_string(server.directory().join("output")).unwrap();
    assert!(said.contains("database system is ready"), "{said}");
    assert!(!said.contains("WARNING") && !said.contains("ERROR"), "{said}");
}

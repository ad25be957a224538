//! Nodes that tell each other of changes by `NOTIFY`.

use std::error::Error as _;
use std::time::Duration;

use session_runtime::clock::Clock;
use session_runtime::store::{CachedStore, PostgresOptions, PostgresStore, SessionStore};
use session_runtime::{Session, SessionLayer, SessionSchema};
use session_tests::Tab;
use session_tests::promises::watch::{self, at, revocations, revoked_while_killed};
use session_tests::servers::Proxy;
use sqlx::PgPool;
use tokio::time::timeout;

use super::kit::{DATABASE, Opened, Schema, options, server};

const HOUR: Duration = Duration::from_secs(3_600);
/// How long to wait for what comes in milliseconds.
const LIMIT: Duration = Duration::from_secs(30);

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user: Option<u64>,
    visits: u32,
}

type S = Session<Visitor>;

fn pushing() -> PostgresOptions {
    options(Clock::system()).push(true)
}

/// Two nodes in front of one database.
async fn nodes() -> (PostgresStore, PostgresStore, Schema) {
    let url = server().url(DATABASE);
    let Opened { store, schema } = Opened::with(&url, pushing()).await;
    let there = pushing().schema(&schema.0).connect(&format!("{url}&push=true")).await.unwrap();
    (store, there, schema)
}

/// Connections that listen to the nodes of this schema.
fn listening(schema: &str) -> String {
    format!("FROM pg_stat_activity WHERE query LIKE 'LISTEN \"{schema}.session\"%'")
}

/// Ends them, and returns how many there were.
fn kill(schema: &str) -> usize {
    let ended = listening(schema);
    let sql = format!("SELECT count(*) FROM (SELECT pg_terminate_backend(pid) {ended}) ended");
    server().psql(DATABASE, &sql).unwrap().trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_ends_when_another_node_says_so_whatever_the_interval_is() {
    let (here, there, _schema) = nodes().await;
    watch::sockets_of_another_node_end_with_their_session(&here, &there, HOUR).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_does_it_matter_whose_pool_it_is() {
    let (_, there, schema) = nodes().await;
    let pool = PgPool::connect(&server().url(DATABASE)).await.unwrap();
    let here = pushing().schema(&schema.0).with_pool(pool).await.unwrap();
    watch::sockets_of_another_node_end_with_their_session(&here, &there, HOUR).await;
    watch::sockets_of_another_node_end_with_their_session(&there, &here, HOUR).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_ends_the_socket_of_another_node_in_milliseconds() {
    let (here, there, _schema) = nodes().await;
    let waits = revocations(&here, &there, HOUR, 300).await;
    println!("ended after {:?}, 99 % within {:?}", at(&waits, 50), at(&waits, 99));
    assert!(at(&waits, 50) < Duration::from_millis(500), "{:?}", at(&waits, 50));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_socket_outlives_its_session_by_twice_the_interval_however_often_nobody_listens() {
    let (here, there, schema) = nodes().await;
    let name = schema.0.clone();
    revoked_while_killed(&here, &there, move || kill(&name)).await;
    // Whoever was cut off listens again.
    watch::sockets_of_another_node_end_with_their_session(&here, &there, HOUR).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_falls_silent_is_replaced() {
    let wire = Proxy::to(server().port());
    let url = format!("postgres://postgres@127.0.0.1:{}/{DATABASE}?sslmode=disable", wire.port);
    let Opened { store: here, schema } = Opened::with(&url, pushing()).await;
    let url = server().url(DATABASE);
    let there = pushing().schema(&schema.0).connect(&url).await.unwrap();
    // Nobody is told that this connection is dead: the node misses its own messages on it.
    wire.silence(true);
    tokio::time::sleep(Duration::from_secs(6)).await;
    wire.silence(false);
    tokio::time::sleep(Duration::from_secs(14)).await;
    watch::sockets_of_another_node_end_with_their_session(&here, &there, HOUR).await;
}

/// Waits on one node for a change of a session, which a request on the other one makes.
async fn a_change_is_told(here: impl SessionStore + Clone, there: impl SessionStore + Clone) {
    let layer = SessionLayer::new(here).watch_interval(HOUR);
    let mut tab = Tab::new(&layer);
    tab.run(|mut s: S| async move { s.set_visits(1) }).await.ok();
    let seen = tab.ask(|s: S| async move { s }).await.ok();
    let mut waits = tokio::spawn(async move { seen.changed_elsewhere().await });
    assert!(timeout(Duration::from_millis(300), &mut waits).await.is_err(), "nothing has changed");
    let other = SessionLayer::new(there);
    tab.by(&other).run(|mut s: S| async move { s.set_visits(2) }).await.ok();
    timeout(LIMIT, waits).await.expect("it is told").unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_told_and_a_cache_does_not_hide_it() {
    let (here, there, _schema) = nodes().await;
    a_change_is_told(here.clone(), there.clone()).await;
    a_change_is_told(CachedStore::new(here).stale_for(LIMIT * 2), there).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listens_who_was_not_asked_to_or_whose_store_is_gone() {
    let count = |schema: &str| {
        let sql = format!("SELECT count(*) {}", listening(schema));
        server().psql(DATABASE, &sql).unwrap().trim().to_owned()
    };
    let silent = Opened::with_clock(Clock::system()).await;
    assert_eq!(count(&silent.schema.0), "0");
    let (here, there, schema) = nodes().await;
    assert_eq!(count(&schema.0), "2");
    drop((here, there));
    for _ in 0..100 {
        if count(&schema.0) == "0" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{} still listen", count(&schema.0));
}

#[tokio::test]
async fn a_url_says_true_or_false() {
    for parameter in ["push=1", "push=TRUE", "pgbouncer=yes", "push"] {
        let url = format!("postgres://nobody@127.0.0.1:1/none?{parameter}");
        let refused = PostgresStore::connect(&url).await.unwrap_err();
        let why = refused.source().unwrap().to_string();
        assert!(why.ends_with("true or false"), "{why}");
    }
}

#[tokio::test]
async fn a_pooler_is_refused_because_it_would_pass_nothing_on() {
    for url in
        ["postgres://nobody@127.0.0.1:1/none?pgbouncer=true&push=true", "postgres://x/?push=true"]
    {
        let refused = PostgresStore::options().pooler(true).connect(url).await.unwrap_err();
        let why = refused.source().unwrap().to_string();
        assert!(why.starts_with("push: connect to the server itself"), "{why}");
    }
}

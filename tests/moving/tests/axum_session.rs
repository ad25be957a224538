//! An application of axum_session moves over, and no user is signed out.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use axum::Router;
use axum_session::{DatabasePool, Key, SessionConfig};
use axum_session_sqlx::SessionSqlitePool;
use session_moving::axum_session::legacy::AxumSessions;
use session_moving::axum_session::{after, before};
use session_runtime::SessionLayer;
use session_runtime::clock::Clock;
use session_runtime::store::{SessionStore, SqliteStore};
use session_tests::Client;
use sqlx_09::SqlitePool;
use sqlx_09::sqlite::SqliteConnectOptions;

const TABLE: &str = "sessions_table";

/// Their table, and our store.
struct Place {
    pool: SqlitePool,
    theirs: SessionSqlitePool,
    ours: SqliteStore,
    clock: Clock,
    _directory: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("app.db");
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
        let pool = SqlitePool::connect_with(options).await.unwrap();
        let clock = Clock::frozen(Clock::system().now());
        let ours = SqliteStore::options().clock(clock.clone());
        let ours = ours.open(directory.path().join("sessions.db")).await.unwrap();
        Self { theirs: pool.clone().into(), pool, ours, clock, _directory: directory }
    }

    async fn before(&self, config: SessionConfig) -> Router {
        before::app(&self.theirs, config.with_table_name(TABLE)).await
    }

    fn after(&self) -> Router {
        let legacy = AxumSessions { pool: self.theirs.clone(), table: TABLE.to_owned() };
        after::app(SessionLayer::new(self.ours.clone()).adopt(legacy))
    }
}

async fn signed_in(app: &Router, user: i64, locale: &str) -> Client {
    let mut client = Client::new(app);
    client.post(&format!("/locale/{locale}")).await;
    client.post(&format!("/login/{user}")).await;
    assert_eq!(client.get("/").await.body, format!("Some({user}) {locale} 1"));
    client
}

/// The same browser, after the deployment.
fn on(app: &Router, client: &Client) -> Client {
    let mut moved = Client::new(app);
    moved.cookies = client.cookies.clone();
    moved
}

async fn moves(config: SessionConfig) {
    let place = Place::new().await;
    let old = place.before(config).await;
    let ada = signed_in(&old, 1, "de").await;
    let bob = signed_in(&old, 2, "fr").await;
    let mut visitor = Client::new(&old);
    visitor.post("/locale/it").await;
    assert_eq!(place.theirs.count(TABLE).await.unwrap(), 3);

    let new = place.after();
    for (client, all) in [(&ada, "Some(1) de 1"), (&bob, "Some(2) fr 1"), (&visitor, "None it 1")] {
        let mut moved = on(&new, client);
        assert_eq!(moved.get("/").await.body, all);
        assert!(moved.token().is_some());
        assert!(!moved.cookies.contains_key("session"), "{:?}", moved.cookies);
        assert_eq!(moved.get("/").await.body, all, "by the new cookie");
    }
    assert_eq!(place.theirs.count(TABLE).await.unwrap(), 0);
    assert_eq!(place.ours.count().await.unwrap(), 3);
}

#[tokio::test]
async fn no_user_is_signed_out() {
    moves(SessionConfig::default()).await;
}

#[tokio::test]
async fn no_user_with_a_signed_cookie_is_signed_out() {
    moves(SessionConfig::default().with_key(Key::from(&[7; 64]))).await;
}

#[tokio::test]
async fn an_old_cookie_that_is_replayed_opens_nothing() {
    let place = Place::new().await;
    let client = signed_in(&place.before(SessionConfig::default()).await, 1, "de").await;
    let new = place.after();
    let mut moved = on(&new, &client);
    moved.get("/").await;
    moved.get("/").await;
    place.clock.advance(Duration::from_secs(61));
    assert_eq!(on(&new, &client).get("/").await.body, "None en 0");
    assert_eq!(moved.get("/").await.body, "Some(1) de 1");
}

#[tokio::test]
async fn a_logout_after_the_move_is_one_for_the_old_cookie_too() {
    let place = Place::new().await;
    let client = signed_in(&place.before(SessionConfig::default()).await, 1, "de").await;
    let new = place.after();
    let mut moved = on(&new, &client);
    moved.post("/logout").await;
    assert!(moved.cookies.is_empty(), "{:?}", moved.cookies);
    assert_eq!(on(&new, &client).get("/").await.body, "None en 0");
}

#[tokio::test]
async fn wrong_and_expired_cookies_are_anonymous() {
    let place = Place::new().await;
    let client = signed_in(&place.before(SessionConfig::default()).await, 1, "de").await;
    let expire = format!("UPDATE {TABLE} SET expires = 1");
    sqlx_09::query(sqlx_09::AssertSqlSafe(expire)).execute(&place.pool).await.unwrap();
    let new = place.after();
    let expired = client.cookies["session"].clone();
    let unknown = "01234567-89ab-4def-8123-456789abcdef".to_owned();
    for value in [expired, unknown, "x".to_owned(), "ä".repeat(30), String::new()] {
        let mut client = Client::new(&new);
        client.cookies.insert("session".to_owned(), value);
        assert_eq!(client.get("/").await.body, "None en 0");
        assert_eq!(client.token(), None);
    }
    assert_eq!(place.ours.count().await.unwrap(), 0);
}

//! An application of axum-login moves over, and nobody is signed out.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use axum::Router;
use axum_login::tower_sessions::session::Id;
use session_moving::users::Users;
use session_moving::{after, before};
use session_runtime::SessionLayer;
use session_runtime::clock::Clock;
use session_runtime::store::{SessionStore, SqliteStore};
use session_runtime::tower_sessions_014::{AsTowerSessions, TowerSessionsStore};
use session_tests::Client;

/// One file with users, their sessions and ours.
struct Place {
    users: Users,
    clock: Clock,
    ours: SqliteStore,
    _directory: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("app.db");
        let users = Users::create(&file).await;
        let clock = Clock::frozen(Clock::system().now());
        let options = SqliteStore::options().shared_file("web_session").clock(clock.clone());
        let ours = options.open(&file).await.unwrap();
        Self { users, clock, ours, _directory: directory }
    }

    async fn before(&self) -> Router {
        before::app(before::store(&self.users).await, &self.users)
    }

    async fn after(&self) -> Router {
        let legacy = after::left(before::store(&self.users).await, &self.users);
        after::app(SessionLayer::new(self.ours.clone()).adopt(legacy), &self.users)
    }
}

async fn signed_in(app: &Router, name: &str, locale: &str) -> Client {
    let mut client = Client::new(app);
    client.post(&format!("/locale/{locale}")).await;
    client.post(&format!("/login/{name}/one")).await;
    assert_eq!(client.get("/").await.body, format!("Some({name:?}) {locale}"));
    client
}

/// The same browser, after the deployment.
fn on(app: &Router, client: &Client) -> Client {
    let mut moved = Client::new(app);
    moved.cookies = client.cookies.clone();
    moved
}

#[tokio::test]
async fn nobody_is_signed_out_and_all_come_with_what_was_theirs() {
    let place = Place::new().await;
    let old = place.before().await;
    let people = [("ada", "de"), ("bob", "fr"), ("cyd", "en")];
    let mut clients = Vec::new();
    for (name, locale) in people {
        clients.push(signed_in(&old, name, locale).await);
    }
    let mut visitor = Client::new(&old);
    visitor.post("/locale/it").await;
    assert_eq!(place.users.old_sessions().await, 4);

    let new = place.after().await;
    for ((name, locale), client) in people.into_iter().zip(&clients) {
        let mut moved = on(&new, client);
        let all = format!("Some({name:?}) {locale}");
        assert_eq!(moved.get("/").await.body, all);
        assert!(moved.token().is_some());
        assert!(!moved.cookies.contains_key("id"), "{:?}", moved.cookies);
        assert_eq!(moved.get("/").await.body, all, "by the new cookie");
    }
    assert_eq!(on(&new, &visitor).get("/").await.body, "None it");
    assert_eq!(place.users.old_sessions().await, 0);
    assert_eq!(place.ours.count().await.unwrap(), 4);
}

#[tokio::test]
async fn an_old_cookie_that_is_replayed_opens_nothing() {
    let place = Place::new().await;
    let client = signed_in(&place.before().await, "ada", "de").await;
    let new = place.after().await;
    let mut moved = on(&new, &client);
    moved.get("/").await;
    moved.get("/").await;
    place.clock.advance(Duration::from_secs(61));
    let mut thief = on(&new, &client);
    assert_eq!(thief.get("/").await.body, "None en");
    assert_eq!(thief.token(), None);
    assert_eq!(moved.get("/").await.body, "Some(\"ada\") de");
}

#[tokio::test]
async fn a_logout_after_the_move_is_one_for_the_old_cookie_too() {
    let place = Place::new().await;
    let client = signed_in(&place.before().await, "ada", "de").await;
    let new = place.after().await;
    let mut moved = on(&new, &client);
    moved.post("/logout").await;
    assert!(moved.cookies.is_empty(), "{:?}", moved.cookies);
    assert_eq!(on(&new, &client).get("/").await.body, "None en");
}

#[tokio::test]
async fn wrong_and_expired_cookies_are_anonymous() {
    let place = Place::new().await;
    let client = signed_in(&place.before().await, "ada", "de").await;
    let expire = "UPDATE tower_sessions SET expiry_date = '2020-01-01 00:00:00+00:00'";
    sqlx::query(expire).execute(&place.users.0).await.unwrap();
    let new = place.after().await;
    let expired = client.cookies["id"].clone();
    for value in [expired, Id::default().to_string(), "x".to_owned(), String::new()] {
        let mut client = Client::new(&new);
        client.cookies.insert("id".to_owned(), value);
        assert_eq!(client.get("/").await.body, "None en");
        assert_eq!(client.token(), None);
    }
    assert_eq!(place.ours.count().await.unwrap(), 0);
}

#[tokio::test]
async fn sessions_from_before_a_change_of_the_password_stay_ended() {
    let place = Place::new().await;
    let old = place.before().await;
    let (ada, bob) = (signed_in(&old, "ada", "de").await, signed_in(&old, "bob", "fr").await);
    // Ada has changed it elsewhere, and this browser was not seen since.
    place.users.set_password(1, "two").await;
    let new = place.after().await;
    let mut moved = on(&new, &ada);
    assert_eq!(moved.get("/").await.body, "None en");
    assert_eq!(moved.token(), None);
    assert_eq!(place.ours.count().await.unwrap(), 0);
    assert_eq!(on(&new, &bob).get("/").await.body, "Some(\"bob\") fr");
    // Nor does a user who is no more come back.
    let cyd = signed_in(&old, "cyd", "en").await;
    sqlx::query("DELETE FROM users WHERE id = 3").execute(&place.users.0).await.unwrap();
    assert_eq!(on(&new, &cyd).get("/").await.body, "None en");
    assert_eq!(place.ours.count().await.unwrap(), 1);
}

#[tokio::test]
async fn axum_login_runs_on_a_store_of_ours() {
    let place = Place::new().await;
    // Its layer takes the time from the system.
    let app = before::app(AsTowerSessions::new(place.ours.clone()), &place.users);
    let mut client = signed_in(&app, "ada", "de").await;
    let before = client.tab();
    assert_eq!(place.ours.count().await.unwrap(), 1);
    client.post("/logout").await;
    assert_eq!(before.tab().get("/").await.body, "None en");
    assert_eq!(place.ours.count().await.unwrap(), 0);
}

#[tokio::test]
async fn typed_sessions_run_on_their_store() {
    let place = Place::new().await;
    let theirs = before::store(&place.users).await;
    let layer = SessionLayer::new(TowerSessionsStore::single_process(theirs));
    let app = after::app(layer, &place.users);
    let mut client = signed_in(&app, "ada", "de").await;
    let before = client.tab();
    assert_eq!(place.users.old_sessions().await, 1);
    client.post("/logout").await;
    assert_eq!(before.tab().get("/").await.body, "None en");
    assert_eq!(place.users.old_sessions().await, 0);
}

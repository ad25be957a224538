//! An application of axum-login keeps its handlers, and what axum-login promised them.
#![allow(clippy::unwrap_used)]

use axum::Router;
use session_moving::users::Users;
use session_moving::{after, before, kept};
use session_runtime::store::{CachedStore, MemoryStore, SessionStore};
use session_runtime::tower_sessions_014::TowerSessionsLegacy;
use session_runtime::{CookieConfig, SessionLayer, SessionManager};
use session_tests::Client;

struct Place {
    users: Users,
    ours: MemoryStore,
    sessions: SessionManager<after::Visitor>,
    app: Router,
    _directory: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let users = Users::create(&directory.path().join("app.db")).await;
        let ours = MemoryStore::new();
        let legacy = TowerSessionsLegacy::new(before::store(&users).await);
        let layer = kept::layer(SessionLayer::new(ours.clone()), &users).adopt(legacy);
        let (sessions, app) = (layer.sessions().manager_for().unwrap(), kept::app(layer, &users));
        Self { users, ours, sessions, app, _directory: directory }
    }

    async fn delete_user(&self, id: i64) {
        let query = sqlx::query("DELETE FROM users WHERE id = ?").bind(id);
        query.execute(&self.users.0).await.unwrap();
    }

    async fn signed_in(&self, name: &str) -> Client {
        let mut client = Client::new(&self.app);
        assert_eq!(client.post(&format!("/login/{name}/one")).await.status, 200);
        client
    }
}

/// The same browser, at another node or after the deployment.
fn on(app: &Router, client: &Client) -> Client {
    let mut moved = Client::new(app);
    moved.cookies = client.cookies.clone();
    moved
}

async fn is_signed_out(client: &mut Client) {
    assert_eq!(client.get("/account").await.status, 401);
    assert_eq!(client.get("/").await.body, "None en");
}

#[tokio::test]
async fn the_handlers_sign_in_and_out_as_before() {
    let place = Place::new().await;
    let mut client = Client::new(&place.app);
    assert_eq!(client.get("/").await.body, "None en");
    assert_eq!(client.post("/login/ada/wrong").await.status, 401);
    client.post("/locale/de").await;
    let before = client.tab();
    client.post("/login/ada/one").await;
    assert_ne!(client.token(), before.token(), "a sign-in renews the token");
    assert_eq!(client.get("/").await.body, "Some(\"ada\") de");
    assert_eq!(client.get("/account").await.body, "1");
    let other_tab = client.tab();
    client.post("/logout").await;
    for mut client in [client, other_tab] {
        is_signed_out(&mut client).await;
    }
    assert_eq!(place.ours.count().await.unwrap(), 0);
}

#[tokio::test]
async fn sessions_of_axum_login_come_along() {
    let place = Place::new().await;
    let old = before::app(before::store(&place.users).await, &place.users);
    let mut client = Client::new(&old);
    client.post("/locale/de").await;
    client.post("/login/ada/one").await;
    let mut moved = on(&place.app, &client);
    assert_eq!(moved.get("/").await.body, "Some(\"ada\") de");
    assert_eq!(moved.get("/account").await.body, "1");
    // Its hash comes along too, whatever became of the request that took it over.
    place.users.set_password(1, "two").await;
    is_signed_out(&mut moved).await;
    let mut client = Client::new(&old);
    client.post("/login/bob/one").await;
    let mut moved = on(&place.app, &client);
    assert_eq!(moved.get("/nowhere").await.status, 404);
    moved.post("/prove").await;
    assert_eq!(moved.get("/account").await.body, "2");
    place.users.set_password(2, "two").await;
    is_signed_out(&mut moved).await;
}

#[tokio::test]
async fn only_what_axum_login_stored_says_who_is_signed_in() {
    let place = Place::new().await;
    let old = before::app(before::store(&place.users).await, &place.users);
    let mut client = Client::new(&old);
    client.post("/locale/de").await;
    client.post("/member/1").await;
    let mut moved = on(&place.app, &client);
    assert_eq!(moved.get("/").await.body, "None de");
    assert_eq!(moved.get("/account").await.status, 401);
}

#[tokio::test]
async fn a_handler_sees_the_user_of_the_session_as_it_is_now() {
    let place = Place::new().await;
    let mut client = place.signed_in("ada").await;
    assert_eq!(client.get("/banned").await.body, "None en");
    is_signed_out(&mut client).await;
}

#[tokio::test]
async fn a_new_password_ends_the_sessions_at_their_next_request() {
    let place = Place::new().await;
    let (mut ada, mut seen, mut bob) =
        (place.signed_in("ada").await, place.signed_in("ada").await, place.signed_in("bob").await);
    assert_eq!(seen.get("/").await.body, "Some(\"ada\") en");
    place.users.set_password(1, "two").await;
    is_signed_out(&mut ada).await;
    is_signed_out(&mut seen).await;
    assert_eq!(bob.get("/account").await.body, "2");
    assert_eq!(place.ours.count().await.unwrap(), 1, "ended, not only ignored");

    // Where it was changed, the user stays signed in.
    let mut elsewhere = place.signed_in("cyd").await;
    let mut here = place.signed_in("cyd").await;
    here.post("/password/two").await;
    assert_eq!(here.get("/account").await.body, "3");
    is_signed_out(&mut elsewhere).await;
    // And one may sign in again with the new one, in the same request.
    let mut again = place.signed_in("bob").await;
    place.users.set_password(2, "two").await;
    again.post("/login/bob/two").await;
    assert_eq!(again.get("/").await.body, "Some(\"bob\") en");
}

#[tokio::test]
async fn a_user_who_is_no_more_is_signed_out() {
    let place = Place::new().await;
    let mut ada = place.signed_in("ada").await;
    place.delete_user(1).await;
    is_signed_out(&mut ada).await;
    assert_eq!(place.ours.count().await.unwrap(), 0);
}

#[tokio::test]
async fn what_was_signed_in_otherwise_is_not_compared() {
    let place = Place::new().await;
    let mut client = Client::new(&place.app);
    client.post("/sign-in/1").await;
    place.users.set_password(1, "two").await;
    assert_eq!(client.get("/").await.body, "Some(\"ada\") en");
    client.post("/password/three").await;
    assert_eq!(client.get("/account").await.body, "1");
    place.delete_user(1).await;
    is_signed_out(&mut client).await;
    // Nor with the hash of whoever was signed in before.
    for then in ["/sign-in/3", "/switch/cyd/one"] {
        let mut client = place.signed_in("bob").await;
        client.post(then).await;
        for _ in 0..2 {
            assert_eq!(client.get("/").await.body, "Some(\"cyd\") en", "{then}");
        }
    }
}

#[tokio::test]
async fn a_sign_in_is_stored_with_its_hash_or_not_at_all() {
    for path in ["/login/ada/one", "/switch/ada/one", "/discard/ada/one", "/fail/ada/one"] {
        let place = Place::new().await;
        let mut client = Client::new(&place.app);
        client.post("/locale/de").await;
        client.post(path).await;
        assert_eq!(client.get("/account").await.body, "1", "{path}");
        place.users.set_password(1, "two").await;
        is_signed_out(&mut client).await;
    }
}

#[tokio::test]
async fn a_sign_in_on_an_ended_session_leaves_nothing() {
    let place = Place::new().await;
    let mut client = place.signed_in("bob").await;
    client.post("/too-late/ada/one").await;
    assert_eq!(place.ours.count().await.unwrap(), 0);
    is_signed_out(&mut client).await;
}

#[tokio::test]
async fn who_acts_as_another_user_comes_back() {
    let place = Place::new().await;
    let mut client = place.signed_in("ada").await;
    client.post("/act-as/2").await;
    for _ in 0..2 {
        assert_eq!(client.get("/").await.body, "Some(\"bob\") en");
    }
    client.post("/stop-acting").await;
    assert_eq!(client.get("/").await.body, "Some(\"ada\") en");
}

#[tokio::test]
async fn two_kinds_of_users_have_hashes_of_their_own() {
    let place = Place::new().await;
    let layer = |name| {
        let cookie = CookieConfig::builder().name(name).build().unwrap();
        SessionLayer::new(MemoryStore::new()).cookie(cookie)
    };
    let app = kept::nested(layer("visitor"), layer("staff"), &place.users);
    let mut client = Client::new(&app);
    client.post("/login/ada/one").await;
    client.post("/staff/bob/one").await;
    for _ in 0..2 {
        assert_eq!(client.get("/").await.body, "Some(\"ada\") Some(\"bob\")");
    }
    place.users.set_password(2, "two").await;
    assert_eq!(client.get("/").await.body, "Some(\"ada\") None");
    place.users.set_password(1, "two").await;
    assert_eq!(client.get("/").await.body, "None None");
}

#[tokio::test]
async fn the_backend_is_asked_for_its_own_users_only() {
    let place = Place::new().await;
    // By mistake, both applications have one store and one cookie.
    let staff = kept::staff(SessionLayer::new(place.ours.clone()));
    for user in [1, 9] {
        let mut client = Client::new(&staff);
        client.post(&format!("/staff/{user}")).await;
        assert_eq!(on(&place.app, &client).get("/").await.body, "None en");
    }
    assert_eq!(place.ours.count().await.unwrap(), 2, "who is none of them is left alone");
}

#[tokio::test]
async fn a_cache_lets_nobody_in() {
    let place = Place::new().await;
    let node = || {
        let cached = CachedStore::new(place.ours.clone());
        kept::app(kept::layer(SessionLayer::new(cached), &place.users), &place.users)
    };
    let (one, other) = (node(), node());
    let mut client = Client::new(&one);
    client.post("/login/ada/one").await;
    let mut there = on(&other, &client);
    assert_eq!(there.get("/").await.body, "Some(\"ada\") en");
    client.post("/logout").await;
    assert_eq!(there.get("/").await.body, "None en");
}

#[tokio::test]
async fn what_asks_for_no_session_is_the_same_for_everybody() {
    let place = Place::new().await;
    for mut client in [Client::new(&place.app), place.signed_in("ada").await] {
        let reply = client.get("/static").await;
        assert_eq!(reply.body, "the same for everybody");
        for name in ["vary", "cache-control", "set-cookie"] {
            assert!(!reply.headers.contains_key(name), "{:?}", reply.headers);
        }
        assert!(client.get("/").await.headers.contains_key("vary"));
    }
}

#[tokio::test]
async fn what_is_stored_is_not_the_hash_itself() {
    let place = Place::new().await;
    place.signed_in("ada").await;
    let exported = place.sessions.export(&1).await.unwrap();
    // SHA-256 of the hash.
    assert_eq!(
        exported[0].fields["axum-login:credentials"],
        "Fy8MkSXuoeWKJyS5UXhAK34JaOdYn2CrBix7_DV0sgk"
    );
}

#[tokio::test]
async fn a_backend_that_fails_signs_nobody_out() {
    let place = Place::new().await;
    let mut client = place.signed_in("ada").await;
    sqlx::query("ALTER TABLE users RENAME TO away").execute(&place.users.0).await.unwrap();
    assert_eq!(client.get("/").await.status, 500);
    assert_eq!(client.get("/health").await.body, "well");
    sqlx::query("ALTER TABLE away RENAME TO users").execute(&place.users.0).await.unwrap();
    assert_eq!(client.get("/").await.body, "Some(\"ada\") en");
}

#[tokio::test]
async fn a_route_without_the_layer_is_an_error_and_an_excluded_one_is_not() {
    let place = Place::new().await;
    let mut client = place.signed_in("ada").await;
    assert_eq!(client.get("/outside").await.status, 500);
    assert_eq!(client.get("/health").await.body, "well");
}

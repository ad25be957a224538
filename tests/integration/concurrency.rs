//! Parallel requests of one browser: nothing lost, nothing revived.

use std::sync::Arc;

use axum::Router;
use http::Method;
use session_runtime::SessionLayer;
use session_tests::stores::{Under, all};
use session_tests::{Client, Reply};
use tokio::sync::Barrier;

use crate::visitor::{app, app_in};

/// Both requests have loaded the session before either changes it.
async fn overlap(client: &Client, one: &str, other: &str) -> (Reply, Reply) {
    tokio::join!(client.ask(Method::POST, one), client.ask(Method::POST, other))
}

/// A barrier of its own per lane, so that lanes of one store do not meet.
fn lanes(under: &Under, count: usize) -> Vec<Router> {
    let layer = SessionLayer::new(under.store.clone());
    (0..count).map(|_| app_in(layer.clone(), Arc::new(Barrier::new(2)))).collect()
}

async fn fresh(app: &Router) -> Client {
    let mut client = Client::new(app);
    client.get("/visit").await;
    client
}

async fn in_lanes<F: Future<Output = ()> + Send + 'static>(
    under: &Under,
    lane: impl Fn(Router) -> F,
) {
    let mut tasks = tokio::task::JoinSet::new();
    lanes(under, 20).into_iter().for_each(|app| drop(tasks.spawn(lane(app))));
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_pairs_of_overlapping_requests_lose_no_field() {
    for under in all().await {
        let name = under.name;
        in_lanes(&under, |app| async move {
            for _ in 0..50 {
                let mut client = fresh(&app).await;
                let (one, other) = overlap(&client, "/meet/locale", "/meet/push").await;
                assert_eq!((one.status.as_u16(), other.status.as_u16()), (200, 200));
                assert_eq!(client.get("/read").await.body, "nobody fr 1 [\"ink\"]", "{name}");
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_concurrent_additions_all_count() {
    for under in all().await {
        let app = app(under.store.clone());
        let mut client = fresh(&app).await;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let tab = client.tab();
            tasks.spawn(async move { tab.ask(Method::GET, "/visit").await.status });
        }
        while let Some(status) = tasks.join_next().await {
            assert_eq!(status.unwrap(), 200);
        }
        assert_eq!(client.get("/read").await.body, "nobody en 65 []", "{}", under.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_writes_in_flight_never_revive_a_logged_out_session() {
    for under in all().await {
        let name = under.name;
        in_lanes(&under, |app| async move {
            for round in 0..500 {
                let mut client = fresh(&app).await;
                client.post("/sign-in").await;
                let write = if round % 2 == 0 { "/meet/push" } else { "/meet/visit" };
                let (write, logout) = overlap(&client, write, "/meet/logout").await;
                assert_eq!(logout.status, 200, "{name}");
                assert!(logout.set_cookie().unwrap().contains("Max-Age=0"), "{name}");
                assert_eq!(write.set_cookie(), None, "{name}: no cookie brings it back");
                assert_eq!(client.get("/account").await.status, 401, "{name} round {round}");
            }
        })
        .await;
        assert_eq!(count(&under).await, 0, "{name}: nothing of it is left");
    }
}

async fn count(under: &Under) -> u64 {
    SessionLayer::new(under.store.clone()).manager().count().await.unwrap()
}

#[tokio::test]
async fn a_lost_explicit_change_is_a_409_and_a_lost_counter_is_not() {
    for under in all().await {
        let app = app(under.store.clone());
        let mut client = fresh(&app).await;
        let late = client.tab();
        client.post("/logout").await;
        for (path, status) in [("/push", 409), ("/locale", 409), ("/count", 200), ("/logout", 200)]
        {
            let reply = late.ask(Method::POST, path).await;
            assert_eq!(reply.status, status, "{}: {path}", under.name);
            assert_eq!(reply.set_cookie(), None, "{}: {path}", under.name);
        }
    }
}

#[tokio::test]
async fn under_a_safe_method_a_lost_change_keeps_its_response() {
    let under = session_tests::stores::memory();
    let app = app(under.store.clone());
    let client = fresh(&app).await;
    let (read, logout) = tokio::join!(
        client.ask(Method::GET, "/meet/get"),
        client.ask(Method::POST, "/meet/logout"),
    );
    assert_eq!((read.status.as_u16(), logout.status.as_u16()), (200, 200));
}

#[tokio::test]
async fn sign_in_survives_the_late_answer_to_a_request_with_the_old_token() {
    for under in all().await {
        let app = app(under.store.clone());
        let mut client = fresh(&app).await;
        let slow = client.tab();
        // Both loaded the anonymous session; the sign-in is answered first.
        let (signed_in, late) = overlap(&slow, "/meet/sign-in", "/meet/push").await;
        client.keep(&signed_in);
        client.keep(&late);
        assert_eq!(client.get("/account").await.body, "43", "{}", under.name);
        // And one that only starts after the sign-in, still with the old token.
        let later = slow.ask(Method::POST, "/locale").await;
        assert_eq!(later.set_cookie(), None);
        client.keep(&later);
        assert_eq!(client.get("/account").await.body, "43", "{}", under.name);
    }
}

#[tokio::test]
async fn of_two_parallel_sign_ins_none_is_dropped() {
    for under in all().await {
        let app = app(under.store.clone());
        let client = fresh(&app).await;
        client.clone().post("/push").await;
        let (one, other) = overlap(&client, "/meet/sign-in", "/meet/sign-in").await;
        for answer in [one, other] {
            let mut tab = client.tab();
            tab.keep(&answer);
            assert_eq!(tab.get("/account").await.body, "43", "{}", under.name);
            let body = tab.get("/read").await.body;
            assert_eq!(body, "43 en 1 [\"pen\"]", "{}: with what it saw", under.name);
        }
    }
}

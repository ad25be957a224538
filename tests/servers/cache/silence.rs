//! A network that stops without a word.

use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::{get, post};
use session_runtime::store::SessionStore;
use session_runtime::{Authenticated, Session, SessionLayer, SessionSchema};
use session_tests::Client;
use session_tests::servers::Proxy;
use session_tests::servers::redis;

use super::kit::{Nodes, change, eventually, look};

const SILENCE: Duration = Duration::from_millis(600);

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::disallowed_methods)] // the bound is one of real time
async fn a_connection_that_is_half_open_is_out_of_use_after_the_bound() {
    let Some(server) = redis::single() else { return };
    let proxy = Proxy::to(server.port);
    let url = format!("redis://127.0.0.1:{}", proxy.port);
    let nodes = Nodes::with(&url, &server.url(), SILENCE).await;
    let record = nodes.session().await;
    proxy.swallow(true);
    let silent = Instant::now();
    let rev = change(&nodes.there, &record).await;
    let mut old = 0;
    loop {
        let (asked, usable) = (silent.elapsed(), nodes.here.stats().usable);
        let (seen, cached) = look(&nodes.here, &record).await;
        assert!(!cached || asked < SILENCE, "{seen:?} out of memory after {asked:?}");
        assert!(seen == Some(rev) || (cached && seen == Some(1)), "{seen:?} {cached}");
        old += usize::from(seen != Some(rev));
        if !usable {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    println!("{old} old answers, out of use after {:?}", silent.elapsed());
    // New connections are swallowed too.
    for _ in 0..200 {
        assert_eq!(look(&nodes.here, &record).await, (Some(rev), false));
    }
    proxy.swallow(false);
    let took = eventually("it is back", async || look(&nodes.here, &record).await.1).await;
    println!("back after {took:?}");
    let rev = change(&nodes.there, &record).await;
    eventually("the push", async || look(&nodes.here, &record).await.0 == Some(rev)).await;
}

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user_id: Option<u64>,
    #[session(counter)]
    visits: u64,
}

fn app(store: impl SessionStore) -> Router {
    let show = |session: Session<Visitor>| async move {
        format!("{:?} {}", session.user_id(), session.visits())
    };
    Router::new()
        .route("/read", get(show))
        .route("/visit", get(|mut s: Session<Visitor>| async move { s.add_visits(1) }))
        .route(
            "/account",
            get(|who: Authenticated<Visitor>| async move { who.principal().to_string() }),
        )
        .route("/sign-in", post(|mut s: Session<Visitor>| async move { s.set_user_id(42) }))
        .route("/user", post(show))
        .route("/logout", post(|mut s: Session<Visitor>| async move { s.destroy() }))
        .layer(SessionLayer::new(store))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_signed_out_elsewhere_is_let_in_nowhere_and_writes_nothing() {
    let Some(server) = redis::single() else { return };
    let proxy = Proxy::to(server.port);
    let url = format!("redis://127.0.0.1:{}", proxy.port);
    // Old answers for as long as this test may take.
    let nodes = Nodes::with(&url, &server.url(), Duration::from_secs(120)).await;
    let cache = &nodes.here;
    let mut here = Client::new(&app(cache.clone()));
    let mut there = Client::new(&app(nodes.there.clone()));
    let cases: [(http::Method, &str, &str); 3] = [
        (http::Method::GET, "/visit", ""),
        (http::Method::GET, "/account", "sign in first"),
        (http::Method::POST, "/user", "None 0"),
    ];
    for (method, path, body) in cases {
        let before = cache.count().await.unwrap() + 1;
        there.post("/sign-in").await;
        here.cookies = there.cookies.clone();
        nodes.settled().await;
        let held = async || {
            let before = cache.stats().hits;
            here.get("/read").await;
            cache.stats().hits > before
        };
        eventually("it is held", held).await;
        proxy.swallow(true);
        there.post("/logout").await;
        assert_eq!(here.get("/read").await.body, "Some(42) 0", "nobody has told it");
        let reply = here.send(method, path).await;
        assert_eq!((&*reply.body, reply.set_cookie()), (body, None), "{path}");
        assert_eq!(cache.count().await.unwrap(), before, "nothing came back");
        assert_eq!(here.get("/read").await.body, "None 0", "the refusal is remembered");
        proxy.swallow(false);
    }
}

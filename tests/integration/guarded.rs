//! What is kept outside of the store: by caches, by browsers, and on the way.

use axum::Router;
use axum::routing::{get, post};
use http::{HeaderMap, Method, header};
use session_runtime::store::StoreErrorKind;
use session_runtime::testing::{Fault, FaultStore, Operation};
use session_runtime::{Session, SessionLayer, SiteData};
use session_tests::Client;
use session_tests::stores::memory;
use session_tests::traced::Traced;

use crate::visitor::Visitor;

fn routes() -> Router {
    const PUBLIC: [(&str, &str); 3] = [
        ("cache-control", "public, max-age=600"),
        ("cdn-cache-control", "max-age=600"),
        ("surrogate-control", "max-age=600"),
    ];
    let moved = |_: Session<Visitor>| async { (http::StatusCode::SEE_OTHER, [("location", "/")]) };
    Router::new()
        .route("/in", post(|mut s: Session<Visitor>| async move { s.set_user_id(1) }))
        .route(
            "/visit",
            post(|mut s: Session<Visitor>| async move {
                s.add_visits(1);
                PUBLIC
            }),
        )
        .route("/page", get(|_: Session<Visitor>| async { PUBLIC }))
        .route("/moved", get(moved))
        .route("/file", get(|| async { PUBLIC }))
        .route("/clear", post(|mut s: Session<Visitor>| async move { s.clear_user_id() }))
        .route("/out", post(|mut s: Session<Visitor>| async move { s.destroy() }))
        .route(
            "/own",
            post(|mut s: Session<Visitor>| async move {
                s.destroy();
                [("clear-site-data", "\"*\"")]
            }),
        )
}

fn caching(headers: &HeaderMap) -> Vec<String> {
    let all = headers.iter().filter(|(name, _)| name.as_str().ends_with("-control"));
    let mut all: Vec<_> =
        all.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    all.sort();
    all
}

#[tokio::test]
async fn beside_a_cookie_no_word_of_the_handler_has_a_cache_keep_the_response() {
    let app = routes().layer(SessionLayer::new(memory().store));
    let mut client = Client::new(&app);
    let reply = client.post("/visit").await;
    assert!(reply.set_cookie().is_some());
    assert_eq!(caching(&reply.headers), ["cache-control: no-store"]);
    assert_eq!(reply.headers[header::VARY], "Cookie");
    let reply = client.get("/moved").await;
    assert_eq!(
        (reply.status.as_u16(), &reply.headers[header::VARY]),
        (303, &"Cookie".parse().unwrap())
    );
}

#[tokio::test]
async fn what_a_signed_in_visitor_sees_is_kept_by_no_cache_where_that_is_asked_for() {
    let kept = [
        "cache-control: public, max-age=600",
        "cdn-cache-control: max-age=600",
        "surrogate-control: max-age=600",
    ];
    for no_store in [false, true] {
        let layer = SessionLayer::new(memory().store).no_store_when_signed_in(no_store);
        let app = routes().layer(layer);
        let mut client = Client::new(&app);
        client.post("/visit").await;
        assert_eq!(caching(&client.get("/page").await.headers), kept, "nobody is signed in");
        client.post("/in").await;
        let page = caching(&client.get("/page").await.headers);
        match no_store {
            true => assert_eq!(page, ["cache-control: no-store"]),
            false => assert_eq!(page, kept),
        }
        assert_eq!(caching(&client.get("/file").await.headers), kept, "the session is not read");
    }
}

#[tokio::test]
async fn a_logout_asks_the_browser_to_forget_what_the_setting_says() {
    let cleared = |headers: &HeaderMap| {
        let all = headers.get_all("clear-site-data").iter();
        all.map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let usual = ["\"cache\", \"storage\""];
    let layer = SessionLayer::new(memory().store).clear_site_data(SiteData::RECOMMENDED);
    let app = routes().layer(layer);
    for (path, expected) in [("/out", &usual[..]), ("/clear", &usual), ("/own", &["\"*\""])] {
        let mut client = Client::new(&app);
        assert!(cleared(&client.post("/in").await.headers).is_empty());
        assert!(cleared(&client.get("/page").await.headers).is_empty());
        assert_eq!(cleared(&client.post(path).await.headers), expected, "{path}");
        assert!(cleared(&client.post("/visit").await.headers).is_empty());
    }
    for (what, expected) in [
        (vec![], vec![]),
        (vec![SiteData::Cookies], vec!["\"cookies\""]),
        (
            vec![SiteData::ExecutionContexts, SiteData::Cache],
            vec!["\"executionContexts\", \"cache\""],
        ),
    ] {
        let app = routes().layer(SessionLayer::new(memory().store).clear_site_data(what));
        let mut client = Client::new(&app);
        client.post("/in").await;
        assert_eq!(cleared(&client.post("/out").await.headers), expected);
    }
    let app = routes().layer(SessionLayer::new(memory().store));
    let mut client = Client::new(&app);
    client.post("/in").await;
    assert!(cleared(&client.post("/out").await.headers).is_empty(), "by default nothing");
}

#[tokio::test]
async fn a_logout_that_failed_makes_the_browser_forget_nothing() {
    let store = FaultStore::new(memory().store);
    let layer = SessionLayer::new(store.clone()).clear_site_data(SiteData::RECOMMENDED);
    let app = routes().layer(layer);
    for (path, operation) in [("/out", Operation::Delete), ("/clear", Operation::Apply)] {
        let mut client = Client::new(&app);
        client.post("/in").await;
        store.each(operation, Fault::Fails(StoreErrorKind::Unavailable));
        let reply = client.post(path).await;
        assert_eq!(reply.status, 503);
        assert!(!reply.headers.contains_key("clear-site-data"), "{path}");
        store.clear();
    }
}

const DROPPED: &str = "a session cookie is sent to a page on plain http";

#[tokio::test]
async fn a_cookie_that_the_browser_will_drop_is_reported_once_per_layer() {
    let traced = Traced::start();
    let http = [("host", "shop.example"), ("origin", "http://shop.example")];
    let app = routes().layer(SessionLayer::new(memory().store));
    let ask = |method: Method, path: &'static str, headers: [(&'static str, &'static str); 2]| {
        let client = Client::new(&app);
        async move { client.ask_with(method, path, &headers).await }
    };
    ask(Method::POST, "/in", [("host", "shop.example"), ("origin", "https://shop.example")]).await;
    ask(Method::POST, "/in", [("host", "localhost:1"), ("origin", "http://localhost:1")]).await;
    ask(Method::POST, "/in", [("host", "shop.example"), ("x-forwarded-proto", "http")]).await;
    ask(Method::GET, "/page", http).await;
    assert_eq!(traced.warnings(DROPPED), 0, "{}", traced.text());
    for _ in 0..3 {
        ask(Method::POST, "/in", http).await;
    }
    assert_eq!(traced.warnings(DROPPED), 1, "{}", traced.text());

    let app = routes().layer(SessionLayer::new(memory().store).insecure_for_development());
    Client::new(&app).ask_with(Method::POST, "/in", &http).await;
    assert_eq!(traced.warnings(DROPPED), 1, "that cookie is kept");
}

#[tokio::test]
async fn development_is_said_in_the_log_once_and_can_be_asked_for() {
    let traced = Traced::start();
    let layer = SessionLayer::new(memory().store);
    assert!(layer.is_secure());
    let app = routes().layer(layer.clone());
    Client::new(&app).post("/in").await;
    assert_eq!(traced.warnings("over plain http, for development"), 0);

    let layer = layer.insecure_for_development();
    assert!(!layer.is_secure());
    let app = routes().layer(layer.clone());
    assert_eq!(traced.warnings("over plain http, for development"), 1, "before any request");
    for _ in 0..2 {
        Client::new(&app).post("/in").await;
    }
    let _manager = layer.manager();
    assert_eq!(traced.warnings("over plain http, for development"), 1);
}

//! Routers in routers, and layers where one would not put them.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{any, get};
use http::{Method, StatusCode, header};
use session_runtime::{Authenticated, CookieConfig, Session, SessionLayer};
use session_tests::stores::memory;
use session_tests::traced::Traced;
use session_tests::{Call, Client, Spy};

use crate::visitor::{Visitor, show};

async fn visit(mut session: Session<Visitor>) -> String {
    session.add_visits(1);
    show(&session)
}

async fn count_before(mut session: Session<Visitor>, request: Request, next: Next) -> Response {
    session.add_visits(100);
    session.publish();
    next.run(request).await
}

#[tokio::test]
async fn a_layer_around_everything_serves_nested_and_merged_routers_and_the_fallback() {
    let inner = Router::new().route("/visit", get(visit)).fallback(visit);
    let app = Router::new()
        .nest("/deep", Router::new().nest("/deeper", inner))
        .nest_service("/service", Router::new().route("/visit", get(visit)))
        .merge(Router::new().route("/merged", get(visit)))
        .fallback(any(visit))
        .layer(SessionLayer::new(memory().store));
    let mut client = Client::new(&app);
    let paths = ["/deep/deeper/visit", "/deep/deeper/none", "/service/visit", "/merged", "/none"];
    for (before, path) in paths.into_iter().enumerate() {
        let reply = client.get(path).await;
        assert_eq!(reply.body, format!("nobody en {} []", before + 1), "{path}");
        assert_eq!(reply.set_cookie().is_some(), before == 0, "{path}");
    }
}

#[tokio::test]
async fn a_nested_router_with_the_same_layer_shares_the_session_of_the_outer_one() {
    let spy = Spy::new();
    let layer = SessionLayer::new(spy.clone());
    let inner = Router::new().route("/visit", get(visit)).layer(layer.clone());
    let app = Router::new().nest("/inner", inner).layer(from_fn(count_before)).layer(layer);
    let reply = Client::new(&app).get("/inner/visit").await;
    assert_eq!(reply.body, "nobody en 101 []");
    assert_eq!(reply.headers.get_all(header::SET_COOKIE).iter().count(), 1);
    assert!(matches!(spy.calls()[..], [Call::Create(_)]));
}

#[tokio::test]
async fn merged_routers_with_clones_of_one_layer_share_their_sessions() {
    let layer = SessionLayer::new(memory().store);
    let router = |path| Router::new().route(path, get(visit)).layer(layer.clone());
    let app = router("/one").merge(router("/other"));
    let mut client = Client::new(&app);
    client.get("/one").await;
    assert_eq!(client.get("/other").await.body, "nobody en 2 []");
}

#[tokio::test]
async fn separate_applications_under_one_host_keep_their_cookies_apart() {
    let router = |path: &str, name: &'static str| {
        let cookie = CookieConfig::builder().name(name).build().unwrap();
        let layer = SessionLayer::new(memory().store).cookie(cookie);
        Router::new().nest(path, Router::new().route("/visit", get(visit)).layer(layer))
    };
    let app = router("/shop", "shop").merge(router("/staff", "staff"));
    let mut client = Client::new(&app);
    for visits in 1..=3 {
        for path in ["/shop/visit", "/staff/visit"] {
            assert_eq!(client.get(path).await.body, format!("nobody en {visits} []"), "{path}");
        }
    }
    assert_eq!(client.cookies.len(), 2, "{:?}", client.cookies);
}

#[tokio::test]
async fn a_route_layer_serves_routes_alone_and_a_404_costs_nothing() {
    let spy = Spy::new();
    let app = Router::new().route("/visit", get(visit)).route_layer(SessionLayer::new(spy.clone()));
    let mut client = Client::new(&app);
    assert_eq!(client.get("/visit").await.body, "nobody en 1 []");
    spy.calls();
    let reply = client.get("/none").await;
    assert_eq!((reply.status, reply.set_cookie()), (StatusCode::NOT_FOUND, None));
    let reply = client.send(Method::DELETE, "/visit").await;
    assert_eq!((reply.status, reply.set_cookie()), (StatusCode::METHOD_NOT_ALLOWED, None));
    assert!(spy.calls().is_empty());
}

#[tokio::test]
async fn routes_added_after_the_layer_and_fallbacks_outside_say_what_is_missing() {
    let traced = Traced::start();
    let app = Router::new()
        .route("/before", get(visit))
        .route_layer(SessionLayer::new(memory().store))
        .route("/after", get(visit))
        .merge(Router::new().route("/merged", get(|_: Authenticated<Visitor>| async {})))
        .fallback(|_: Option<Session<Visitor>>| async {});
    let mut client = Client::new(&app);
    assert_eq!(client.get("/before").await.status, 200);
    for path in ["/after", "/merged", "/none"] {
        let reply = client.get(path).await;
        let answer = (reply.status.as_u16(), reply.body.as_str());
        assert_eq!(answer, (500, "session layer missing"), "{path}");
    }
    assert_eq!(traced.text().matches("after the routes it is for").count(), 3);
}

#[tokio::test]
async fn middleware_outside_of_the_layer_says_what_is_missing_and_runs_nothing() {
    let traced = Traced::start();
    let spy = Spy::new();
    let app = Router::new()
        .route("/visit", get(visit))
        .layer(SessionLayer::new(spy.clone()))
        .layer(from_fn(count_before));
    let reply = Client::new(&app).get("/visit").await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (500, "session layer missing"));
    assert!(traced.text().contains("SessionLayer::new(store)"), "{}", traced.text());
    assert!(spy.calls().is_empty());
}

#[tokio::test]
async fn a_handler_that_calls_its_own_router_shares_one_session_and_one_commit() {
    let spy = Spy::new();
    let inner = Router::new().route("/visit", get(visit));
    let layer = SessionLayer::new(spy.clone());
    let called = inner.clone().layer(layer.clone());
    let handler = move |mut session: Session<Visitor>, request: Request| async move {
        session.add_visits(10);
        session.publish();
        let (mut parts, body) = request.into_parts();
        parts.uri = "/visit".parse().unwrap();
        tower::ServiceExt::oneshot(called, Request::from_parts(parts, body)).await.unwrap()
    };
    let app = Router::new().route("/outer", get(handler)).layer(layer);
    let reply = Client::new(&app).get("/outer").await;
    assert_eq!(reply.body, "nobody en 11 []");
    assert_eq!(reply.headers.get_all(header::SET_COOKIE).iter().count(), 1);
    assert!(matches!(spy.calls()[..], [Call::Create(_)]));
}

#[tokio::test]
async fn a_handler_on_an_excluded_path_may_call_its_router_with_another_one() {
    let layer = SessionLayer::new(memory().store).exclude("/outer");
    let called = Router::new().route("/visit", get(visit)).layer(layer.clone());
    let handler = move |request: Request| async move {
        let (mut parts, body) = request.into_parts();
        parts.uri = "/visit".parse().unwrap();
        tower::ServiceExt::oneshot(called, Request::from_parts(parts, body)).await.unwrap()
    };
    let app = Router::new().route("/outer", get(handler)).layer(layer);
    assert_eq!(Client::new(&app).get("/outer").await.body, "nobody en 1 []");
}

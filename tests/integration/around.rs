//! Layers of tower-http around the session layer, and inside of it.

use axum::Router;
use axum::routing::{get, post};
use http::{HeaderValue, Method, StatusCode};
use session_runtime::store::StoreErrorKind;
use session_runtime::testing::{Fault, FaultStore, Operation};
use session_runtime::{Authenticated, Session, SessionLayer};
use session_tests::stores::memory;
use session_tests::{Client, Reply, Spy};
use tower_http::cors::CorsLayer;
use tower_http::csrf::CsrfLayer;

use crate::visitor::Visitor;

fn routes() -> Router {
    Router::new()
        .route("/in", post(|mut s: Session<Visitor>| async move { s.set_user_id(1) }))
        .route("/visit", post(|mut s: Session<Visitor>| async move { s.add_visits(1) }))
        .route(
            "/account",
            get(|who: Authenticated<Visitor>| async move { who.principal().to_string() }),
        )
        .route("/out", post(|mut s: Session<Visitor>| async move { s.destroy() }))
}

const OURS: &[(&str, &str)] = &[
    ("host", "shop.example"),
    ("origin", "https://shop.example"),
    ("sec-fetch-site", "same-origin"),
];

/// What another site can have a browser send.
const FOREIGN: [&[(&str, &str)]; 4] = [
    &[
        ("host", "shop.example"),
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "cross-site"),
    ],
    // To a cookie this is the same site.
    &[
        ("host", "shop.example"),
        ("origin", "https://blog.shop.example"),
        ("sec-fetch-site", "same-site"),
    ],
    // A browser that does not say where it comes from but by its origin.
    &[("host", "shop.example"), ("origin", "https://evil.example")],
    // A sandboxed frame.
    &[("host", "shop.example"), ("origin", "null")],
];

#[tokio::test]
async fn forms_of_other_sites_are_refused_and_ours_work_in_both_orders() {
    for order in ["outside", "inside"] {
        let spy = Spy::new();
        let sessions = SessionLayer::new(spy.clone());
        let app = match order {
            "outside" => routes().layer(sessions).layer(CsrfLayer::new()),
            _ => routes().layer(CsrfLayer::new()).layer(sessions),
        };
        let mut client = Client::new(&app);
        let reply = client.send_with(Method::POST, "/in", OURS).await;
        assert_eq!(reply.status, StatusCode::OK, "{order}");
        assert!(reply.set_cookie().is_some(), "{order}");
        assert_eq!(client.get("/account").await.body, "1", "{order}");
        spy.calls();
        for foreign in FOREIGN {
            for path in ["/in", "/visit", "/out"] {
                // With the cookie, as if `SameSite` had not kept it.
                let reply = client.send_with(Method::POST, path, foreign).await;
                assert_eq!(reply.status, StatusCode::FORBIDDEN, "{order} {path} {foreign:?}");
                assert_eq!(reply.set_cookie(), None, "{order} {path} {foreign:?}");
            }
        }
        assert!(spy.calls().is_empty(), "{order}: a request that is refused costs no call");
        assert_eq!(client.get("/account").await.body, "1", "{order}");
        client.send_with(Method::POST, "/out", OURS).await;
        assert_eq!(client.get("/account").await.status, StatusCode::UNAUTHORIZED, "{order}");
    }
}

const ELSEWHERE: &[(&str, &str)] = &[("host", "api.example"), ("origin", "https://app.example")];

/// Whether a script of that origin may read the answer.
fn is_readable(reply: &Reply) -> bool {
    let allowed = reply.headers.get("access-control-allow-origin");
    allowed.is_some_and(|origin| origin == "https://app.example")
        && reply.headers.get("access-control-allow-credentials").is_some_and(|it| it == "true")
}

#[tokio::test]
async fn scripts_can_read_our_own_answers_where_cors_is_outside() {
    let origin = || HeaderValue::from_static("https://app.example");
    let cors = || CorsLayer::new().allow_origin(origin()).allow_credentials(true);
    for (order, readable) in [("outside", true), ("inside", false)] {
        let store = FaultStore::new(memory().store);
        let sessions = SessionLayer::new(store.clone());
        let app = match order {
            "outside" => routes().layer(sessions).layer(cors()),
            _ => routes().layer(cors()).layer(sessions),
        };
        let client = Client::new(&app);
        let reply = client.ask_with(Method::POST, "/visit", ELSEWHERE).await;
        assert_eq!(reply.status, StatusCode::OK);
        assert!(is_readable(&reply), "{order}");
        store.each(Operation::Create, Fault::Fails(StoreErrorKind::Unavailable));
        let reply = client.ask_with(Method::POST, "/visit", ELSEWHERE).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(is_readable(&reply), readable, "{order}");
    }
}

#[tokio::test]
async fn an_api_for_another_origin_needs_to_trust_it_in_both_layers() {
    let origin = HeaderValue::from_static("https://app.example");
    let cors = CorsLayer::new().allow_origin(origin).allow_credentials(true);
    let csrf = CsrfLayer::new().add_trusted_origin("https://app.example").unwrap();
    let app = routes().layer(SessionLayer::new(memory().store)).layer(csrf).layer(cors);
    let client = Client::new(&app);
    let reply = client.ask_with(Method::POST, "/visit", ELSEWHERE).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert!(is_readable(&reply) && reply.set_cookie().is_some());
    let evil = [("host", "api.example"), ("origin", "https://evil.example")];
    let reply = client.ask_with(Method::POST, "/visit", &evil).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
}

//! Layers that are missing, doubled, or disagree.

use axum::Router;
use axum::routing::get;
use session_runtime::{Authenticated, Session, SessionLayer, SessionManager, SessionSchema};
use session_tests::stores::memory;
use session_tests::traced::Traced;
use session_tests::{Call, Client, Spy};

use crate::visitor::{Visitor, app};

#[tokio::test]
async fn a_missing_layer_is_an_error_that_names_the_schema_and_the_call() {
    let traced = Traced::start();
    let app = Router::new()
        .route("/session", get(|_: Session<Visitor>| async {}))
        .route("/option", get(|_: Option<Session<Visitor>>| async {}))
        .route("/who", get(|_: Authenticated<Visitor>| async {}))
        .route("/manager", get(|_: SessionManager| async {}));
    for path in ["/session", "/option", "/who", "/manager"] {
        let reply = Client::new(&app).get(path).await;
        assert_eq!(
            (reply.status.as_u16(), reply.body.as_str()),
            (500, "session layer missing"),
            "{path}"
        );
    }
    let text = traced.text();
    assert_eq!(text.matches("add `.layer(SessionLayer::new(store))`").count(), 4, "{text}");
    assert!(text.contains("Visitor"), "{text}");
}

#[tokio::test]
async fn the_same_layer_twice_is_one_layer() {
    let spy = Spy::new();
    let layer = SessionLayer::new(spy.clone());
    let app = Router::new()
        .route("/", get(|mut s: Session<Visitor>| async move { s.add_visits(1) }))
        .layer(layer.clone())
        .layer(layer);
    let reply = Client::new(&app).get("/").await;
    assert_eq!(reply.headers.get_all("set-cookie").iter().count(), 1);
    assert!(matches!(spy.calls()[..], [Call::Create(_)]));
}

#[tokio::test]
async fn nobody_signed_in_is_a_401_or_the_configured_redirect() {
    let plain = app(memory().store);
    assert_eq!(Client::new(&plain).get("/account").await.status, 401);
    let layer = SessionLayer::new(memory().store).login_redirect("/sign-in");
    let app = Router::new().route("/", get(|_: Authenticated<Visitor>| async {})).layer(layer);
    let reply = Client::new(&app).get("/").await;
    assert_eq!(
        (reply.status.as_u16(), &reply.headers["location"]),
        (303, &"/sign-in?next=/".parse().unwrap())
    );
}

#[tokio::test]
async fn two_schemas_that_disagree_on_a_field_are_refused_with_both_names() {
    #[derive(SessionSchema)]
    struct Other {
        locale: u32,
    }
    let layer = SessionLayer::new(memory().store).schema::<Visitor>().schema::<Other>();
    let error = layer.check().unwrap_err().to_string();
    for word in ["Visitor", "Other", "`locale` (`String` and `u32`)", "rename"] {
        assert!(error.contains(word), "{error}");
    }
    assert!(!error.contains("principal"), "it is not about principals: {error}");
    let app = Router::new()
        .route("/one", get(|mut s: Session<Visitor>| async move { s.set_locale("de") }))
        .route("/other", get(|s: Session<Other>| async move { s.locale().to_string() }))
        .layer(SessionLayer::new(memory().store));
    let mut client = Client::new(&app);
    assert_eq!(client.get("/one").await.status, 200);
    assert_eq!(client.get("/other").await.status, 500, "without `.schema` the extraction says so");
}

#[tokio::test]
async fn two_schemas_that_agree_share_a_record() {
    #[derive(SessionSchema)]
    struct Language {
        #[session(default = "en")]
        locale: String,
        theme: Option<String>,
    }
    let handler = |mut v: Session<Visitor>, mut l: Session<Language>| async move {
        v.add_visits(1);
        l.set_theme("dark");
        l.set_locale("fr");
    };
    let app = Router::new()
        .route("/both", get(handler))
        .route(
            "/one",
            get(|s: Session<Visitor>| async move { format!("{} {}", s.visits(), s.locale()) }),
        )
        .route("/other", get(|s: Session<Language>| async move { format!("{:?}", s.theme()) }))
        .layer(SessionLayer::new(memory().store).schema::<Visitor>());
    let mut client = Client::new(&app);
    client.get("/both").await;
    assert_eq!(client.get("/one").await.body, "1 fr");
    assert_eq!(client.get("/other").await.body, "Some(\"dark\")");
}

#[tokio::test]
async fn two_kinds_of_principal_on_one_record_are_refused() {
    #[derive(SessionSchema)]
    struct Staff {
        #[session(principal)]
        staff_id: Option<u64>,
    }
    let layer = SessionLayer::new(memory().store).schema::<Visitor>().schema::<Staff>();
    let error = layer.check().unwrap_err().to_string();
    for part in
        ["`Visitor` and `Staff`", "`user_id` and `staff_id`", "a layer and a cookie of its own"]
    {
        assert!(error.contains(part), "{error}");
    }
    assert!(!error.contains("Option<u64>"), "it is not about types: {error}");
}

#[tokio::test]
async fn plain_http_stays_plain_whatever_the_order_of_settings() {
    let cookie = session_runtime::CookieConfig::builder().name("sid").build().unwrap();
    let layer = SessionLayer::new(memory().store).insecure_for_development().cookie(cookie);
    let app = Router::new()
        .route("/", get(|mut s: Session<Visitor>| async move { s.add_visits(1) }))
        .layer(layer);
    let reply = Client::new(&app).get("/").await;
    assert!(reply.set_cookie().unwrap().starts_with("sid="), "{reply:?}");
}

#[tokio::test]
async fn a_plain_tower_service_has_sessions_without_axum() {
    use axum::body::Body;
    use http::{Request, Response};
    use tower::{Layer, ServiceExt, service_fn};
    let spy = Spy::new();
    let count = service_fn(|request: Request<Body>| async move {
        let (parts, _) = request.into_parts();
        let session = session_runtime::session_of::<Visitor>(&parts.extensions, &parts.headers);
        let mut session = session.await.unwrap();
        session.add_visits(1);
        Ok::<_, std::convert::Infallible>(Response::new(Body::from(session.visits().to_string())))
    });
    let service = SessionLayer::new(spy.clone()).layer(count);
    let response = service.oneshot(Request::new(Body::empty())).await.unwrap();
    assert!(response.headers().contains_key("set-cookie"));
    assert!(matches!(spy.calls()[..], [Call::Create(_)]));
}

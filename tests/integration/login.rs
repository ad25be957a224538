//! The way to the login page, and back.

use axum::Router;
use axum::extract::Query;
use axum::middleware::from_extractor;
use axum::response::Redirect;
use axum::routing::{get, post};
use http::{Method, StatusCode, header};
use session_runtime::{Authenticated, Session, SessionLayer, local_path};
use session_tests::Client;
use session_tests::stores::memory;

use crate::visitor::Visitor;

type Next = std::collections::HashMap<String, String>;

fn app() -> Router {
    let sign_in = |mut session: Session<Visitor>, Query(query): Query<Next>| async move {
        session.set_user_id(1);
        Redirect::to(query.get("next").and_then(|next| local_path(next)).unwrap_or("/"))
    };
    let layer = SessionLayer::new(memory().store)
        .login_redirect("/login")
        .login_redirect_for("/admin", "/admin/login")
        .login_redirect_for("/api", None);
    assert!(layer.check().is_ok());
    let private =
        || get(|_: Authenticated<Visitor>| async {}).post(|_: Authenticated<Visitor>| async {});
    let nested = Router::new().route("/users", private());
    Router::new()
        .route("/orders", private())
        .route("/api/orders", private())
        .nest("/admin", nested)
        .route("/login", post(sign_in))
        .layer(layer)
}

/// The status, and where it leads.
async fn ask(method: Method, uri: &str, headers: &[(&str, &str)]) -> (StatusCode, Option<String>) {
    let reply = Client::new(&app()).ask_with(method, uri, headers).await;
    let location = reply.headers.get(header::LOCATION);
    (reply.status, location.map(|location| location.to_str().unwrap().to_owned()))
}

#[tokio::test]
async fn a_browser_is_sent_to_the_login_page_with_the_address_it_asked_for() {
    let navigation = [("sec-fetch-mode", "navigate"), ("accept", "text/html,*/*;q=0.8")];
    for (method, uri, location) in [
        (Method::GET, "/orders?page=2&q=a+b", "/login?next=/orders%3Fpage%3D2%26q%3Da%2Bb"),
        (Method::GET, "/admin/users", "/admin/login?next=/admin/users"),
        (Method::POST, "/orders", "/login"),
    ] {
        let (status, to) = ask(method, uri, &navigation).await;
        assert_eq!((status, to.as_deref()), (StatusCode::SEE_OTHER, Some(location)), "{uri}");
    }
}

#[tokio::test]
async fn what_is_no_navigation_is_told_so() {
    for headers in [
        [("sec-fetch-mode", "cors"), ("accept", "*/*")],
        [("sec-fetch-mode", "same-origin"), ("accept", "text/html")],
        [("x-requested-with", "XMLHttpRequest"), ("accept", "text/html")],
        [("accept", "application/json"), ("user-agent", "a program")],
        [("accept", "*/*"), ("user-agent", "curl/8")],
    ] {
        let answer = ask(Method::GET, "/orders", &headers).await;
        assert_eq!(answer, (StatusCode::UNAUTHORIZED, None), "{headers:?}");
    }
    assert_eq!(ask(Method::GET, "/api/orders", &[]).await, (StatusCode::UNAUTHORIZED, None));
    assert_eq!(ask(Method::GET, "/orders", &[]).await.0, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_router_is_guarded_as_a_whole_by_the_extractor_as_a_middleware() {
    let app = Router::new()
        .route("/orders", get(async || "of no extractor"))
        .route_layer(from_extractor::<Authenticated<Visitor>>())
        .route("/login", post(|mut s: Session<Visitor>| async move { s.set_user_id(1) }))
        .layer(SessionLayer::new(memory().store).login_redirect("/login"));
    let mut client = Client::new(&app);
    let reply = client.get("/orders").await;
    assert_eq!(reply.headers[header::LOCATION], "/login?next=/orders");
    client.post("/login").await;
    assert_eq!(client.get("/orders").await.body, "of no extractor");
}

#[tokio::test]
async fn after_the_sign_in_the_browser_is_where_it_wanted_to_be_and_nowhere_else() {
    let app = app();
    let mut client = Client::new(&app);
    let reply = client.get("/orders?a=b%26c&d=%C3%BC").await;
    let login = reply.headers[header::LOCATION].to_str().unwrap().to_owned();
    let reply = client.post(&login).await;
    assert_eq!(reply.headers[header::LOCATION], "/orders?a=b%26c&d=%C3%BC");
    assert_eq!(client.get("/orders?a=b%26c&d=%C3%BC").await.status, 200);

    for evil in ["https://evil.example", "//evil.example", "/%5Cevil.example", "/%09/evil.example"]
    {
        let reply = client.post(&format!("/login?next={evil}")).await;
        assert_eq!(reply.headers[header::LOCATION], "/", "{evil}");
    }
}

#[tokio::test]
async fn settings_of_login_pages_that_make_no_sense_are_refused_by_name() {
    let layer = || SessionLayer::new(memory().store);
    for (layer, entry) in [
        (layer().login_redirect("/bücher"), "login_redirect"),
        (layer().login_redirect("/a\r\nb"), "login_redirect"),
        (layer().login_redirect_for("/admin", "/a b"), "login_redirect_for"),
        (layer().login_redirect_for("admin", "/login"), "login_redirect_for"),
    ] {
        let error = layer.check().unwrap_err().to_string();
        assert!(error.starts_with(&format!("`{entry}`: ")), "{error}");
    }
}

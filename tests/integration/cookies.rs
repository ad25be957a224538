//! The cookie as clients see it.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use http::{Method, header};
use session_runtime::__private::patch::Gone;
use session_runtime::store::StoreErrorKind;
use session_runtime::testing::{Fault, FaultStore, Operation};
use session_runtime::{Authenticated, CookieConfig, CookiePrefix, SameSite, Session, SessionLayer};
use session_tests::stores::memory;
use session_tests::{Call, Client, Spy};
use tokio::sync::Barrier;

use crate::visitor::{Visitor, app, app_in};

#[tokio::test]
async fn a_new_session_sets_one_strict_cookie_that_no_cache_keeps() {
    let app = app(memory().store);
    let reply = Client::new(&app).get("/visit").await;
    let cookie = reply.set_cookie().unwrap();
    assert!(cookie.starts_with("__Host-session="), "{cookie}");
    for attribute in ["; HttpOnly", "; Secure", "; SameSite=Lax", "; Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Domain") && !cookie.contains("Max-Age"), "{cookie}");
    assert_eq!(reply.headers.get_all(header::SET_COOKIE).iter().count(), 1);
    assert_eq!(reply.headers[header::CACHE_CONTROL], "no-store");
    assert!(reply.headers[header::SET_COOKIE].is_sensitive());
}

#[tokio::test]
async fn a_response_that_read_a_session_varies_on_the_cookie() {
    let app = app(memory().store);
    let mut client = Client::new(&app);
    client.get("/visit").await;
    let reply = client.get("/read").await;
    assert_eq!(reply.headers[header::VARY], "Cookie");
    assert_eq!(reply.headers[header::CACHE_CONTROL], "private");
    assert_eq!(reply.set_cookie(), None, "no cookie on every response");
}

#[tokio::test]
async fn no_shared_cache_keeps_a_cookie_or_what_a_session_was_read_for() {
    let faults = FaultStore::new(memory().store);
    let public = [(header::CACHE_CONTROL, "public, max-age=600")];
    let cached = move |mut s: Session<Visitor>| async move {
        s.set_locale("de");
        public
    };
    let redirected = Router::new()
        .route("/public", get(cached))
        .route("/redirected", get(|_: Authenticated<Visitor>| async {}))
        .layer(SessionLayer::new(faults.clone()).login_redirect("/sign-in"));
    let app = app_in(SessionLayer::new(faults.clone()), Arc::new(Barrier::new(1)));
    let app = app.merge(redirected);
    let mut client = Client::new(&app);
    let told = |reply: &session_tests::Reply, name| {
        let all = reply.headers.get_all(name).iter().map(|value| value.to_str().unwrap());
        all.map(str::to_owned).collect::<Vec<_>>()
    };
    let reply = client.get("/public").await;
    assert!(reply.set_cookie().is_some());
    assert_eq!(told(&reply, header::CACHE_CONTROL), ["no-store"], "what the handler says is gone");
    assert_eq!(told(&reply, header::VARY), ["Cookie"]);

    client.get("/visit").await;
    let private = |reply: session_tests::Reply, status: u16| {
        assert_eq!(reply.status.as_u16(), status);
        assert_eq!(told(&reply, header::CACHE_CONTROL), ["private"], "{status}");
        assert_eq!(told(&reply, header::VARY), ["Cookie"], "{status}");
    };
    private(client.ask(Method::GET, "/account").await, 401);
    private(client.ask(Method::GET, "/redirected").await, 303);
    faults.next(Operation::Apply, Fault::Gone(Gone::Superseded));
    private(client.ask(Method::POST, "/role").await, 409);
    faults.next(Operation::Apply, Fault::Fails(StoreErrorKind::Unavailable));
    private(client.ask(Method::POST, "/push").await, 503);
}

#[tokio::test]
async fn of_two_tokens_the_one_that_opens_a_session_counts_and_of_two_that_do_none() {
    let spy = Spy::new();
    let app = app(spy.clone());
    let (mut one, mut other) = (Client::new(&app), Client::new(&app));
    one.get("/visit").await;
    other.get("/visit").await;
    let both = |a: &str, b: &str| {
        let mut client = Client::new(&app);
        client.cookies.insert("__Host-session".into(), format!("{a}; __Host-session={b}"));
        client
    };
    let (a, b) = (one.token().unwrap(), other.token().unwrap());
    let read = |client: Client| async move { client.ask(Method::GET, "/read").await.body };
    assert_eq!(read(both(a, &"A".repeat(43))).await, "nobody en 1 []");
    assert_eq!(read(both(&"A".repeat(43), a)).await, "nobody en 1 []");
    assert_eq!(read(both(a, a)).await, "nobody en 1 []");
    assert_eq!(read(both(a, "nonsense")).await, "nobody en 1 []");
    assert_eq!(read(both(a, b)).await, "nobody en 0 []");
}

#[tokio::test]
async fn random_tokens_cost_one_look_up_each_and_store_nothing() {
    let spy = Spy::new();
    let app = app(spy.clone());
    for index in 0..100_u8 {
        let mut client = Client::new(&app);
        let junk = format!("{}{}", "A".repeat(40), ["Ag8", "Bg8", "Cg8"][usize::from(index) % 3]);
        client.cookies.insert("__Host-session".into(), junk);
        assert_eq!(client.get("/read").await.set_cookie(), None);
    }
    assert!(spy.calls().iter().all(|call| matches!(call, Call::Load(_))));
}

#[tokio::test]
async fn settings_reach_the_cookie_and_the_removal_matches() {
    let cookie = CookieConfig::builder()
        .name("sid")
        .prefix(CookiePrefix::Secure)
        .path("/")
        .domain("example.org")
        .same_site(SameSite::Strict)
        .build()
        .unwrap();
    let app = Router::new()
        .route("/in", get(|mut s: Session<Visitor>| async move { s.set_user_id(1) }))
        .route("/out", get(|mut s: Session<Visitor>| async move { s.destroy() }))
        .layer(SessionLayer::new(memory().store).cookie(cookie));
    let mut client = Client::new(&app);
    let attributes = |reply: &session_tests::Reply| {
        let cookie = reply.set_cookie().unwrap().to_owned();
        let mut all: Vec<String> = cookie.split("; ").skip(1).map(str::to_owned).collect();
        all.sort();
        all
    };
    let set = attributes(&client.get("/in").await);
    assert_eq!(set, ["Domain=example.org", "HttpOnly", "Path=/", "SameSite=Strict", "Secure"]);
    let mut removed = attributes(&client.get("/out").await);
    removed.retain(|attribute| attribute != "Max-Age=0");
    assert_eq!(removed, set);
    assert!(client.cookies.is_empty());
}

#[tokio::test]
async fn plain_http_is_one_explicit_call() {
    let app = Router::new()
        .route("/", get(|mut s: Session<Visitor>| async move { s.set_user_id(1) }))
        .layer(SessionLayer::new(memory().store).insecure_for_development());
    let reply = Client::new(&app).get("/").await;
    let cookie = reply.set_cookie().unwrap();
    assert!(cookie.starts_with("session=") && !cookie.contains("Secure"), "{cookie}");
}

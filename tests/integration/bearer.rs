//! Clients that send their token as `Authorization: Bearer …`.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::json;
use session_runtime::store::{MemoryStore, StoreErrorKind};
use session_runtime::testing::{FaultStore, TestSession, frozen_clock};
use session_runtime::{
    AtLimit, Authenticated, Session, SessionError, SessionLayer, SessionSchema, Transport,
    Transports,
};
use session_tests::promises::refresh;
use session_tests::stores::{Under, all, memory};
use session_tests::traced::Traced;
use session_tests::{Client, Tab};
use tokio::sync::Barrier;

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user: Option<u64>,
    #[session(renew)]
    role: String,
    note: String,
}

type Handle = Session<Visitor>;

const HOUR: Duration = Duration::from_secs(3_600);
const TOKEN: &str = "session-token";

fn layer(under: &Under, transports: Transports) -> SessionLayer {
    SessionLayer::new(under.store.clone()).transports(transports)
}

async fn signed_in(mut tab: Tab) -> Tab {
    tab.run(|mut s: Handle| async move { s.set_user(7) }).await.ok();
    assert!(tab.cookie.is_some());
    tab
}

async fn user(tab: &Tab) -> Option<u64> {
    tab.ask(|s: Handle| async move { s.user() }).await.ok()
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_token_comes_in_the_header_opens_the_session_and_ends_with_it() {
    for under in all().await {
        for transports in [Transports::Bearer, Transports::Both] {
            let layer = layer(&under, transports);
            let mut tab = Tab::bearing(&layer).holding(Some("no token".to_owned()));
            let login = tab.run(|mut s: Handle| async move { s.set_user(7) }).await;
            assert_eq!(login.status, StatusCode::OK);
            assert_eq!(text(&login.headers, TOKEN), tab.cookie.as_deref(), "{}", under.name);
            assert_eq!(tab.cookie.as_ref().unwrap().len(), 43);
            assert!(login.headers[TOKEN].is_sensitive());
            assert_eq!(text(&login.headers, "set-cookie"), None);
            assert_eq!(text(&login.headers, "cache-control"), Some("no-store"));
            let seen = tab.ask(|s: Handle| async move { (s.user(), s.transport()) }).await;
            let vary: Vec<_> = seen.headers.get_all("vary").iter().collect();
            assert_eq!(vary, ["Authorization"]);
            assert_eq!(text(&seen.headers, "cache-control"), Some("private"));
            assert_eq!(text(&seen.headers, TOKEN), None, "it has that one");
            assert_eq!(seen.ok(), (Some(7), Transport::Bearer), "{}", under.name);
            let logout = tab.ask(|mut s: Handle| async move { s.destroy() }).await;
            assert_eq!(text(&logout.headers, "set-cookie"), None, "there is none to remove");
            assert_eq!(text(&logout.headers, TOKEN), None);
            assert_eq!(user(&tab).await, None, "{}", under.name);
        }
    }
}

#[tokio::test]
async fn a_token_is_of_no_use_by_the_other_transport() {
    for under in all().await {
        let layer = layer(&under, Transports::Both);
        let browser = signed_in(Tab::new(&layer)).await;
        let phone = signed_in(Tab::bearing(&layer).holding(Some(String::new()))).await;
        assert_eq!((user(&browser).await, user(&phone).await), (Some(7), Some(7)));
        assert_eq!(user(&Tab::new(&layer).holding(phone.cookie.clone())).await, None);
        assert_eq!(user(&Tab::bearing(&layer).holding(browser.cookie.clone())).await, None);
        // Neither has suffered.
        assert_eq!((user(&browser).await, user(&phone).await), (Some(7), Some(7)));
    }
}

#[tokio::test]
async fn a_layer_looks_only_where_its_tokens_are() {
    let under = memory();
    let both = layer(&under, Transports::Both);
    let browser = signed_in(Tab::new(&both)).await;
    let phone = signed_in(Tab::bearing(&both).holding(Some(String::new()))).await;
    let cookies = layer(&under, Transports::Cookie);
    assert_eq!(user(&browser.by(&cookies)).await, Some(7));
    assert_eq!(user(&phone.by(&cookies)).await, None);
    let bearers = layer(&under, Transports::Bearer);
    assert_eq!(user(&phone.by(&bearers)).await, Some(7));
    let seen = browser.by(&bearers).ask(|s: Handle| async move { (s.user(), s.transport()) }).await;
    assert_eq!(text(&seen.headers, "set-cookie"), None);
    assert_eq!(seen.ok(), (None, Transport::Bearer));
    let login = browser.by(&bearers).ask(|mut s: Handle| async move { s.set_user(7) }).await;
    assert_eq!(text(&login.headers, "set-cookie"), None);
    assert!(login.headers.contains_key(TOKEN));
}

/// Otherwise a page that may send a cookie, but no token, could have a request done with a wrong
/// token in the name of the cookie's user.
#[tokio::test]
async fn a_bearer_token_counts_alone_whatever_the_cookies() {
    for under in all().await {
        let layer = layer(&under, Transports::Both);
        let browser = signed_in(Tab::new(&layer)).await;
        let mut phone = Tab::bearing(&layer).holding(Some(String::new()));
        phone.run(|mut s: Handle| async move { s.set_user(8) }).await.ok();
        let bearing = |token: &str| browser.with(header::AUTHORIZATION, &format!("Bearer {token}"));
        assert_eq!(user(&bearing(phone.cookie.as_ref().unwrap())).await, Some(8));
        for wrong in ["", "x", &"A".repeat(43), browser.cookie.as_ref().unwrap()] {
            let both = bearing(wrong);
            assert_eq!(user(&both).await, None, "{wrong}");
            let login = both.ask(|mut s: Handle| async move { s.set_user(9) }).await;
            assert_eq!(text(&login.headers, "set-cookie"), None, "{wrong}");
            assert!(login.headers.contains_key(TOKEN), "{wrong}");
            let logout = both.ask(|mut s: Handle| async move { s.destroy() }).await;
            assert_eq!(text(&logout.headers, "set-cookie"), None, "{wrong}");
        }
        assert_eq!(user(&browser).await, Some(7), "{}", under.name);
        // Another scheme is another matter.
        assert_eq!(user(&browser.with(header::AUTHORIZATION, "Basic eDp5")).await, Some(7));
    }
}

#[tokio::test]
async fn caches_are_told_of_every_header_that_decides() {
    let under = memory();
    for (transports, expected) in [
        (Transports::Cookie, &["Cookie"][..]),
        (Transports::Bearer, &["Authorization"]),
        (Transports::Both, &["Authorization", "Cookie"]),
    ] {
        let tab = Tab::new(&layer(&under, transports));
        let seen = tab.ask(|s: Handle| async move { s.user() }).await;
        let all: Vec<_> = seen.headers.get_all("vary").iter().collect();
        assert_eq!(all, expected, "{transports:?}");
    }
}

#[tokio::test]
async fn a_401_says_how_to_authenticate() {
    let app = |transports| {
        let layer = SessionLayer::new(MemoryStore::new()).login_redirect("/login");
        let layer = layer.transports(transports);
        let fresh = async |s: Handle| s.require_fresh(HOUR).await;
        let own = async |_: Handle| (StatusCode::UNAUTHORIZED, [("www-authenticate", "Mine")]);
        Router::new()
            .route("/", get(async |_: Authenticated<Visitor>| ()))
            .route("/fresh", get(fresh))
            .route("/own", get(own))
            .route("/none", get(async || StatusCode::UNAUTHORIZED))
            .layer(layer)
    };
    let ask = async |transports, path: &str, headers: &[(&str, &str)]| {
        let reply = Client::new(&app(transports)).ask_with(Method::GET, path, headers).await;
        (reply.status.as_u16(), text(&reply.headers, "www-authenticate").map(str::to_owned))
    };
    let wrong = ("authorization", "Bearer wrong");
    let script = ("sec-fetch-mode", "cors");
    let page = ("sec-fetch-mode", "navigate");
    let says = |challenge: &str| Some(challenge.to_owned());
    let invalid = says("Bearer error=\"invalid_token\", error_description=\"unknown\"");
    for transports in [Transports::Bearer, Transports::Both] {
        assert_eq!(ask(transports, "/", &[script]).await, (401, says("Bearer")));
        // A client that is no browser is not sent to a page.
        for headers in [&[wrong][..], &[wrong, page]] {
            assert_eq!(ask(transports, "/", headers).await, (401, invalid.clone()));
        }
        assert_eq!(ask(transports, "/fresh", &[]).await, (401, says("Bearer")));
        assert_eq!(ask(transports, "/own", &[wrong]).await, (401, says("Mine")));
        assert_eq!(ask(transports, "/none", &[]).await, (401, says("Bearer")));
    }
    assert_eq!(ask(Transports::Both, "/", &[page]).await, (303, None));
    assert_eq!(ask(Transports::Bearer, "/", &[page]).await, (401, says("Bearer")));
    assert_eq!(ask(Transports::Cookie, "/", &[script]).await, (401, None));
}

fn api(under: &Under, transports: Transports) -> (SessionLayer, Router) {
    let layer = layer(under, transports).renew_after(HOUR).idle_timeout(None);
    let login = async |mut s: Handle| {
        s.set_user(7);
        Ok::<_, SessionError>(json!({ "access_token": s.bearer_token().await? }).to_string())
    };
    let refresh = async |mut who: Authenticated<Visitor>| {
        Ok::<_, SessionError>(json!({ "access_token": who.bearer_token().await? }).to_string())
    };
    let nothing = async |mut s: Handle| {
        Ok::<_, SessionError>(json!({ "access_token": s.bearer_token().await? }).to_string())
    };
    let app = Router::new()
        .route("/login", post(login))
        .route("/refresh", post(refresh))
        .route("/nothing", post(nothing))
        .route("/user", get(async |s: Handle| format!("{:?}", s.user())))
        .layer(layer.clone());
    (layer, app)
}

async fn call(app: &Router, method: Method, path: &str, token: &str) -> (StatusCode, String) {
    let value = format!("Bearer {token}");
    let headers = [("authorization", value.as_str())];
    let headers = if token.is_empty() { &[][..] } else { &headers };
    let reply = Client::new(app).ask_with(method, path, headers).await;
    let is_api = reply.body.contains("access_token\":\"");
    assert!(!is_api || text(&reply.headers, "cache-control") == Some("no-store"));
    assert_eq!(text(&reply.headers, "set-cookie"), None);
    assert_eq!(text(&reply.headers, TOKEN), None, "it is in the body");
    let body: Result<serde_json::Value, _> = serde_json::from_str(&reply.body);
    let token = body.ok().and_then(|body| Some(body["access_token"].as_str()?.to_owned()));
    (reply.status, token.unwrap_or(reply.body))
}

#[tokio::test]
async fn a_handler_hands_out_the_token_in_a_body() {
    for under in all().await {
        for transports in [Transports::Bearer, Transports::Both] {
            let (_, app) = api(&under, transports);
            let (status, token) = call(&app, Method::POST, "/login", "").await;
            assert_eq!((status, token.len()), (StatusCode::OK, 43), "{}", under.name);
            let seen = call(&app, Method::GET, "/user", &token).await;
            assert_eq!(seen.1, "Some(7)", "{}", under.name);
            // It is not due.
            let (_, same) = call(&app, Method::POST, "/refresh", &token).await;
            assert_eq!(same, token);
            under.clock.advance(HOUR);
            let (_, next) = call(&app, Method::POST, "/refresh", &token).await;
            assert_ne!(next, token);
            assert_eq!(call(&app, Method::GET, "/user", &next).await.1, "Some(7)");
            let nothing = call(&app, Method::POST, "/nothing", "").await;
            assert_eq!(nothing, (StatusCode::OK, "{\"access_token\":null}".to_owned()));
        }
    }
}

#[tokio::test]
async fn the_token_of_a_cookie_is_shown_to_no_script() {
    for under in all().await {
        let layer = layer(&under, Transports::Both);
        let asks = |mut s: Handle| async move {
            s.set_user(8);
            let refused = s.bearer_token().await.unwrap_err();
            (refused.status_and_text().0.as_u16(), matches!(refused, SessionError::NotBearer))
        };
        let browser = signed_in(Tab::new(&layer)).await;
        let refused = browser.ask(asks).await;
        assert_eq!(text(&refused.headers, "set-cookie"), None, "{}", under.name);
        assert_eq!(refused.ok(), (400, true), "{}", under.name);
        assert_eq!(user(&browser).await, Some(7), "{}: it signs no one in", under.name);
        let both = browser.beside(signed_in(Tab::new(&layer)).await.cookie.as_ref().unwrap());
        assert_eq!(both.ask(asks).await.ok(), (400, true), "{}: two cookies", under.name);
        // What the request has begun with a cookie stays with it.
        let mut fresh = Tab::new(&layer);
        let saved = fresh.run(|mut s: Handle| async move {
            s.set_note("a");
            s.save().await.unwrap();
            s.bearer_token().await.is_err()
        });
        assert!(saved.await.ok());
        assert!(fresh.cookie.is_some());
        let cookies = self::layer(&under, Transports::Cookie);
        assert_eq!(Tab::new(&cookies).ask(asks).await.ok(), (400, true));
    }
}

#[tokio::test]
async fn a_save_that_failed_shows_no_script_the_token_of_a_cookie() {
    for under in all().await {
        let layer = layer(&under, Transports::Both).schema::<Visitor>();
        let browser = signed_in(Tab::new(&layer)).await;
        let sessions = layer.manager_for::<Visitor>().unwrap();
        let asks = browser.ask(move |mut s: Handle| async move {
            sessions.update(&7, |s| s.set_role("editor")).await.unwrap();
            s.set_note("lost");
            assert!(matches!(s.save().await, Err(SessionError::Gone)));
            s.bearer_token().await.ok().flatten()
        });
        assert_eq!(asks.await.value, Some(None), "{}", under.name);
        assert_eq!(user(&browser).await, Some(7), "{}", under.name);
    }
}

/// Otherwise an old cookie, which no script can remove, would keep a page from its token.
#[tokio::test]
async fn a_cookie_that_opens_nothing_keeps_nobody_from_a_bearer_token() {
    for under in all().await {
        let layer = layer(&under, Transports::Both);
        let dead = signed_in(Tab::new(&layer)).await;
        dead.ask(|mut s: Handle| async move { s.destroy() }).await.ok();
        // Another tab has signed in since, and its cookie stays what it is.
        let replaced = signed_in(Tab::new(&layer)).await;
        let mut browser = replaced.clone();
        browser.run(|mut s: Handle| async move { s.set_user(7) }).await.ok();
        for old in [replaced, dead, Tab::new(&layer).holding(Some("x".to_owned()))] {
            let login = old.ask(|mut s: Handle| async move {
                s.set_user(7);
                s.bearer_token().await.unwrap().unwrap().expose().to_owned()
            });
            let login = login.await;
            assert_eq!(text(&login.headers, "set-cookie"), None, "{}", under.name);
            let phone = Tab::bearing(&layer).holding(Some(login.ok()));
            assert_eq!(user(&phone).await, Some(7), "{}", under.name);
            under.clock.advance(Duration::from_secs(70));
            assert_eq!(user(&phone).await, Some(7));
            assert_eq!(user(&browser).await, Some(7), "{}: is another session", under.name);
        }
    }
}

/// A page of another site cannot have the cookie, and its bearer token needs none.
#[tokio::test]
async fn a_page_of_another_site_may_sign_in_with_a_bearer_token() {
    let under = memory();
    let page = Tab::new(&layer(&under, Transports::Both));
    let page = page.with("sec-fetch-site".parse().unwrap(), "cross-site");
    let login = page.ask(|mut s: Handle| async move {
        s.set_note("kept");
        s.set_user(7);
        s.bearer_token().await.unwrap().unwrap().expose().to_owned()
    });
    let token = login.await.ok();
    let bearer = page.with(header::AUTHORIZATION, &format!("Bearer {token}"));
    let seen = bearer.ask(|s: Handle| async move { (s.user(), s.note().to_owned()) }).await;
    assert_eq!(seen.ok(), (Some(7), "kept".to_owned()));
    // Nor does the browser withhold it.
    bearer.ask(|mut s: Handle| async move { s.set_note("more") }).await.ok();
    let seen = bearer.ask(|s: Handle| async move { s.note().to_owned() }).await;
    assert_eq!(seen.ok(), "more");
    // Nor need anybody sign in: no cookie is involved.
    let anonymous = page.ask(|mut s: Handle| async move {
        let first = s.bearer_token().await.unwrap();
        s.set_note("a cart");
        (first, s.bearer_token().await.unwrap())
    });
    let (first, token) = anonymous.await.ok();
    assert_eq!(first, None, "nothing is stored");
    let token = format!("Bearer {}", token.unwrap().expose());
    let seen = page.with(header::AUTHORIZATION, &token);
    let seen = seen.ask(|s: Handle| async move { s.note().to_owned() });
    assert_eq!(seen.await.ok(), "a cart");
    let mut stale = page.with(header::AUTHORIZATION, "Bearer stale");
    let answer = stale.run(|mut s: Handle| async move { s.set_note("a cart") }).await;
    assert!(answer.headers.contains_key(TOKEN));
}

#[tokio::test]
async fn refreshes_that_are_lost_or_come_at_once_agree_on_one_successor() {
    for under in all().await {
        let (_, app) = api(&under, Transports::Bearer);
        let (_, token) = call(&app, Method::POST, "/login", "").await;
        under.clock.advance(HOUR);
        let refresh = || call(&app, Method::POST, "/refresh", &token);
        let lost = refresh().await.1;
        assert_ne!(lost, token);
        let (one, two, three) = tokio::join!(refresh(), refresh(), refresh());
        for (status, next) in [one, two, three] {
            assert_eq!((status, &next), (StatusCode::OK, &lost), "{}", under.name);
        }
        // The old one counts until the next one was presented, and a minute longer.
        under.clock.advance(HOUR / 3);
        assert_eq!(refresh().await.1, lost);
        assert_eq!(call(&app, Method::GET, "/user", &lost).await.1, "Some(7)");
        under.clock.advance(Duration::from_secs(59));
        assert_eq!(call(&app, Method::GET, "/user", &token).await.1, "Some(7)");
        // A late repetition is not told to go back to the old one.
        let late = refresh().await;
        assert_eq!(late, (StatusCode::OK, "{\"access_token\":null}".to_owned()));
        under.clock.advance(Duration::from_secs(2));
        // Now one of two clients has stolen it.
        assert_eq!(call(&app, Method::POST, "/refresh", &token).await.0, StatusCode::UNAUTHORIZED);
        assert_eq!(call(&app, Method::GET, "/user", &lost).await.1, "None", "{}", under.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refreshes_at_once_lost_or_late_sign_nobody_out() {
    for under in all().await {
        refresh::refreshes_sign_nobody_out(&under.store, &under.clock, 300).await;
    }
}

#[tokio::test]
async fn concurrent_renewals_send_one_header() {
    for under in all().await {
        let layer = layer(&under, Transports::Bearer).renew_after(HOUR).idle_timeout(None);
        let phone = signed_in(Tab::bearing(&layer)).await;
        under.clock.advance(HOUR);
        let together = Arc::new(Barrier::new(3));
        let ask = || {
            let together = Arc::clone(&together);
            phone.ask(move |s: Handle| async move {
                together.wait().await;
                s.user()
            })
        };
        let (one, two, three) = tokio::join!(ask(), ask(), ask());
        let tokens = [one, two, three].map(|it| text(&it.headers, TOKEN).unwrap().to_owned());
        assert!(tokens.iter().all(|token| *token == tokens[0]), "{}", under.name);
        assert_ne!(Some(&tokens[0]), phone.cookie.as_ref());
    }
}

#[tokio::test]
async fn a_login_that_is_sent_twice_is_one_session() {
    for under in all().await {
        let layer = layer(&under, Transports::Bearer).max_sessions(1, AtLimit::Reject);
        let mut phone = Tab::bearing(&layer);
        phone.run(|mut s: Handle| async move { s.set_note("before") }).await.ok();
        let ask = || phone.ask(|mut s: Handle| async move { s.set_user(7) });
        let (one, two) = tokio::join!(ask(), ask());
        for answer in [one, two] {
            let token = text(&answer.headers, TOKEN).map(str::to_owned);
            assert_eq!(user(&phone.holding(token)).await, Some(7), "{}", under.name);
        }
        assert_eq!(layer.manager().sessions_of(&7_u64).await.unwrap().len(), 1);
        // A browser counts beside it.
        let browser =
            Tab::new(&self::layer(&under, Transports::Both).max_sessions(1, AtLimit::Reject));
        let login = browser.ask(|mut s: Handle| async move { s.set_user(7) }).await;
        assert_eq!(login.status, StatusCode::CONFLICT, "{}", under.name);
    }
}

#[tokio::test]
async fn a_new_session_of_a_transaction_has_a_bearer_token() {
    for under in all().await {
        let layer = layer(&under, Transports::Bearer);
        let mut phone = Tab::bearing(&layer);
        let stores = phone.run(|mut s: Handle| async move {
            s.transaction(|s| s.set_note("stored")).await.unwrap();
        });
        stores.await.ok();
        let seen = phone.ask(|s: Handle| async move { s.note().to_owned() }).await;
        assert_eq!(seen.ok(), "stored", "{}", under.name);
    }
}

#[tokio::test]
async fn a_client_gets_its_token_though_an_outer_layer_fails() {
    #[derive(SessionSchema)]
    #[session(namespace = "outer")]
    struct Outer {
        note: String,
    }
    let bearer = SessionLayer::new(MemoryStore::new()).transports(Transports::Bearer);
    let bearer = bearer.schema::<Visitor>();
    let broken = FaultStore::new(MemoryStore::new());
    broken.fail_all(StoreErrorKind::Unavailable);
    let cookie = SessionLayer::new(broken).schema::<Outer>();
    let both = async |mut s: Handle, mut outer: Session<Outer>| {
        s.set_user(7);
        outer.set_note("lost");
    };
    let app = Router::new().route("/", post(both)).layer(bearer).layer(cookie);
    let reply = Client::new(&app).ask(Method::POST, "/").await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(reply.headers.contains_key(TOKEN));
    assert_eq!(text(&reply.headers, "cache-control"), Some("no-store"));
}

#[tokio::test]
async fn two_layers_that_send_their_tokens_in_one_header_are_told_of() {
    let traced = Traced::start();
    let bearer = |name| {
        let layer = SessionLayer::new(MemoryStore::new()).transports(Transports::Bearer);
        layer.realm(name).token_header(name)
    };
    let told = async |inner: SessionLayer, outer: SessionLayer| {
        let see = get(async |_: Session<Visitor>| ());
        let app: Router = Router::new().route("/", see).layer(inner).layer(outer);
        let mut client = Client::new(&app);
        client.get("/").await;
        client.get("/").await;
        let text = traced.text();
        let one = text.matches("send their tokens in one header").count();
        (one, text.matches("have cookies of one name").count())
    };
    assert_eq!(told(bearer("a"), bearer("b")).await, (0, 0));
    assert_eq!(told(bearer("a"), SessionLayer::new(MemoryStore::new())).await, (0, 0));
    assert_eq!(told(bearer("a"), bearer("a")).await, (1, 0), "once");
}

#[tokio::test]
async fn the_header_has_the_name_that_it_is_given() {
    let named = |name| SessionLayer::new(MemoryStore::new()).token_header(name);
    let layer = named("X-Auth").transports(Transports::Bearer);
    let login = Tab::bearing(&layer).ask(|mut s: Handle| async move { s.set_user(7) }).await;
    assert!(login.headers.contains_key("x-auth") && !login.headers.contains_key(TOKEN));
    for wrong in ["", "a b", "set-cookie", "Set-Cookie"] {
        assert_eq!(named(wrong).check().unwrap_err().entry(), Some("token_header"), "{wrong}");
    }
}

#[tokio::test]
async fn the_test_kit_is_a_client_with_a_token() {
    let layer = SessionLayer::new(MemoryStore::with_clock(frozen_clock()));
    let layer = layer.transports(Transports::Both).renew_after(HOUR).idle_timeout(None);
    let t = TestSession::<Visitor>::with_layer(layer);
    let mut session = t.session();
    session.set_user(7);
    let token = session.bearer_token().await.unwrap().unwrap();
    drop(session);
    assert_eq!(t.cookie(), None);
    let t = t.with_bearer_token(token.expose());
    assert_eq!(t.session().user(), Some(7));
    assert!(t.stored().is_some());
    t.advance(HOUR);
    assert_eq!(t.session().user(), Some(7));
    // The old token is no longer that of the client.
    t.settle().await;
    t.session().set_note("a");
    t.advance(Duration::from_secs(120));
    assert_eq!((t.session().user(), t.session().note()), (Some(7), "a"));
}

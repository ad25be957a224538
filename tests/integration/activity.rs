//! What counts as activity, and how long a session lives from it.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::HeaderName;
use session_runtime::store::StoreErrorKind;
use session_runtime::testing::{Fault, FaultStore, Operation};
use session_runtime::{Session, SessionError, SessionLayer, SessionSchema, Transports};
use session_tests::stores::{Under, all, memory};
use session_tests::{Client, Spy, Tab};

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user: Option<u64>,
    note: String,
}

type Handle = Session<Visitor>;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

fn layer(under: &Under) -> SessionLayer {
    SessionLayer::new(under.store.clone()).idle_timeout(30 * MINUTE)
}

async fn signed_in(layer: &SessionLayer) -> Tab {
    let mut tab = Tab::new(layer);
    tab.run(|mut s: Handle| async move { s.set_user(7) }).await.ok();
    tab
}

async fn user(tab: &mut Tab) -> Option<u64> {
    tab.run(|s: Handle| async move { s.user() }).await.ok()
}

fn header(name: &'static str) -> HeaderName {
    HeaderName::from_static(name)
}

#[tokio::test]
async fn a_passive_request_is_authenticated_and_no_activity() {
    for under in all().await {
        let layer = layer(&under).passive_header("x-poll");
        let mut tab = signed_in(&layer).await;
        let mut poll = tab.with(header("x-poll"), "1");
        for _ in 0..5 {
            under.clock.advance(5 * MINUTE);
            assert_eq!(user(&mut poll).await, Some(7), "{}", under.name);
        }
        // Also one with a second cookie, which is dead.
        let both = poll.beside(&"A".repeat(43));
        assert_eq!(both.ask(|s: Handle| async move { s.user() }).await.ok(), Some(7));
        // It may change the session, which is no activity, either.
        poll.run(|mut s: Handle| async move { s.set_note("polled") }).await.ok();
        under.clock.advance(5 * MINUTE);
        assert_eq!(user(&mut poll).await, None, "{}: half an hour later", under.name);
        assert_eq!(user(&mut tab).await, None);
        // Any other request is.
        let mut tab = signed_in(&layer).await;
        for _ in 0..12 {
            under.clock.advance(5 * MINUTE);
            assert_eq!(user(&mut tab).await, Some(7), "{}", under.name);
        }
    }
}

#[tokio::test]
async fn a_path_is_passive_with_what_is_below_it() {
    let under = memory();
    let layer = layer(&under).passive("/poll");
    let see = get(async |s: Handle| format!("{:?}", s.user()));
    let app = Router::new()
        .route("/", get(async |mut s: Handle| s.set_user(7)))
        .route("/poll", see.clone())
        .route("/poll/news", see.clone())
        .route("/polls", see)
        .layer(layer);
    let mut client = Client::new(&app);
    client.get("/").await;
    for (path, is_activity) in [("/poll", false), ("/poll/news", false), ("/polls", true)] {
        under.clock.advance(9 * MINUTE);
        let before = client.get(path).await;
        assert_eq!(before.body, "Some(7)", "{path}");
        under.clock.advance(if is_activity { 25 * MINUTE } else { Duration::ZERO });
        assert_eq!(client.get("/poll").await.body, "Some(7)", "{path}");
    }
    under.clock.advance(5 * MINUTE);
    assert_eq!(client.get("/poll").await.body, "None");
}

#[tokio::test]
async fn a_handler_records_activity_of_its_own() {
    for under in all().await {
        let layer = layer(&under);
        let tab = signed_in(&layer).await;
        let clock = under.clock.clone();
        let upload = tab.ask(move |s: Handle| async move {
            for _ in 0..5 {
                clock.advance(20 * MINUTE);
                s.touch().await.unwrap();
            }
            clock.advance(30 * MINUTE);
            matches!(s.touch().await, Err(SessionError::Gone))
        });
        assert!(upload.await.ok(), "{}", under.name);
    }
}

#[tokio::test]
async fn activity_writes_nothing_before_it_is_due() {
    let under = memory();
    let spy = Spy::on(under.store.clone());
    let layer = SessionLayer::new(spy.clone());
    let mut tab = signed_in(&layer).await;
    let clock = under.clock.clone();
    let rounds = tab.run(move |s: Handle| async move {
        spy.calls();
        s.touch().await.unwrap();
        let early = spy.calls().len();
        clock.advance(3 * MINUTE);
        s.touch().await.unwrap();
        (early, spy.calls().len())
    });
    assert_eq!(rounds.await.ok(), (1, 2), "a reload, and the load that writes it");
}

#[tokio::test]
async fn a_token_that_was_renewed_since_does_no_harm_to_an_upload() {
    for under in all().await {
        let layer = layer(&under).renew_after(10 * MINUTE).absolute_timeout(None);
        let tab = signed_in(&layer).await;
        let clock = under.clock.clone();
        let mut other = tab.clone();
        let upload = tab.ask(move |s: Handle| async move {
            for _ in 0..4 {
                // Another tab goes on, and its token is renewed again and again.
                clock.advance(10 * MINUTE);
                assert_eq!(user(&mut other).await, Some(7));
                s.touch().await.unwrap();
            }
            // A change of privilege is the end of it.
            other.run(|mut s: Handle| async move { s.set_user(7) }).await.ok();
            clock.advance(10 * MINUTE);
            matches!(s.touch().await, Err(SessionError::Gone))
        });
        assert!(upload.await.ok(), "{}", under.name);
    }
}

#[tokio::test]
async fn what_is_not_stored_cannot_be_kept_alive() {
    let under = memory();
    let layer = layer(&under);
    let tab = Tab::new(&layer);
    let fresh = tab.ask(|s: Handle| async move {
        let touched = matches!(s.touch().await, Err(SessionError::Gone));
        (touched, matches!(s.keep_alive(), Err(SessionError::Gone)))
    });
    assert_eq!(fresh.await.ok(), (true, true));
    let tab = signed_in(&layer).await;
    let ended = tab.ask(|mut s: Handle| async move {
        s.destroy();
        matches!(s.touch().await, Err(SessionError::Gone))
    });
    assert!(ended.await.ok());
}

/// Lets the guard's task take its turns; the clock of the runtime is paused.
async fn hours(under: &Under, hours: u32) {
    for _ in 0..hours * 60 {
        under.clock.advance(MINUTE);
        tokio::time::sleep(MINUTE).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_guard_keeps_the_session_alive_until_it_is_dropped() {
    let under = memory();
    let faults = FaultStore::new(under.store.clone());
    let layer = SessionLayer::new(faults.clone());
    let mut tab = signed_in(&layer).await;
    let under = &under;
    let (alive, held) = tab.run(|s: Handle| async move { (s.keep_alive().unwrap(), s) }).await.ok();
    hours(under, 3).await;
    assert_eq!(user(&mut tab).await, Some(7));
    // A store that fails for a while is asked again.
    faults.times(20, Operation::Reload, Fault::Fails(StoreErrorKind::Unavailable));
    hours(under, 1).await;
    assert_eq!(faults.remaining(), 0);
    assert_eq!(user(&mut tab).await, Some(7));
    drop(alive);
    hours(under, 1).await;
    assert_eq!(user(&mut tab).await, None);
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn a_guard_extends_no_absolute_timeout_and_ends_with_its_session() {
    let under = memory();
    let spy = Spy::on(under.store.clone());
    let layer = SessionLayer::new(spy.clone()).absolute_timeout(2 * 60 * MINUTE);
    let mut tab = signed_in(&layer).await;
    let alive = tab.run(|s: Handle| async move { s.keep_alive().unwrap() }).await.ok();
    hours(&under, 2).await;
    assert_eq!(user(&mut tab).await, None);
    hours(&under, 1).await;
    spy.calls();
    hours(&under, 10).await;
    assert_eq!(spy.calls().len(), 0, "it asks no more");
    drop(alive);
}

fn max_age(headers: &http::HeaderMap) -> Option<u64> {
    let cookie = headers.get("set-cookie")?.to_str().unwrap();
    let age = cookie.split("; ").find_map(|part| part.strip_prefix("Max-Age="))?;
    Some(age.parse().unwrap())
}

#[tokio::test]
async fn a_rolling_session_and_its_cookie_last_from_the_last_visit() {
    for under in all().await {
        let layer = SessionLayer::new(under.store.clone()).rolling(30 * DAY);
        let mut tab = Tab::new(&layer);
        let login = tab.run(|mut s: Handle| async move { s.set_user(7) }).await;
        assert_eq!(max_age(&login.headers), Some(30 * 86_400), "{}", under.name);
        under.clock.advance(2 * MINUTE);
        let next = tab.run(|s: Handle| async move { s.user() }).await;
        assert_eq!(max_age(&next.headers), None, "its activity is not recorded again");
        let token = tab.cookie.clone();
        for month in 0..14 {
            under.clock.advance(29 * DAY);
            let visit = tab.run(|s: Handle| async move { s.user() }).await;
            assert_eq!(max_age(&visit.headers), Some(30 * 86_400), "{}: {month}", under.name);
            assert_eq!(visit.headers["cache-control"], "no-store");
            assert_eq!(visit.ok(), Some(7));
            assert_eq!(tab.cookie, token, "the same token");
        }
        under.clock.advance(30 * DAY);
        assert_eq!(user(&mut tab).await, None, "{}", under.name);
    }
}

#[tokio::test]
async fn a_rolling_cookie_goes_with_renewal_and_yields_to_remember() {
    for under in all().await {
        let layer = SessionLayer::new(under.store.clone()).rolling(30 * DAY).renew_after(DAY);
        let mut tab = signed_in(&layer).await;
        let first = tab.cookie.clone();
        under.clock.advance(DAY);
        let renewed = tab.run(|s: Handle| async move { s.user() }).await;
        assert_ne!(tab.cookie, first);
        assert_eq!(max_age(&renewed.headers), Some(29 * 86_400), "as long as the session");
        // The old token is not sent again after its successor.
        let mut old = tab.holding(first);
        under.clock.advance(4 * DAY);
        let late = old.run(|s: Handle| async move { s.user() }).await;
        assert_eq!(old.cookie, tab.cookie, "{}", under.name);
        assert_eq!(late.headers.get_all("set-cookie").iter().count(), 1);
        // Nor within the grace that it has once the successor was presented.
        under.clock.advance(4 * DAY);
        tab.run(|s: Handle| async move { s.user() }).await.ok();
        under.clock.advance(4 * DAY);
        let before = tab.clone();
        tab.run(|s: Handle| async move { s.user() }).await.ok();
        assert_ne!(tab.cookie, before.cookie);
        tab.run(|s: Handle| async move { s.user() }).await.ok();
        let late = before.ask(|s: Handle| async move { s.user() }).await;
        assert_eq!(late.headers.get("set-cookie"), None, "{}", under.name);
        assert_eq!(late.ok(), Some(7));
        let kept = tab.run(|mut s: Handle| async move { s.remember(DAY) }).await;
        assert_eq!(max_age(&kept.headers), Some(86_400));
        under.clock.advance(DAY / 2);
        assert_eq!(max_age(&tab.ask(|s: Handle| async move { s.user() }).await.headers), None);
    }
}

#[tokio::test]
async fn a_rolling_cookie_undoes_no_sign_in_and_no_renewal() {
    for under in all().await {
        let layer = SessionLayer::new(under.store.clone()).rolling(30 * DAY).schema::<Visitor>();
        let name = under.name;
        let mut tab = signed_in(&layer).await;
        // A slow request, during which another tab signs in.
        let mut other = tab.clone();
        let slow = tab.ask(move |s: Handle| async move {
            other.run(|mut s: Handle| async move { s.set_user(7) }).await.ok();
            (s.user(), other.cookie)
        });
        let slow = slow.await;
        assert_eq!(slow.headers.get("set-cookie"), None, "{name}");
        tab.cookie = slow.ok().1;
        assert_eq!(user(&mut tab).await, Some(7), "{name}");
        // A second click on "Sign out", and a sign-in between the two.
        let mut other = tab.clone();
        let second = tab.ask(move |mut s: Handle| async move {
            other.run(|mut s: Handle| async move { s.destroy() }).await.ok();
            other.cookie = None;
            other.run(|mut s: Handle| async move { s.set_user(7) }).await.ok();
            s.destroy();
            other.cookie
        });
        let second = second.await;
        assert_eq!(second.headers.get("set-cookie"), None, "{name}");
        tab.cookie = second.ok();
        assert_eq!(user(&mut tab).await, Some(7), "{name}");
        // A renewal by another request, whose token is on its way or in use already.
        let renewing = layer.clone().renew_after(10 * DAY);
        for requests in 1..=2 {
            let mut other = tab.by(&renewing);
            let clock = under.clock.clone();
            let slow = tab.ask(move |_: Handle| async move {
                clock.advance(10 * DAY);
                for _ in 0..requests {
                    other.run(|_: Handle| async {}).await.ok();
                }
                other.cookie
            });
            let slow = slow.await;
            assert_eq!(slow.headers.get("set-cookie"), None, "{name}: {requests}");
            tab.cookie = slow.ok();
            under.clock.advance(4 * DAY);
            assert_eq!(user(&mut tab).await, Some(7), "{name}");
        }
    }
}

#[tokio::test]
async fn a_bearer_token_follows_nothing() {
    let under = memory();
    let layer = SessionLayer::new(under.store.clone()).rolling(30 * DAY);
    let mut phone = Tab::bearing(&layer.transports(Transports::Bearer));
    phone.run(|mut s: Handle| async move { s.set_user(7) }).await.ok();
    under.clock.advance(4 * DAY);
    let visit = phone.ask(|s: Handle| async move { s.user() }).await;
    assert!(
        !visit.headers.contains_key("set-cookie") && !visit.headers.contains_key("session-token")
    );
    assert_eq!(visit.ok(), Some(7));
}

#[tokio::test]
async fn nobody_is_remembered_for_longer_than_the_layer_allows() {
    for under in all().await {
        let layer = layer(&under).max_remember(7 * DAY);
        let mut tab = Tab::new(&layer);
        let login = tab.run(|mut s: Handle| async move {
            s.set_user(7);
            s.remember(30 * DAY);
        });
        assert_eq!(max_age(&login.await.headers), Some(7 * 86_400));
        under.clock.advance(7 * DAY - MINUTE);
        assert_eq!(user(&mut tab).await, Some(7), "{}", under.name);
        under.clock.advance(MINUTE);
        assert_eq!(user(&mut tab).await, None, "{}", under.name);
    }
}

#[tokio::test]
async fn settings_that_cannot_hold_are_refused_by_name() {
    let layer = || SessionLayer::new(memory().store);
    for (entry, layer) in [
        ("idle_timeout", layer().idle_timeout(DAY)),
        ("idle_timeout", layer().absolute_timeout(MINUTE)),
        ("idle_timeout", layer().rolling(Duration::ZERO)),
        ("max_remember", layer().max_remember(Duration::ZERO)),
        ("passive", layer().passive("poll")),
        ("passive_header", layer().passive_header("a b")),
    ] {
        assert_eq!(layer.check().unwrap_err().entry(), Some(entry));
    }
    layer().rolling(DAY).check().unwrap();
    layer().idle_timeout(DAY).absolute_timeout(None).check().unwrap();
    layer().idle_timeout(DAY).absolute_timeout(DAY).check().unwrap();
    layer().passive("/").check().unwrap();
}

//! Why a session is over, as the next request with its token learns it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::{Method, StatusCode, header};
use session_runtime::store::MemoryStore;
use session_runtime::testing::frozen_clock;
use session_runtime::{
    AtLimit, Authenticated, AuthenticatedRejection, EndReason, SecurityEventKind, Session,
    SessionLayer, SessionSchema, Transports,
};
use session_tests::stores::{Under, all, memory};
use session_tests::{Client, Tab};

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user: Option<u64>,
    #[session(renew)]
    role: String,
}

type Handle = Session<Visitor>;

const MINUTE: Duration = Duration::from_secs(60);

fn layer(under: &Under) -> SessionLayer {
    SessionLayer::new(under.store.clone()).schema::<Visitor>()
}

async fn signed_in(layer: &SessionLayer) -> Tab {
    let mut tab = Tab::new(layer);
    tab.run(|mut s: Handle| async move { s.set_user(7) }).await.ok();
    tab
}

async fn because(tab: &Tab) -> Option<EndReason> {
    tab.ask(|s: Handle| async move { s.ended_because() }).await.ok()
}

#[tokio::test]
async fn who_has_a_session_or_no_token_is_told_nothing() {
    for under in all().await {
        let layer = layer(&under);
        assert_eq!(because(&Tab::new(&layer)).await, None, "{}", under.name);
        assert_eq!(because(&signed_in(&layer).await).await, None, "{}", under.name);
    }
}

#[tokio::test]
async fn each_limit_of_time_is_named_for_a_minute() {
    for under in all().await {
        let layer = || layer(&under);
        let idle = signed_in(&layer()).await;
        let old = signed_in(&layer().idle_timeout(None).absolute_timeout(30 * MINUTE)).await;
        under.clock.advance(30 * MINUTE);
        assert_eq!(because(&idle).await, Some(EndReason::Idle), "{}", under.name);
        assert_eq!(because(&old).await, Some(EndReason::Expired), "{}", under.name);
        under.clock.advance(MINUTE);
        assert_eq!(because(&idle).await, Some(EndReason::Unknown), "{}", under.name);
        assert_eq!(because(&old).await, Some(EndReason::Unknown), "{}", under.name);
    }
}

#[tokio::test]
async fn each_end_by_somebody_is_named() {
    for under in all().await {
        let layer = layer(&under);
        let name = under.name;
        let sessions = layer.manager_for::<Visitor>().unwrap();

        let left = signed_in(&layer).await;
        left.ask(|mut s: Handle| async move { s.destroy() }).await.ok();
        assert_eq!(because(&left).await, Some(EndReason::SignedOut), "{name}");

        let handed_over = signed_in(&layer).await;
        handed_over.ask(|mut s: Handle| async move { s.set_user(8) }).await.ok();
        assert_eq!(because(&handed_over).await, Some(EndReason::AnotherUser), "{name}");

        let raised = signed_in(&layer).await;
        raised.ask(|mut s: Handle| async move { s.set_role("admin") }).await.ok();
        assert_eq!(because(&raised).await, Some(EndReason::Replaced), "{name}");

        let (lost, kept) = (signed_in(&layer).await, signed_in(&layer).await);
        let manager = sessions.clone();
        let others = kept.ask(move |s: Handle| async move { manager.revoke_others(&s).await });
        others.await.ok().unwrap();
        assert_eq!(because(&lost).await, Some(EndReason::OtherDevice), "{name}");

        sessions.as_administrator().revoke_all(&7).await.unwrap();
        assert_eq!(because(&kept).await, Some(EndReason::Administrator), "{name}");
        assert_eq!(because(&lost).await, Some(EndReason::OtherDevice), "{name}: the first counts");

        let one = self::layer(&under).max_sessions(1, AtLimit::EvictOldest);
        let first = signed_in(&one).await;
        signed_in(&one).await;
        assert_eq!(because(&first).await, Some(EndReason::Limit), "{name}");
    }
}

#[tokio::test]
async fn a_token_that_may_be_stolen_names_that_for_both() {
    for under in all().await {
        let layer = layer(&under).renew_after(10 * MINUTE);
        let mut tab = signed_in(&layer).await;
        let thief = tab.clone();
        under.clock.advance(10 * MINUTE);
        tab.run(|_: Handle| async {}).await.ok();
        tab.run(|_: Handle| async {}).await.ok();
        under.clock.advance(2 * MINUTE);
        assert_eq!(because(&thief).await, Some(EndReason::Replayed), "{}", under.name);
        assert_eq!(because(&tab).await, Some(EndReason::Replayed), "{}", under.name);
    }
}

#[tokio::test]
async fn what_is_no_token_or_unknown_is_named_as_such_and_a_wrong_secret_learns_nothing() {
    for under in all().await {
        let layer = layer(&under);
        let tab = signed_in(&layer).await;
        let mut guess = tab.cookie.clone().unwrap();
        guess.replace_range(40.., "AAA");
        tab.ask(|mut s: Handle| async move { s.destroy() }).await.ok();
        for wrong in ["", "x", &"A".repeat(43), &guess] {
            let wrong = tab.holding(Some(wrong.to_owned()));
            assert_eq!(because(&wrong).await, Some(EndReason::Unknown), "{}", under.name);
        }
    }
}

/// An attacker who planted the token from before the sign-in is not told what becomes of the session.
#[tokio::test]
async fn who_has_a_replaced_token_learns_no_more_than_that() {
    for under in all().await {
        let layer = layer(&under);
        let mut planted = Tab::new(&layer);
        planted.run(|mut s: Handle| async move { s.set_role("x") }).await.ok();
        let mut tab = planted.clone();
        tab.run(|mut s: Handle| async move { s.set_user(7) }).await.ok();
        let sessions = layer.manager_for::<Visitor>().unwrap();
        sessions.as_administrator().revoke_all(&7).await.unwrap();
        assert_eq!(because(&tab).await, Some(EndReason::Administrator), "{}", under.name);
        assert_eq!(because(&planted).await, Some(EndReason::Replaced), "{}", under.name);
    }
}

#[tokio::test]
async fn the_reason_is_gone_with_the_next_session() {
    for under in all().await {
        let layer = layer(&under);
        let mut tab = signed_in(&layer).await;
        layer.manager().revoke_all(&7_u64).await.unwrap();
        tab.run(|mut s: Handle| async move { s.set_user(7) }).await.ok();
        assert_eq!(because(&tab).await, None, "{}", under.name);
    }
}

#[tokio::test]
async fn the_login_page_the_rejection_and_the_challenge_name_it() {
    let clock = frozen_clock();
    let layer = SessionLayer::new(MemoryStore::with_clock(clock.clone()))
        .transports(Transports::Both)
        .login_redirect("/login");
    let own = async |who: Result<Authenticated<Visitor>, AuthenticatedRejection>| match who {
        Err(AuthenticatedRejection::NotSignedIn { because, .. }) => format!("{because:?}"),
        _ => String::new(),
    };
    let app = Router::new()
        .route("/", get(async |_: Authenticated<Visitor>| ()))
        .route("/own", get(own))
        .layer(layer.clone());
    let tab = signed_in(&layer).await;
    let mut phone = Tab::bearing(&layer).holding(Some(String::new()));
    phone.run(|mut s: Handle| async move { s.set_user(7) }).await.ok();
    clock.advance(30 * MINUTE);

    let mut browser = Client::new(&app);
    let to_login =
        |reply: &session_tests::Reply| reply.headers[header::LOCATION].to_str().unwrap().to_owned();
    assert_eq!(to_login(&browser.get("/").await), "/login?next=/");
    browser.cookies.insert("__Host-session".to_owned(), tab.cookie.unwrap());
    assert_eq!(to_login(&browser.get("/").await), "/login?next=/&ended=idle");
    assert_eq!(browser.get("/own").await.body, "Some(Idle)");

    let bearer = format!("Bearer {}", phone.cookie.unwrap());
    let headers = [("authorization", bearer.as_str())];
    let refused = Client::new(&app).ask_with(Method::GET, "/", &headers).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let challenge = refused.headers["www-authenticate"].to_str().unwrap();
    assert_eq!(challenge, "Bearer error=\"invalid_token\", error_description=\"idle\"");
}

#[tokio::test]
async fn events_name_it_too() {
    let under = memory();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ears = Arc::clone(&heard);
    let layer = layer(&under).max_sessions(1, AtLimit::EvictOldest).on_event(move |event| {
        ears.lock().unwrap().push((event.kind, event.because));
    });
    signed_in(&layer).await;
    let tab = signed_in(&layer).await;
    tab.ask(|mut s: Handle| async move { s.destroy() }).await.ok();
    let sessions = layer.manager_for::<Visitor>().unwrap();
    signed_in(&layer).await;
    sessions.revoke_all(&7).await.unwrap();
    signed_in(&layer).await;
    sessions.as_administrator().revoke_all(&7).await.unwrap();
    let ends: Vec<_> = heard.lock().unwrap().iter().filter(|it| it.1.is_some()).copied().collect();
    assert_eq!(
        ends,
        [
            (SecurityEventKind::Evicted, Some(EndReason::Limit)),
            (SecurityEventKind::Destroyed, Some(EndReason::SignedOut)),
            (SecurityEventKind::Revoked, Some(EndReason::OtherDevice)),
            (SecurityEventKind::Revoked, Some(EndReason::Administrator)),
        ]
    );
}

#[test]
fn names_are_read_back_and_nothing_else_is() {
    for reason in [EndReason::Idle, EndReason::AnotherUser, EndReason::Unknown] {
        assert_eq!(EndReason::named(reason.as_str()), Some(reason));
        assert_eq!(reason.to_string(), reason.as_str());
    }
    for other in ["", "Idle", "idle ", "nothing", "signed_out"] {
        assert_eq!(EndReason::named(other), None, "{other:?}");
    }
}

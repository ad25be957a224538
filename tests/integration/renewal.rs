//! Renewal by age: the next token is pending until it has been presented.

use std::convert::Infallible;
use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response, header};
use session_runtime::{OnReplay, Session, SessionLayer, SessionSchema, session_of};
use session_tests::stores::{Under, all, memory};
use session_tests::traced::Traced;
use session_tests::{Call, Spy, Tab};
use tokio::sync::Barrier;
use tower::{Layer, ServiceExt, service_fn};

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user: Option<u64>,
    note: String,
    #[session(counter)]
    hits: u64,
}

type Handle = Session<Visitor>;

const HOUR: Duration = Duration::from_secs(3_600);
const GRACE: Duration = Duration::from_secs(60);
const MS: Duration = Duration::from_millis(1);

fn layer(under: &Under) -> SessionLayer {
    SessionLayer::new(under.store.clone())
        .renew_after(Some(HOUR))
        .idle_timeout(None)
        .absolute_timeout(None)
}

async fn signed_in(layer: &SessionLayer) -> Tab {
    let mut tab = Tab::new(layer);
    tab.run(|mut s: Handle| async move { s.set_user(7) }).await.ok();
    tab
}

async fn user(tab: &Tab) -> Option<u64> {
    tab.ask(|s: Handle| async move { s.user() }).await.ok()
}

#[tokio::test]
async fn a_token_is_renewed_when_it_has_come_of_age_and_not_before() {
    for under in all().await {
        let mut tab = signed_in(&layer(&under)).await;
        let first = tab.cookie.clone();
        under.clock.advance(HOUR - MS);
        tab.run(|s: Handle| async move { s.user() }).await.ok();
        assert_eq!(tab.cookie, first, "{}", under.name);
        under.clock.advance(MS);
        tab.run(|s: Handle| async move { s.user() }).await.ok();
        assert_ne!(tab.cookie, first, "{}", under.name);
        assert_eq!(user(&tab).await, Some(7), "{}", under.name);
        // The next one is due an hour after this one was first used.
        let second = tab.cookie.clone();
        under.clock.advance(HOUR - MS);
        tab.run(|s: Handle| async move { s.user() }).await.ok();
        assert_eq!(tab.cookie, second, "{}", under.name);
    }
}

#[tokio::test]
async fn lost_responses_log_nobody_out_and_all_renewals_agree() {
    for under in all().await {
        let layer = layer(&under);
        let mut tab = signed_in(&layer).await;
        let old = tab.clone();
        under.clock.advance(HOUR);
        let mut sent = Vec::new();
        for day in 0..5 {
            let answer = old.ask(|s: Handle| async move { s.user() }).await;
            let mut heard = old.clone();
            heard.keep(&answer.headers);
            sent.push(heard.cookie);
            assert_eq!(answer.value, Some(Some(7)), "{}: day {day}", under.name);
            under.clock.advance(24 * HOUR / 10);
        }
        assert_ne!(sent[0], old.cookie);
        assert!(sent.iter().all(|cookie| *cookie == sent[0]), "{}", under.name);
        tab.cookie.clone_from(&sent[0]);
        assert_eq!(user(&tab).await, Some(7), "{}", under.name);
    }
}

#[tokio::test]
async fn concurrent_renewals_send_one_and_the_same_token() {
    for under in all().await {
        let layer = layer(&under);
        let tab = signed_in(&layer).await;
        under.clock.advance(HOUR);
        // All three have found it due before the first of them renews it.
        let together = Arc::new(Barrier::new(3));
        let ask = || {
            let together = Arc::clone(&together);
            tab.ask(move |s: Handle| async move {
                together.wait().await;
                s.user()
            })
        };
        let (one, two, three) = tokio::join!(ask(), ask(), ask());
        let cookies: Vec<_> = [one, two, three]
            .map(|answer| {
                let mut heard = tab.clone();
                heard.keep(&answer.headers);
                heard.cookie
            })
            .into();
        assert_ne!(cookies[0], tab.cookie, "{}", under.name);
        assert!(cookies.iter().all(|cookie| *cookie == cookies[0]), "{}", under.name);
        assert_eq!(layer.manager().metrics().renewed, 1, "{}: of one renewal", under.name);
    }
}

#[tokio::test]
async fn the_old_token_has_a_grace_once_the_new_one_was_presented_and_is_then_reported() {
    for under in all().await {
        let traced = Traced::start();
        let layer = layer(&under).on_replay(OnReplay::Report);
        let mut tab = signed_in(&layer).await;
        let old = tab.clone();
        under.clock.advance(HOUR);
        tab.run(|s: Handle| async move { s.user() }).await.ok();
        under.clock.advance(HOUR / 2);
        assert_eq!(user(&old).await, Some(7), "{}: the new one was not seen yet", under.name);
        assert_eq!(user(&tab).await, Some(7));
        under.clock.advance(GRACE - MS);
        assert_eq!(user(&old).await, Some(7), "{}", under.name);
        under.clock.advance(MS);
        let answer = old.ask(|mut s: Handle| async move {
            s.set_note("mine now");
            s.user()
        });
        assert_eq!(answer.await.ok(), None);
        assert_eq!(layer.manager().metrics().replayed, 1);
        assert!(traced.text().contains("may have been stolen"), "{}", under.name);
        assert_eq!(user(&tab).await, Some(7), "{}: the session itself goes on", under.name);
    }
}

#[tokio::test]
async fn the_grace_is_counted_to_the_arrival_of_a_request() {
    for under in all().await {
        let layer = layer(&under);
        let mut tab = signed_in(&layer).await;
        let old = tab.clone();
        under.clock.advance(HOUR);
        tab.run(|s: Handle| async move { s.user() }).await.ok();
        user(&tab).await;
        under.clock.advance(GRACE - MS);
        // An upload arrives in time, and its handler asks after the grace.
        let clock = under.clock.clone();
        let late =
            old.ask_late(move || clock.advance(HOUR / 4), |s: Handle| async move { s.user() });
        assert_eq!(late.await.ok(), Some(7), "{}", under.name);
    }
}

#[tokio::test]
async fn nor_does_it_shrink_for_what_a_handler_leaves_behind() {
    for under in all().await {
        let layer = layer(&under);
        let mut tab = signed_in(&layer).await;
        let cookie = format!("__Host-session={}", tab.cookie.clone().unwrap());
        under.clock.advance(HOUR);
        tab.run(|s: Handle| async move { s.user() }).await.ok();
        user(&tab).await;
        under.clock.advance(GRACE - MS);
        // The handler answers at once, and the body of its response asks after the grace.
        let left = Arc::new(Mutex::new(None));
        let body = Arc::clone(&left);
        let service = layer.layer(service_fn(move |request: Request<()>| {
            *body.lock().unwrap() = Some(request.into_parts().0);
            ready(Ok::<_, Infallible>(Response::new(String::new())))
        }));
        let request = Request::builder().header(header::COOKIE, cookie).body(()).unwrap();
        service.oneshot(request).await.unwrap();
        under.clock.advance(HOUR / 4);
        let parts = left.lock().unwrap().take().unwrap();
        let session = session_of::<Visitor>(&parts.extensions, &parts.headers).await.unwrap();
        assert_eq!(session.user(), Some(7), "{}", under.name);
    }
}

#[tokio::test]
async fn renewal_by_age_leaves_open_handles_and_the_absolute_limit_alone() {
    let under = memory();
    let layer = layer(&under).absolute_timeout(Some(3 * HOUR));
    let mut tab = signed_in(&layer).await;
    let socket = tab.ask(|s: Handle| async move { s }).await.ok();
    for _ in 0..2 {
        under.clock.advance(HOUR);
        tab.run(|s: Handle| async move { s.user() }).await.ok();
        user(&tab).await;
    }
    let mut socket = socket;
    socket.set_note("from the socket");
    socket.save().await.unwrap();
    let note = tab.ask(|s: Handle| async move { s.note().to_owned() }).await.ok();
    assert_eq!(note, "from the socket");
    under.clock.advance(HOUR - MS);
    assert_eq!(user(&tab).await, Some(7));
    under.clock.advance(MS);
    assert_eq!(user(&tab).await, None, "three hours after the sign-in");
}

#[tokio::test]
async fn a_sign_in_or_logout_kills_the_pending_token_too() {
    for under in all().await {
        let layer = layer(&under);
        let tab = signed_in(&layer).await;
        under.clock.advance(HOUR);
        let mut renewed = tab.clone();
        renewed.run(|s: Handle| async move { s.user() }).await.ok();
        // The next token was sent and not seen yet; somebody signs in with the old one.
        let mut other = tab.clone();
        other.run(|mut s: Handle| async move { s.set_user(8) }).await.ok();
        assert_eq!(user(&renewed).await, None, "{}", under.name);
        assert_eq!(user(&tab).await, None, "{}", under.name);
        assert_eq!(user(&other).await, Some(8), "{}", under.name);
        let answer = renewed.ask(|mut s: Handle| async move { s.set_note("late") }).await;
        assert_eq!(answer.headers.get("set-cookie"), None, "{}: no new session either", under.name);
    }
}

#[tokio::test]
async fn a_renewal_rides_on_the_write_and_costs_one_where_nothing_else_is_written() {
    let under = memory();
    let spy = Spy::on(under.store.clone());
    let layer = SessionLayer::new(spy.clone()).renew_after(Some(HOUR)).idle_timeout(None);
    let mut tab = signed_in(&layer).await;
    under.clock.advance(HOUR);
    spy.calls();
    tab.run(|mut s: Handle| async move { s.add_hits(1) }).await.ok();
    let calls = spy.calls();
    assert!(
        matches!(&calls[..], [Call::Load(_), Call::Apply(_, patch)]
        if patch.meta.rotate.is_some() && patch.ops.len() == 1),
        "{calls:?}"
    );
    user(&tab).await;
    under.clock.advance(HOUR);
    spy.calls();
    user(&tab).await;
    assert!(matches!(&spy.calls()[..], [Call::Load(_), Call::Apply(_, patch)]
        if patch.ops.is_empty() && patch.expect.is_empty()));
    // Pending now: nothing more is written, the same cookie is sent again.
    let again = tab.ask(|s: Handle| async move { s.user() }).await;
    assert!(again.headers.contains_key("set-cookie"));
    assert!(matches!(&spy.calls()[..], [Call::Load(_)]));
}

#[tokio::test]
async fn a_token_that_cannot_be_renewed_fails_no_request() {
    let under = memory();
    let spy = Spy::on(under.store.clone());
    let layer = SessionLayer::new(spy.clone()).renew_after(Some(HOUR)).idle_timeout(None);
    let tab = signed_in(&layer).await;
    under.clock.advance(HOUR);
    let down = spy.clone();
    let answer = tab
        .ask(move |s: Handle| async move {
            down.down(true);
            s.user()
        })
        .await;
    spy.down(false);
    assert_eq!(answer.headers.get("set-cookie"), None);
    assert_eq!(answer.ok(), Some(7));
}

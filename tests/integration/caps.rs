//! How many sessions somebody has, and which of them a login may join.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use session_runtime::__private::patch::{AtLimit, Denied};
use session_runtime::__private::record::TICKET_LIFETIME;
use session_runtime::{Session, SessionError, SessionLayer, SessionManager, SessionSchema};
use session_tests::Tab;
use session_tests::stores::{Under, all, memory};
use tokio::sync::Barrier;

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user: Option<u64>,
    #[session(listed)]
    device: Option<String>,
    #[session(listed, ttl = "1h")]
    place: Option<String>,
    note: String,
}

type Handle = Session<Visitor>;

fn capped(under: &Under, max: u32, at_limit: AtLimit) -> SessionLayer {
    SessionLayer::new(under.store.clone()).max_sessions(max, at_limit).schema::<Visitor>()
}

fn manager(layer: &SessionLayer) -> SessionManager {
    layer.manager()
}

async fn sign_in(tab: &mut Tab, user: u64) -> StatusCode {
    tab.run(move |mut s: Handle| async move { s.set_user(user) }).await.status
}

async fn user(tab: &Tab) -> Option<u64> {
    tab.ask(|s: Handle| async move { s.user() }).await.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_sign_ins_at_once_no_more_than_the_cap_are_let_in() {
    for under in all().await {
        for (known, at_limit) in
            [(false, AtLimit::Reject), (true, AtLimit::Reject), (true, AtLimit::EvictOldest)]
        {
            let layer = capped(&under, 5, at_limit);
            let together = Arc::new(Barrier::new(24));
            let mut logins = tokio::task::JoinSet::new();
            for _ in 0..24 {
                let (mut tab, together) = (Tab::new(&layer), Arc::clone(&together));
                if known {
                    // A visitor already: the sign-in is a patch, not a new record.
                    tab.run(|mut s: Handle| async move { s.set_note("here") }).await.ok();
                }
                logins.spawn(async move {
                    let answer = tab
                        .run(move |mut s: Handle| async move {
                            together.wait().await;
                            s.set_user(7);
                        })
                        .await;
                    (answer.status, tab)
                });
            }
            let done = logins.join_all().await;
            let let_in = done.iter().filter(|(status, _)| *status == StatusCode::OK).count();
            let expected = if at_limit == AtLimit::Reject { 5 } else { 24 };
            assert_eq!(let_in, expected, "{} {at_limit:?}", under.name);
            let mut alive = 0;
            for (_, tab) in &done {
                alive += usize::from(user(tab).await == Some(7));
            }
            assert_eq!(alive, 5, "{} {at_limit:?}", under.name);
            assert_eq!(manager(&layer).sessions_of(&7_u64).await.unwrap().len(), 5);
            manager(&layer).revoke_all(&7_u64).await.unwrap();
        }
    }
}

#[tokio::test]
async fn the_oldest_makes_room_and_others_and_expired_ones_do_not_count() {
    for under in all().await {
        let layer = capped(&under, 2, AtLimit::EvictOldest);
        let mut tabs: Vec<Tab> = (0..3).map(|_| Tab::new(&layer)).collect();
        let mut stranger = Tab::new(&layer);
        sign_in(&mut stranger, 8).await;
        for tab in &mut tabs {
            under.clock.advance(Duration::from_secs(1));
            assert_eq!(sign_in(tab, 7).await, StatusCode::OK);
        }
        assert_eq!(user(&tabs[0]).await, None, "{}", under.name);
        assert_eq!((user(&tabs[1]).await, user(&tabs[2]).await), (Some(7), Some(7)));
        assert_eq!(user(&stranger).await, Some(8), "{}", under.name);
        // Signing in again in a session of one's own is not one more.
        assert_eq!(sign_in(&mut tabs[1], 7).await, StatusCode::OK);
        assert_eq!(user(&tabs[2]).await, Some(7), "{}", under.name);
        under.clock.advance(Duration::from_secs(31 * 60));
        let layer = capped(&under, 2, AtLimit::Reject);
        for _ in 0..2 {
            assert_eq!(sign_in(&mut Tab::new(&layer), 7).await, StatusCode::OK, "{}", under.name);
        }
        assert_eq!(sign_in(&mut Tab::new(&layer), 7).await, StatusCode::CONFLICT);
    }
}

#[tokio::test]
async fn a_sign_in_that_is_one_too_many_is_a_typed_error_and_stores_nothing() {
    let under = memory();
    let layer = capped(&under, 1, AtLimit::Reject);
    sign_in(&mut Tab::new(&layer), 7).await;
    let mut tab = Tab::new(&layer);
    tab.run(|mut s: Handle| async move { s.set_note("before") }).await.ok();
    let error = tab
        .run(|mut s: Handle| async move {
            s.set_user(7);
            s.set_note("after");
            s.save().await.unwrap_err()
        })
        .await
        .ok();
    assert!(matches!(error, SessionError::SignInDenied(Denied::AtLimit)), "{error:?}");
    let seen = tab.ask(|s: Handle| async move { (s.user(), s.note().to_owned()) }).await.ok();
    assert_eq!(seen, (None, "before".to_owned()));
    assert_eq!(layer.manager().metrics().denied, 1);
}

#[tokio::test]
async fn revoking_all_sessions_stops_a_login_that_began_before() {
    for under in all().await {
        let layer = SessionLayer::new(under.store.clone()).schema::<Visitor>();
        let manager = manager(&layer);
        let login = |ticket| {
            let layer = layer.clone();
            async move {
                let mut tab = Tab::new(&layer);
                tab.run(move |mut s: Handle| async move {
                    s.redeem(ticket);
                    s.set_user(7);
                    s.save().await
                })
                .await
                .ok()
            }
        };
        let before = manager.login_ticket(&7_u64).unwrap();
        let other = manager.login_ticket(&8_u64).unwrap();
        // The password is being checked; meanwhile its owner revokes everything.
        manager.revoke_all(&7_u64).await.unwrap();
        let error = login(before).await.unwrap_err();
        assert!(matches!(error, SessionError::SignInDenied(Denied::Revoked)), "{}", under.name);
        assert_eq!(manager.sessions_of(&7_u64).await.unwrap().len(), 0);
        assert!(matches!(login(other).await.unwrap_err(), SessionError::LoginExpired));
        under.clock.advance(Duration::from_millis(1));
        login(manager.login_ticket(&7_u64).unwrap()).await.unwrap();
        let old = manager.login_ticket(&7_u64).unwrap();
        under.clock.advance(TICKET_LIFETIME);
        assert!(matches!(login(old).await.unwrap_err(), SessionError::LoginExpired));
    }
}

#[tokio::test]
async fn listings_show_the_listed_fields_and_no_others() {
    for under in all().await {
        let layer = SessionLayer::new(under.store.clone()).schema::<Visitor>().idle_timeout(None);
        Tab::new(&layer)
            .run(|mut s: Handle| async move {
                s.set_user(7);
                s.set_device("phone");
                s.set_place("Bonn");
                s.set_note("private");
            })
            .await
            .ok();
        let list = || async { manager(&layer).sessions_of(&7_u64).await.unwrap().remove(0) };
        let info = list().await;
        assert_eq!(info.get(Visitor::DEVICE), Some("phone".to_owned()), "{}", under.name);
        assert_eq!(info.get(Visitor::NOTE), "", "{}", under.name);
        let listed: Vec<_> = info.listed().collect();
        assert_eq!(listed, [("device", "\"phone\""), ("place", "\"Bonn\"")], "{}", under.name);
        assert!(!format!("{info:?}").contains("private"));
        under.clock.advance(Duration::from_secs(3_600));
        let listed: Vec<_> = list().await.listed().map(|(name, _)| name).collect();
        assert_eq!(listed, ["device"], "{}: the place has outlived its time", under.name);
    }
}

#[tokio::test]
async fn a_sensitive_step_asks_the_store_when_somebody_last_proved_who_they_are() {
    for under in all().await {
        let layer = SessionLayer::new(under.store.clone());
        let mut tab = Tab::new(&layer);
        const FIVE: Duration = Duration::from_secs(300);
        let step = |s: Handle| async move { s.require_fresh(FIVE).await };
        assert!(matches!(tab.ask(step).await.ok(), Err(SessionError::NotFresh)));
        sign_in(&mut tab, 7).await;
        under.clock.advance(FIVE);
        tab.ask(step).await.ok().unwrap();
        under.clock.advance(Duration::from_millis(1));
        let error = tab.ask(step).await.ok().unwrap_err();
        assert_eq!(error.status_and_text().0, StatusCode::UNAUTHORIZED, "{}", under.name);
        tab.run(|mut s: Handle| async move { s.reauthenticated() }).await.ok();
        tab.ask(step).await.ok().unwrap();
        // Signed out elsewhere while this request is on its way.
        let other = tab.clone();
        let error = tab
            .run(|s: Handle| async move {
                other.ask(|mut s: Handle| async move { s.destroy() }).await.ok();
                s.require_fresh(FIVE).await.unwrap_err()
            })
            .await
            .ok();
        assert!(matches!(error, SessionError::Gone), "{}", under.name);
    }
}

#[tokio::test]
async fn a_sign_in_is_fresh_for_as_long_as_is_asked_and_no_longer() {
    for under in all().await {
        let mut tab = Tab::new(&SessionLayer::new(under.store.clone()));
        const FIVE: Duration = Duration::from_secs(300);
        let is_fresh =
            async |tab: &Tab| tab.ask(|s: Handle| async move { s.is_fresh(FIVE) }).await.ok();
        assert!(!is_fresh(&tab).await, "{}: nobody", under.name);
        tab.run(|mut s: Handle| async move { s.set_note("here") }).await.ok();
        assert!(!is_fresh(&tab).await, "{}: a visitor", under.name);
        sign_in(&mut tab, 7).await;
        under.clock.advance(FIVE);
        assert!(is_fresh(&tab).await, "{}", under.name);
        under.clock.advance(Duration::from_millis(1));
        assert!(!is_fresh(&tab).await, "{}: it is older", under.name);
        tab.run(|mut s: Handle| async move { s.reauthenticated() }).await.ok();
        assert!(is_fresh(&tab).await, "{}: proved again", under.name);
        tab.run(|mut s: Handle| async move { s.clear_user() }).await.ok();
        assert!(!is_fresh(&tab).await, "{}: signed out", under.name);
    }
}

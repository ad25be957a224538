//! Users who act as others, as support staff do.

mod beside;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use http::StatusCode;
use session_runtime::schema::{MigrateError, Migration};
use session_runtime::store::CachedStore;
use session_runtime::{
    AtLimit, Authenticated, EndReason, Fresh, OnReplay, SecurityEvent, SecurityEventKind, Session,
    SessionError, SessionId, SessionLayer, SessionSchema,
};
use session_tests::stores::{Under, all, memory};
use session_tests::{Client, Tab};

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user: Option<u64>,
    #[session(renew)]
    role: String,
    #[session(carry_over)]
    locale: String,
    cart: Vec<String>,
}

type Handle = Session<Visitor>;

const MINUTE: Duration = Duration::from_secs(60);
const CUSTOMER: u64 = 42;
const SUPPORT: u64 = 7;

fn layer(under: &Under) -> SessionLayer {
    SessionLayer::new(under.store.clone()).schema::<Visitor>()
}

async fn signed_in(layer: &SessionLayer, user: u64) -> Tab {
    let mut tab = Tab::new(layer);
    let login = move |mut s: Handle| async move {
        s.set_user(user);
        s.set_role(if user == SUPPORT { "support" } else { "customer" });
        s.set_locale("de");
        s.cart_mut().push(user.to_string());
    };
    tab.run(login).await.ok();
    tab
}

/// A member of the support team who acts as the customer.
async fn acting(layer: &SessionLayer) -> Tab {
    let mut tab = signed_in(layer, SUPPORT).await;
    act(&mut tab, CUSTOMER).await;
    tab
}

async fn act(tab: &mut Tab, user: u64) {
    tab.run_as(move |mut who: Authenticated<Visitor>| async move { who.act_as(user) }).await.ok();
}

async fn stop(tab: &mut Tab) -> Result<bool, SessionError> {
    let stop = |mut s: Handle| async move {
        let stopped = s.stop_acting().await;
        assert!(stopped.is_err() || s.actor().is_none());
        stopped
    };
    tab.run(stop).await.ok()
}

/// Who the session belongs to, and who acts in it.
async fn users(tab: &Tab) -> (Option<u64>, Option<u64>) {
    tab.ask(|s: Handle| async move { (s.user(), s.actor()) }).await.ok()
}

const NONE: (Option<u64>, Option<u64>) = (None, None);
const BOTH: (Option<u64>, Option<u64>) = (Some(CUSTOMER), Some(SUPPORT));

async fn id(tab: &Tab) -> SessionId {
    tab.ask(|s: Handle| async move { *s.id().unwrap() }).await.ok()
}

#[tokio::test]
async fn who_acts_is_the_other_user_with_nothing_of_their_own_and_returns_to_their_session() {
    for under in all().await {
        let layer = layer(&under);
        let mut tab = signed_in(&layer, SUPPORT).await;
        let (own, before) = (id(&tab).await, tab.clone());
        act(&mut tab, CUSTOMER).await;
        assert_eq!(users(&tab).await, BOTH, "{}", under.name);
        let seen =
            |s: Handle| async move { (s.role().to_owned(), s.locale().to_owned(), s.cart().len()) };
        let nothing = (String::new(), "de".to_owned(), 0);
        assert_eq!(tab.ask(seen).await.ok(), nothing, "{}", under.name);
        // The session that it began in is as it was.
        assert_eq!(users(&before).await, (Some(SUPPORT), None), "{}", under.name);
        assert!(stop(&mut tab).await.unwrap(), "{}", under.name);
        assert_eq!(users(&tab).await, (Some(SUPPORT), None), "{}", under.name);
        assert_eq!((id(&tab).await, tab.ask(seen).await.ok().2), (own, 1));
        assert_ne!(tab.cookie, before.cookie, "{}: another token", under.name);
        assert!(!stop(&mut tab).await.unwrap(), "{}", under.name);
        assert_eq!(layer.manager().count().await.unwrap(), 1, "{}", under.name);
        // At once again.
        act(&mut tab, CUSTOMER).await;
        assert_eq!(users(&tab).await, BOTH, "{}", under.name);
    }
}

#[tokio::test]
async fn the_customer_loses_no_device() {
    for under in all().await {
        for at_limit in [AtLimit::EvictOldest, AtLimit::Reject] {
            let layer = layer(&under).max_sessions(1, at_limit);
            layer.manager_for::<Visitor>().unwrap().revoke_all(&CUSTOMER).await.unwrap();
            let mut support = acting(&layer).await;
            let first = signed_in(&layer, CUSTOMER).await;
            assert_eq!(users(&first).await, (Some(CUSTOMER), None), "{}", under.name);
            assert_eq!(users(&support).await, BOTH, "{}", under.name);
            assert!(stop(&mut support).await.unwrap());
            act(&mut support, CUSTOMER).await;
            assert_eq!(users(&support).await, BOTH, "{}", under.name);
            assert_eq!(users(&first).await, (Some(CUSTOMER), None), "{}", under.name);
            layer.manager_for::<Visitor>().unwrap().revoke_all(&SUPPORT).await.unwrap();
        }
    }
}

#[tokio::test]
async fn who_acts_has_not_authenticated_as_the_customer() {
    for under in all().await {
        let mut tab = acting(&layer(&under)).await;
        for _ in 0..2 {
            let fresh = |s: Handle| async move {
                (s.authenticated_at(), s.require_fresh(60 * MINUTE).await.is_ok())
            };
            assert_eq!(tab.ask(fresh).await.ok(), (None, false), "{}", under.name);
            let at_level =
                |who: Authenticated<Visitor>| async move { who.at_level::<Fresh<3600>>().is_ok() };
            assert!(!tab.run_as(at_level).await.ok(), "{}", under.name);
            tab.run(|mut s: Handle| async move { s.reauthenticated() }).await.ok();
        }
        assert_eq!(users(&tab).await, BOTH, "{}", under.name);
    }
}

#[tokio::test]
async fn it_ends_with_the_sessions_of_either() {
    for under in all().await {
        let layer = layer(&under);
        let sessions = layer.manager_for::<Visitor>().unwrap();
        let support = acting(&layer).await;
        assert_eq!(sessions.revoke_all(&CUSTOMER).await.unwrap(), 1, "{}", under.name);
        assert_eq!(users(&support).await, NONE, "{}", under.name);
        assert_eq!(sessions.revoke_all(&SUPPORT).await.unwrap(), 1, "{}", under.name);

        let support = acting(&layer).await;
        assert_eq!(sessions.revoke_all(&SUPPORT).await.unwrap(), 1, "{}", under.name);
        let because = |s: Handle| async move { (s.user(), s.ended_because()) };
        let over = (None, Some(EndReason::OtherDevice));
        assert_eq!(support.ask(because).await.ok(), over, "{}", under.name);
        assert_eq!(sessions.count().await.unwrap(), 0, "{}: not only unseen", under.name);

        // Other privileges are another decision about what may be done.
        let support = acting(&layer).await;
        sessions.update(&SUPPORT, |s| s.set_role("none")).await.unwrap();
        assert_eq!(users(&support).await, NONE, "{}", under.name);
        sessions.revoke_all(&SUPPORT).await.unwrap();

        // A sign-out there ends both.
        let mut support = acting(&layer).await;
        support.run(|mut s: Handle| async move { s.destroy() }).await.ok();
        assert_eq!(sessions.count().await.unwrap(), 0, "{}", under.name);
    }
}

#[tokio::test]
async fn to_act_is_activity_of_the_one_who_acts() {
    for under in all().await {
        let layer = layer(&under).idle_timeout(30 * MINUTE);
        let mut support = acting(&layer).await;
        for _ in 0..3 {
            under.clock.advance(20 * MINUTE);
            assert_eq!(users(&support).await, BOTH, "{}", under.name);
        }
        assert!(stop(&mut support).await.unwrap(), "{}", under.name);
        under.clock.advance(30 * MINUTE);
        assert_eq!(users(&support).await, NONE, "{}", under.name);
    }
}

#[tokio::test]
async fn listings_and_events_name_both() {
    for under in all().await {
        let seen: Arc<Mutex<Vec<SecurityEvent>>> = Arc::default();
        let note = Arc::clone(&seen);
        let layer = layer(&under).on_event(move |event| note.lock().unwrap().push(*event));
        let sessions = layer.manager_for::<Visitor>().unwrap();
        let _customer = signed_in(&layer, CUSTOMER).await;
        let support = acting(&layer).await;
        let listed = sessions.sessions_of(&CUSTOMER).await.unwrap();
        let mut actors: Vec<_> = listed.iter().map(|info| info.actor::<Visitor>()).collect();
        actors.sort_unstable();
        assert_eq!(actors, [None, Some(SUPPORT)], "{}", under.name);
        let own = sessions.sessions_of(&SUPPORT).await.unwrap();
        assert_eq!(own.len(), 1, "{}", under.name);
        assert_eq!(own[0].actor::<Visitor>(), None);

        let events = std::mem::take(&mut *seen.lock().unwrap());
        let of = |kind| events.iter().filter(move |it| it.kind == kind).collect::<Vec<_>>();
        let signed_in = of(SecurityEventKind::SignedIn);
        assert_eq!(signed_in.len(), 2, "{}: no third one", under.name);
        let acted = of(SecurityEventKind::ActedAs);
        assert_eq!(acted.len(), 1, "{}", under.name);
        assert_eq!(acted[0].session, Some(id(&support).await));
        assert_eq!(acted[0].principal, signed_in[0].principal);
        assert_eq!(acted[0].actor, signed_in[1].principal);
        assert_eq!(sessions.metrics().acted_as, 1);

        // One of them can be ended by its id, and changed with the others.
        let changed = sessions.update(&CUSTOMER, |s| s.set_role("gold")).await.unwrap();
        assert_eq!(changed.len(), 2, "{}", under.name);
        assert!(sessions.revoke(&CUSTOMER, id(&support).await).await.unwrap());
        assert_eq!(sessions.sessions_of(&CUSTOMER).await.unwrap().len(), 1, "{}", under.name);
    }
}

#[tokio::test]
async fn from_one_customer_to_the_next_the_actor_stays() {
    for under in all().await {
        let layer = layer(&under);
        let mut support = acting(&layer).await;
        support.run(|mut s: Handle| async move { s.cart_mut().push("pen".into()) }).await.ok();
        act(&mut support, 43).await;
        assert_eq!(users(&support).await, (Some(43), Some(SUPPORT)), "{}", under.name);
        let cart = support.ask(|s: Handle| async move { s.cart().len() }).await.ok();
        assert_eq!(cart, 0, "{}", under.name);
        assert_eq!(layer.manager().count().await.unwrap(), 2, "{}", under.name);
        act(&mut support, 43).await; // clicked twice
        assert_eq!(users(&support).await, (Some(43), Some(SUPPORT)), "{}", under.name);
        assert!(stop(&mut support).await.unwrap());
        assert_eq!(users(&support).await, (Some(SUPPORT), None), "{}", under.name);
    }
}

#[tokio::test]
async fn a_sign_in_ends_the_acting_and_is_one() {
    for under in all().await {
        let layer = layer(&under);
        for user in [CUSTOMER, 50] {
            let mut tab = acting(&layer).await;
            let login = move |mut s: Handle| async move { s.set_user(user) };
            tab.run(login).await.ok();
            let seen = |s: Handle| async move { (s.user(), s.actor(), s.is_fresh(MINUTE)) };
            assert_eq!(tab.ask(seen).await.ok(), (Some(user), None, true), "{}", under.name);
        }
        // Also in the request that was to act.
        let mut tab = signed_in(&layer, SUPPORT).await;
        let both = |mut who: Authenticated<Visitor>| async move {
            who.act_as(CUSTOMER);
            who.publish();
            who.set_user(50);
        };
        tab.run_as(both).await.ok();
        assert_eq!(users(&tab).await, (Some(50), None), "{}", under.name);
        // Signed out there, no user acts.
        let mut tab = acting(&layer).await;
        tab.run(|mut s: Handle| async move { s.clear_user() }).await.ok();
        assert_eq!(users(&tab).await, NONE, "{}", under.name);
    }
}

#[tokio::test]
async fn only_a_signed_in_user_acts() {
    let under = memory();
    let layer = layer(&under);
    let support = signed_in(&layer, SUPPORT).await;
    // Signed out, or ended, before the commit.
    let out = |mut who: Authenticated<Visitor>| async move {
        who.clear_user();
        who.save().await.unwrap();
        who.act_as(CUSTOMER);
        who.save().await
    };
    let mut tab = support.clone();
    let refused = tab.run_as(out).await.ok();
    assert!(matches!(refused, Err(SessionError::Gone)), "{refused:?}");
    assert_eq!(users(&tab).await, NONE);

    let ended = |mut who: Authenticated<Visitor>| async move {
        who.destroy();
        who.act_as(CUSTOMER);
        who.save().await
    };
    let mut tab = signed_in(&layer, SUPPORT).await;
    let refused = tab.run_as(ended).await.ok();
    assert!(matches!(refused, Err(SessionError::Gone)), "{refused:?}");

    let mut tab = signed_in(&layer, SUPPORT).await;
    let sessions = layer.manager_for::<Visitor>().unwrap();
    let revoked = sessions.clone();
    let late = move |mut who: Authenticated<Visitor>| async move {
        revoked.revoke_all(&SUPPORT).await.unwrap();
        who.act_as(CUSTOMER);
    };
    tab.run_as(late).await.ok();
    assert_eq!(users(&tab).await, NONE, "its own session is over");
}

#[derive(SessionSchema)]
#[session(version = 2, migrate = rename)]
struct Renamed {
    #[session(principal)]
    account: Option<u64>,
    visits: u64,
}

fn rename(old: &mut Migration<'_>) -> Result<(), MigrateError> {
    if let Some(user) = old.get::<u64>("user")? {
        old.set("account", &user)?;
        old.remove("user");
    }
    Ok(())
}

/// Otherwise a deploy would make a session of acting one of the customer's own.
#[tokio::test]
async fn a_principal_that_is_renamed_is_still_acted_as() {
    for under in all().await {
        let mut support = acting(&layer(&under)).await;
        let renamed = SessionLayer::new(under.store.clone()).schema::<Renamed>();
        support = support.by(&renamed);
        let seen = |s: Session<Renamed>| async move { (s.account(), s.actor()) };
        for _ in 0..2 {
            assert_eq!(support.ask(seen).await.ok(), BOTH, "{}", under.name);
            support.run(|mut s: Session<Renamed>| async move { s.set_visits(1) }).await.ok();
        }
        let sessions = renamed.manager_for::<Renamed>().unwrap();
        let listed = sessions.sessions_of(&CUSTOMER).await.unwrap();
        assert_eq!(listed[0].actor::<Renamed>(), Some(SUPPORT), "{}", under.name);
    }
}

#[tokio::test]
async fn who_acts_is_told_from_the_call_on() {
    let under = memory();
    let mut tab = signed_in(&layer(&under), SUPPORT).await;
    let act = |mut who: Authenticated<Visitor>| async move {
        who.act_as(CUSTOMER);
        let before = who.actor();
        who.publish();
        (before, who.actor(), who.is_fresh(MINUTE))
    };
    assert_eq!(tab.run_as(act).await.ok(), (Some(SUPPORT), Some(SUPPORT), false));
}

#[tokio::test]
async fn after_a_sign_out_no_user_acts() {
    for under in all().await {
        let mut tab = acting(&layer(&under)).await;
        let again = |mut who: Authenticated<Visitor>| async move {
            who.clear_user();
            who.save().await.unwrap();
            who.reauthenticated();
            who.save().await.unwrap();
            who.act_as(CUSTOMER);
            who.save().await
        };
        let refused = tab.run_as(again).await.value.unwrap();
        assert!(matches!(refused, Err(SessionError::Gone)), "{}: {refused:?}", under.name);
        assert_eq!(users(&tab).await, NONE, "{}", under.name);
    }
}

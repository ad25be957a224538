//! Sessions that belong to one elsewhere, such as that of an identity provider.

use std::time::Duration;

use session_runtime::{
    AtLimit, EndReason, Session, SessionError, SessionId, SessionLayer, SessionSchema,
};
use session_tests::Tab;
use session_tests::stores::{Under, all, memory};

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user: Option<u64>,
    #[session(renew)]
    role: String,
    cart: Vec<String>,
}

type Handle = Session<Visitor>;

fn layer(under: &Under) -> SessionLayer {
    SessionLayer::new(under.store.clone()).schema::<Visitor>()
}

async fn sign_in(tab: &mut Tab, user: u64, sid: &'static str) -> Result<(), SessionError> {
    let login = move |mut s: Handle| async move {
        s.set_external_id(sid);
        s.set_user(user);
        s.save().await
    };
    tab.run(login).await.ok()
}

async fn signed_in(layer: &SessionLayer, user: u64, sid: &'static str) -> Tab {
    let mut tab = Tab::new(layer);
    sign_in(&mut tab, user, sid).await.unwrap();
    tab
}

async fn user(tab: &Tab) -> Option<u64> {
    tab.ask(|s: Handle| async move { s.user() }).await.ok()
}

async fn id(tab: &Tab) -> Option<SessionId> {
    tab.ask(|s: Handle| async move { s.id().copied() }).await.ok()
}

#[tokio::test]
async fn a_logout_elsewhere_ends_its_sessions_and_no_others() {
    for under in all().await {
        let layer = layer(&under);
        let sessions = layer.manager();
        let other = signed_in(&layer, 7, "b").await;
        let (one, two) = (signed_in(&layer, 7, "a").await, signed_in(&layer, 7, "a").await);
        assert_ne!(id(&one).await, id(&two).await, "{}", under.name);
        assert_eq!(sessions.revoke_external("").await.unwrap(), 0);
        assert_eq!(sessions.revoke_external("a").await.unwrap(), 2, "{}", under.name);
        for ended in [&one, &two] {
            assert_eq!(user(ended).await, None, "{}", under.name);
            let because = |s: Handle| async move { s.ended_because() };
            assert_eq!(ended.ask(because).await.ok(), Some(EndReason::OtherDevice));
        }
        assert_eq!(user(&other).await, Some(7), "{}", under.name);
        assert_eq!(sessions.revoke_external("a").await.unwrap(), 0);
        assert_eq!(sessions.metrics().revoked, 2);
    }
}

#[tokio::test]
async fn a_session_belongs_to_the_last_sign_in_alone() {
    for under in all().await {
        let layer = layer(&under);
        let sessions = layer.manager();
        let mut tab = Tab::new(&layer);
        tab.run(|mut s: Handle| async move { s.cart_mut().push("pen".to_owned()) }).await.ok();
        let before = id(&tab).await;
        sign_in(&mut tab, 7, "a").await.unwrap();
        let seen = |s: Handle| async move { (s.id().copied(), s.cart().len()) };
        assert_eq!(tab.ask(seen).await.ok(), (before, 1), "{}: as any sign-in", under.name);
        // The same again, then another one, then none.
        sign_in(&mut tab, 7, "a").await.unwrap();
        sign_in(&mut tab, 7, "b").await.unwrap();
        assert_eq!(sessions.revoke_external("a").await.unwrap(), 0, "{}", under.name);
        assert_eq!(user(&tab).await, Some(7), "{}", under.name);
        tab.run(|mut s: Handle| async move { s.set_user(7) }).await.ok();
        assert_eq!(sessions.revoke_external("b").await.unwrap(), 0, "{}", under.name);
        assert_eq!(user(&tab).await, Some(7), "{}", under.name);
        sign_in(&mut tab, 7, "b").await.unwrap();
        assert_eq!(sessions.revoke_external("b").await.unwrap(), 1, "{}", under.name);
        assert_eq!(user(&tab).await, None, "{}", under.name);
    }
}

#[tokio::test]
async fn another_user_and_a_sign_in_that_is_sent_twice_are_as_always() {
    for under in all().await {
        let layer = layer(&under);
        let mut tab = signed_in(&layer, 7, "a").await;
        let mut twice = tab.clone();
        sign_in(&mut tab, 8, "c").await.unwrap();
        sign_in(&mut twice, 8, "c").await.unwrap();
        assert_eq!(id(&tab).await, id(&twice).await, "{}", under.name);
        assert_eq!(layer.manager().revoke_external("a").await.unwrap(), 0, "{}", under.name);
        assert_eq!(user(&tab).await, Some(8), "{}", under.name);
        assert_eq!(layer.manager().revoke_external("c").await.unwrap(), 1, "{}", under.name);
        assert_eq!((user(&tab).await, user(&twice).await), (None, None));
    }
}

/// The note of where it is found must not expire before the session.
#[tokio::test]
async fn a_session_is_found_for_as_long_as_it_lives() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    for under in all().await {
        // Remembered in a later request.
        let mut tab = signed_in(&layer(&under), 7, "a").await;
        tab.run(|mut s: Handle| async move { s.remember(100 * DAY) }).await.ok();
        // From the last visit.
        let rolling = layer(&under).rolling(30 * DAY);
        let visits = signed_in(&rolling, 7, "b").await;
        // From the last proof.
        let mut proves = signed_in(&layer(&under).idle_timeout(None), 7, "c").await;
        under.clock.advance(DAY / 3);
        proves.run(|mut s: Handle| async move { s.reauthenticated() }).await.ok();
        under.clock.advance(DAY / 3);
        assert_eq!(
            layer(&under).manager().revoke_external("c").await.unwrap(),
            1,
            "{}",
            under.name
        );
        under.clock.advance(20 * DAY);
        assert_eq!(user(&visits).await, Some(7), "{}", under.name);
        under.clock.advance(20 * DAY);
        assert_eq!((user(&visits).await, user(&tab).await), (Some(7), Some(7)));
        let sessions = layer(&under).manager();
        assert_eq!(sessions.revoke_external("a").await.unwrap(), 1, "{}", under.name);
        assert_eq!(sessions.revoke_external("b").await.unwrap(), 1, "{}", under.name);
    }
}

#[tokio::test]
async fn only_an_authentication_has_an_external_id_and_only_in_its_realm() {
    let under = memory();
    let layer = layer(&under);
    let mut tab = Tab::new(&layer);
    let visit = |mut s: Handle| async move {
        s.set_external_id("a");
        s.cart_mut().push("pen".to_owned());
    };
    tab.run(visit).await.ok();
    assert_eq!(layer.manager().revoke_external("a").await.unwrap(), 0);
    sign_in(&mut tab, 7, "").await.unwrap();
    assert_eq!(layer.manager().revoke_external("").await.unwrap(), 0, "as of a missing claim");
    let prove = |mut s: Handle| async move {
        s.set_external_id("a");
        s.reauthenticated();
    };
    tab.run(prove).await.ok();
    let other = SessionLayer::new(under.store.clone()).realm("other").schema::<Visitor>();
    assert_eq!(other.manager().revoke_external("a").await.unwrap(), 0);
    assert_eq!(layer.manager().revoke_external("a").await.unwrap(), 1);
}

#[derive(SessionSchema)]
struct Anonymous {
    steps: u32,
}

#[tokio::test]
async fn a_session_without_a_principal_is_found_too() {
    for under in all().await {
        let layer = SessionLayer::new(under.store.clone()).schema::<Anonymous>();
        let mut tab = Tab::new(&layer);
        tab.run(|mut s: Session<Anonymous>| async move { s.set_steps(1) }).await.ok();
        let prove = |mut s: Session<Anonymous>| async move {
            s.set_external_id("a");
            s.reauthenticated();
        };
        tab.run(prove).await.ok();
        assert_eq!(layer.manager().revoke_external("a").await.unwrap(), 1, "{}", under.name);
        let steps = tab.ask(|s: Session<Anonymous>| async move { s.steps() }).await.ok();
        assert_eq!(steps, 0, "{}", under.name);
    }
}

#[tokio::test]
async fn a_cap_counts_only_sessions_and_a_refused_sign_in_changes_nothing() {
    for under in all().await {
        let limited = || layer(&under).max_sessions(1, AtLimit::Reject);
        let mut first = signed_in(&limited(), 7, "a").await;
        sign_in(&mut first, 7, "b").await.unwrap();
        let mut tab = Tab::new(&limited());
        tab.run(|mut s: Handle| async move { s.cart_mut().push("pen".to_owned()) }).await.ok();
        let before = id(&tab).await;
        let refused = sign_in(&mut tab, 7, "c").await;
        assert!(matches!(refused, Err(SessionError::SignInDenied(_))), "{}", under.name);
        assert_eq!(id(&tab).await, before, "{}", under.name);
        assert_eq!(limited().manager().revoke_external("c").await.unwrap(), 0, "{}", under.name);
        assert_eq!(user(&first).await, Some(7), "{}", under.name);
        let typed = limited().manager_for::<Visitor>().unwrap();
        assert_eq!(typed.sessions_of(&7).await.unwrap().len(), 1, "{}", under.name);
    }
}

/// What a job takes while a sign-in is under way stays taken.
#[tokio::test]
async fn a_sign_in_under_way_goes_on_with_what_is_stored() {
    for under in all().await {
        let layer = layer(&under);
        let mut tab = signed_in(&layer, 7, "a").await;
        tab.run(|mut s: Handle| async move { s.set_role("admin") }).await.ok();
        let sessions = layer.manager_for::<Visitor>().unwrap();
        let login = move |mut s: Handle| async move {
            sessions.update(&7, |s| s.set_role("none")).await.unwrap();
            s.set_external_id("b");
            s.set_user(7);
            s.save().await.unwrap();
            s.role().to_owned()
        };
        assert_eq!(tab.run(login).await.ok(), "none", "{}", under.name);
    }
}

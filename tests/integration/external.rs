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
    #[session(clear_on_login)]
    state: Option<String>,
    cart: Vec<String>,
}

type Handle = Session<Visitor>;

const MINUTE: Duration = Duration::from_secs(60);

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
async fn a_sign_in_takes_what_the_visitor_has_gathered_along_under_its_own_id() {
    for under in all().await {
        let layer = layer(&under);
        let mut tab = Tab::new(&layer);
        let gather = |mut s: Handle| async move {
            s.cart_mut().push("pen".to_owned());
            s.set_state("planted");
        };
        tab.run(gather).await.ok();
        let (before, late) = (id(&tab).await, tab.clone());
        sign_in(&mut tab, 7, "a").await.unwrap();
        assert_ne!(id(&tab).await, before, "{}", under.name);
        let seen = |s: Handle| async move { (s.user(), s.cart().to_vec(), s.state().is_none()) };
        assert_eq!(tab.ask(seen).await.ok(), (Some(7), vec!["pen".to_owned()], true));
        // A request that was on its way undoes nothing.
        let push = late.ask(|mut s: Handle| async move { s.cart_mut().push("ink".into()) }).await;
        assert_eq!(push.headers.get("set-cookie"), None, "{}", under.name);
        assert_eq!(layer.manager().count().await.unwrap(), 1, "{}", under.name);
        // Again, with the same session elsewhere: another token for the same session.
        let (first, token) = (id(&tab).await, tab.cookie.clone());
        sign_in(&mut tab, 7, "a").await.unwrap();
        assert_eq!(id(&tab).await, first, "{}", under.name);
        assert_ne!(tab.cookie, token, "{}", under.name);
        // With another one: that of the first ends.
        sign_in(&mut tab, 7, "b").await.unwrap();
        assert_eq!(layer.manager().revoke_external("a").await.unwrap(), 0, "{}", under.name);
        assert_eq!(user(&tab).await, Some(7), "{}", under.name);
        assert_eq!(layer.manager().revoke_external("b").await.unwrap(), 1, "{}", under.name);
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
        assert_eq!(layer.manager().count().await.unwrap(), 1, "{}", under.name);
        assert_eq!(layer.manager().revoke_external("a").await.unwrap(), 0, "{}", under.name);
        assert_eq!(layer.manager().revoke_external("c").await.unwrap(), 1, "{}", under.name);
        assert_eq!((user(&tab).await, user(&twice).await), (None, None));
    }
}

#[tokio::test]
async fn a_session_elsewhere_may_have_several_one_after_the_other_and_at_once() {
    for under in all().await {
        let layer = layer(&under);
        let mut tab = Tab::new(&layer);
        // As quickly as one can, so that those before are still remembered.
        for _ in 0..8 {
            sign_in(&mut tab, 7, "a").await.unwrap();
            tab.run(|mut s: Handle| async move { s.destroy() }).await.ok();
        }
        let refused = sign_in(&mut tab, 7, "a").await;
        assert!(matches!(refused, Err(SessionError::Conflict { field: None })), "{refused:?}");
        assert_eq!(user(&tab).await, None, "{}: not without its logout", under.name);
        under.clock.advance(2 * MINUTE);
        sign_in(&mut tab, 7, "a").await.unwrap();
        assert_eq!(layer.manager().revoke_external("a").await.unwrap(), 1, "{}", under.name);
    }
}

#[tokio::test]
async fn only_a_sign_in_has_an_id_of_its_own_and_only_in_its_realm() {
    let under = memory();
    let layer = layer(&under);
    let mut tab = Tab::new(&layer);
    let visit = |mut s: Handle| async move {
        s.set_external_id("a");
        s.cart_mut().push("pen".to_owned());
    };
    tab.run(visit).await.ok();
    assert_eq!(layer.manager().revoke_external("a").await.unwrap(), 0);
    sign_in(&mut tab, 7, "a").await.unwrap();
    let other = SessionLayer::new(under.store.clone()).realm("other").schema::<Visitor>();
    assert_eq!(other.manager().revoke_external("a").await.unwrap(), 0);
    assert_eq!(layer.manager().revoke_external("a").await.unwrap(), 1);
}

#[tokio::test]
async fn a_refused_sign_in_leaves_the_session_as_it_was() {
    for under in all().await {
        let limited = || layer(&under).max_sessions(1, AtLimit::Reject);
        let _first = signed_in(&limited(), 7, "a").await;
        let mut tab = Tab::new(&limited());
        tab.run(|mut s: Handle| async move { s.cart_mut().push("pen".to_owned()) }).await.ok();
        let before = id(&tab).await;
        let refused = sign_in(&mut tab, 7, "b").await;
        assert!(matches!(refused, Err(SessionError::SignInDenied(_))), "{}", under.name);
        assert_eq!(id(&tab).await, before, "{}", under.name);
        assert_eq!(limited().manager().revoke_external("b").await.unwrap(), 0, "{}", under.name);
    }
}

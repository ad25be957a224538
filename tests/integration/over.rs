//! Cookies that open nothing, and what follows from them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderName, StatusCode, header};
use session_runtime::{
    AtLimit, CookieConfig, OnReplay, SameSite, SecurityEvent, SecurityEventKind, Session,
    SessionLayer, SessionSchema,
};
use session_tests::Tab;
use session_tests::promises::over;
use session_tests::stores::{Under, all, memory};
use session_tests::traced::Traced;

macro_rules! on_every_store {
    ($($promise:ident;)*) => {
        $(#[tokio::test]
        async fn $promise() {
            for under in all().await {
                over::$promise(&under.store).await;
            }
        })*
    };
}

on_every_store! {
    who_was_signed_out_elsewhere_starts_afresh_at_once;
    requests_with_one_dead_cookie_share_one_session;
    a_proof_is_no_session_to_share;
    a_slow_answer_does_not_undo_the_next_sign_in;
    a_late_request_of_a_browser_that_signed_out_stores_nothing;
    a_login_that_is_sent_twice_is_one_session;
    a_change_of_user_that_is_sent_twice_is_one_session;
    a_login_that_is_sent_twice_keeps_what_its_user_changed_in_place;
    a_planted_cookie_joins_no_sign_in;
    a_repeated_sign_in_inherits_no_later_privilege;
    a_cookie_that_was_withheld_is_not_replaced;
    of_two_live_cookies_none_counts_and_both_can_be_ended;
    a_sign_in_whose_answer_is_lost_is_not_counted;
}

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user: Option<u64>,
    cart: Vec<String>,
}

type S = Session<Visitor>;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

async fn sign_in(tab: &mut Tab, user: u64) {
    tab.run(move |mut s: S| async move { s.set_user(user) }).await.ok();
}

async fn fill(tab: &mut Tab) {
    tab.run(|mut s: S| async move { s.cart_mut().push("pen".into()) }).await.ok();
}

async fn user(tab: &Tab) -> Option<u64> {
    tab.ask(|s: S| async move { s.user() }).await.ok()
}

async fn look(tab: &mut Tab) {
    tab.run(|_: S| async {}).await.ok();
}

/// A layer that renews tokens, and a tab whose token was renewed long ago, of which a
/// copy was made before: the thief's, or the victim's.
async fn copied(under: &Under, layer: &SessionLayer, user: Option<u64>) -> (Tab, Tab) {
    let mut tab = Tab::new(layer);
    match user {
        Some(user) => sign_in(&mut tab, user).await,
        None => fill(&mut tab).await,
    }
    let copy = tab.clone();
    under.clock.advance(HOUR / 4);
    look(&mut tab).await;
    assert_ne!(tab.cookie, copy.cookie, "a renewed token");
    look(&mut tab).await;
    under.clock.advance(MINUTE);
    (tab, copy)
}

#[tokio::test]
async fn a_replayed_token_ends_the_session_of_whoever_is_signed_in() {
    for under in all().await {
        let layer = SessionLayer::new(under.store.clone()).renew_after(Some(HOUR / 4));
        let (present, mut replayed) = copied(&under, &layer, Some(1)).await;
        let mut other = Tab::new(&layer);
        sign_in(&mut other, 1).await;
        look(&mut replayed).await;
        assert_eq!(replayed.cookie, None, "the browser of the replayed one is freed");
        assert_eq!(user(&present).await, None, "nobody knows which one was stolen");
        assert_eq!(user(&other).await, Some(1), "another device of that user");
        sign_in(&mut replayed, 1).await;
        assert_eq!(user(&replayed).await, Some(1));
        assert_eq!(layer.manager().metrics().replayed, 1);
    }
}

#[tokio::test]
async fn a_replayed_token_may_end_all_sessions_of_that_user() {
    for under in all().await {
        let layer = SessionLayer::new(under.store.clone())
            .renew_after(Some(HOUR / 4))
            .on_replay(OnReplay::EndAllOfPrincipal)
            .schema::<Visitor>();
        let (_, mut replayed) = copied(&under, &layer, Some(1)).await;
        let (mut same, mut stranger) = (Tab::new(&layer), Tab::new(&layer));
        sign_in(&mut same, 1).await;
        sign_in(&mut stranger, 2).await;
        look(&mut replayed).await;
        for _ in 0..1_000 {
            if layer.manager().sessions_of(&1_u64).await.unwrap().is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(user(&same).await, None);
        assert_eq!(user(&stranger).await, Some(2));
    }
}

#[tokio::test]
async fn a_replayed_token_is_only_reported_where_that_is_asked_for_and_of_nobody() {
    for under in all().await {
        for (who, reaction) in [(Some(1), OnReplay::Report), (None, OnReplay::EndAllOfPrincipal)] {
            let layer = SessionLayer::new(under.store.clone())
                .renew_after(Some(HOUR / 4))
                .on_replay(reaction);
            let (present, mut replayed) = copied(&under, &layer, who).await;
            let before = replayed.cookie.clone();
            look(&mut replayed).await;
            assert_eq!(replayed.cookie, before, "nothing to be freed from");
            assert_eq!(user(&present).await, who);
            let seen = present.ask(|s: S| async move { s.is_new() }).await.ok();
            assert!(!seen, "it is where it was");
            // Whoever presents it starts afresh, and learns nothing.
            let seen = replayed.run(|mut s: S| async move {
                let seen = (s.user(), s.cart().len());
                s.cart_mut().push("pencil".into());
                seen
            });
            assert_eq!(seen.await.ok(), (None, 0));
            assert_ne!(replayed.cookie, before);
        }
    }
}

/// A changed path or domain leaves a browser with two cookies of one session.
#[tokio::test]
async fn of_two_tokens_of_one_session_the_newest_counts_and_none_is_a_theft() {
    for under in all().await {
        let layer = SessionLayer::new(under.store.clone()).renew_after(Some(HOUR / 4));
        let (present, replayed) = copied(&under, &layer, Some(1)).await;
        for tab in [
            present.beside(replayed.cookie.as_deref().unwrap()),
            replayed.beside(present.cookie.as_deref().unwrap()),
        ] {
            assert_eq!(user(&tab).await, Some(1));
        }
        assert_eq!(layer.manager().metrics().replayed, 0);
        // The next one is renewed from the newest, too.
        under.clock.advance(HOUR / 4);
        let mut both = replayed.beside(present.cookie.as_deref().unwrap());
        look(&mut both).await;
        let mut next = present.holding(both.cookie);
        look(&mut next).await;
        assert_eq!(user(&next).await, Some(1));
    }
}

#[tokio::test]
async fn two_live_cookies_keep_neither_session_alive() {
    for under in all().await {
        let layer = SessionLayer::new(under.store.clone()).idle_timeout(Some(HOUR));
        let (mut one, mut two) = (Tab::new(&layer), Tab::new(&layer));
        sign_in(&mut one, 1).await;
        fill(&mut two).await;
        let both = one.beside(two.cookie.as_deref().unwrap());
        for _ in 0..4 {
            under.clock.advance(HOUR / 4);
            assert_eq!(user(&both).await, None);
        }
        assert_eq!(user(&one).await, None, "an hour without a request of its own");
        // One of two that is over does not keep the other one from being active.
        fill(&mut two).await;
        let both = one.beside(two.cookie.as_deref().unwrap());
        for _ in 0..8 {
            under.clock.advance(HOUR / 4);
            assert_eq!(both.ask(|s: S| async move { s.cart().len() }).await.ok(), 1);
        }
    }
}

#[tokio::test]
async fn more_than_ten_seconds_apart_are_two_logins() {
    for under in all().await {
        for (seconds, sessions) in [(9, 1), (10, 2)] {
            let layer = SessionLayer::new(under.store.clone()).schema::<Visitor>();
            let who = 10 + seconds;
            let mut tab = Tab::new(&layer);
            fill(&mut tab).await;
            let mut again = tab.clone();
            sign_in(&mut tab, who).await;
            under.clock.advance(Duration::from_secs(seconds));
            sign_in(&mut again, who).await;
            assert_eq!(user(&again).await, Some(who));
            assert_eq!(user(&tab).await, Some(who), "the first one is left alone");
            let all = layer.manager().sessions_of(&who).await.unwrap();
            assert_eq!(all.len(), sessions, "{seconds} seconds apart");
        }
    }
}

/// With `Strict` a link from elsewhere comes without the cookie. A marker tells a new
/// visitor from one whose cookie was withheld.
#[tokio::test]
async fn a_strict_cookie_has_a_marker_that_a_link_from_elsewhere_brings() {
    let under = memory();
    let strict = CookieConfig::builder().same_site(SameSite::Strict).build().unwrap();
    let layer = SessionLayer::new(under.store.clone()).cookie(strict);
    let link = |tab: &Tab| {
        let header = HeaderName::from_static;
        tab.holding(None)
            .opening()
            .with(header("sec-fetch-site"), "cross-site")
            .with(header("sec-fetch-mode"), "navigate")
            .with(header("sec-fetch-dest"), "document")
    };
    let count = |mut s: S| async move { s.cart_mut().push("seen".into()) };
    let cookies = |headers: &http::HeaderMap| -> Vec<String> {
        let all = headers.get_all(header::SET_COOKIE).iter();
        all.map(|it| it.to_str().unwrap().to_owned()).collect()
    };
    let new = link(&Tab::new(&layer)).ask(count).await;
    let set = cookies(&new.headers);
    assert!(set[0].contains("SameSite=Strict"), "{set:?}");
    let marker = "__Host-session-here=1; HttpOnly; SameSite=Lax; Secure; Path=/";
    assert_eq!(set[1..], [marker], "a marker, which says nothing but that there is a session");
    let mut tab = Tab::new(&layer);
    sign_in(&mut tab, 1).await;
    let withheld = link(&tab).with(header::COOKIE, "__Host-session-here=1").ask(count).await;
    assert_eq!(withheld.status, StatusCode::OK);
    assert!(cookies(&withheld.headers).is_empty(), "{:?}", withheld.headers);
    assert_eq!(user(&tab).await, Some(1));
    let removed = tab.ask(|mut s: S| async move { s.destroy() }).await;
    let removed = cookies(&removed.headers);
    assert_eq!(removed.len(), 2, "{removed:?}");
    assert!(removed.iter().all(|it| it.contains("Max-Age=0")), "{removed:?}");
}

#[tokio::test]
async fn everything_that_matters_is_told_and_counted() {
    use SecurityEventKind::{Denied, Destroyed, Renewed, Revoked, SeveralTokens, SignedIn};

    let under = memory();
    let told: Arc<Mutex<Vec<SecurityEvent>>> = Arc::default();
    let listener = Arc::clone(&told);
    let layer = SessionLayer::new(under.store.clone())
        .max_sessions(1, AtLimit::Reject)
        .schema::<Visitor>()
        .on_event(move |event| listener.lock().unwrap().push(*event));
    let kinds = || -> Vec<_> { told.lock().unwrap().drain(..).collect() };
    let mut tab = Tab::new(&layer);
    fill(&mut tab).await;
    assert!(kinds().is_empty(), "a cart is not about security");
    sign_in(&mut tab, 1).await;
    let id = tab.ask(|s: S| async move { *s.id().unwrap() }).await.ok();
    let [signed_in] = kinds()[..] else { panic!() };
    assert_eq!((signed_in.kind, signed_in.session), (SignedIn, Some(id)));
    let principal = signed_in.principal;
    assert!(principal.is_some());
    tab.run(|mut s: S| async move { s.regenerate() }).await.ok();
    let mut other = Tab::new(&layer);
    let denied = other.run(|mut s: S| async move { s.set_user(1) }).await;
    assert_eq!(denied.status, StatusCode::CONFLICT);
    sign_in(&mut other, 2).await;
    let both = tab.beside(other.cookie.as_deref().unwrap());
    look(&mut both.clone()).await;
    layer.manager().revoke_all(&1_u64).await.unwrap();
    other.run(|mut s: S| async move { s.destroy() }).await.ok();
    let seen = kinds();
    let seen_kinds: Vec<_> = seen.iter().map(|event| event.kind).collect();
    assert_eq!(seen_kinds, [Renewed, Denied, SignedIn, SeveralTokens, Revoked, Destroyed]);
    assert_eq!((seen[0].session, seen[0].principal), (Some(id), principal));
    assert_eq!((seen[1].session, seen[1].principal), (None, principal));
    assert_ne!(seen[2].principal, principal);
    assert_eq!((seen[4].principal, seen[4].sessions), (principal, 1));
    let metrics = layer.manager().metrics();
    let counted = [
        metrics.signed_in,
        metrics.renewed,
        metrics.denied,
        metrics.several_tokens,
        metrics.revoked,
        metrics.destroyed,
    ];
    assert_eq!(counted, [2, 1, 1, 1, 1, 1]);
}

/// A cap leaves no room for a session: that is told of the session that ends, whether the
/// user signs in to a new one or to one that is there.
#[tokio::test]
async fn a_session_that_a_cap_ends_is_told_of() {
    use SecurityEventKind::Evicted;
    let under = memory();
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&told);
    let layer = SessionLayer::new(under.store.clone())
        .max_sessions(1, AtLimit::EvictOldest)
        .on_event(move |event| listener.lock().unwrap().push(*event));
    let evicted = || -> Vec<_> {
        let told: Vec<SecurityEvent> = told.lock().unwrap().drain(..).collect();
        told.into_iter().filter(|event| event.kind == Evicted).collect()
    };
    let id = |tab: Tab| async move { tab.ask(|s: S| async move { *s.id().unwrap() }).await.ok() };
    let (mut first, mut second, mut third) = (Tab::new(&layer), Tab::new(&layer), Tab::new(&layer));
    sign_in(&mut first, 1).await;
    let first = id(first).await;
    assert_eq!(evicted(), []);
    sign_in(&mut second, 1).await;
    let [event] = evicted()[..] else { panic!() };
    assert_eq!((event.session, event.sessions), (Some(first), 1));
    assert!(event.principal.is_some());
    let second = id(second).await;
    fill(&mut third).await;
    sign_in(&mut third, 1).await;
    let [event] = evicted()[..] else { panic!() };
    assert_eq!(event.session, Some(second));
    assert_eq!(layer.manager().metrics().evicted, 2);
}

/// A stranger can send any number of cookies.
#[tokio::test]
async fn warnings_that_a_stranger_can_cause_come_once_a_minute_and_are_counted() {
    let under = memory();
    let layer = SessionLayer::new(under.store.clone());
    let mut all = Vec::new();
    for _ in 0..5 {
        let mut tab = Tab::new(&layer);
        fill(&mut tab).await;
        all.push(tab);
    }
    let beside = |count: usize| {
        let others = &all[1..count];
        others.iter().fold(all[0].clone(), |tab, it| tab.beside(it.cookie.as_deref().unwrap()))
    };
    let (two, many) = (beside(2), beside(5));
    let traced = Traced::start();
    for _ in 0..10 {
        two.ask(|_: S| async {}).await.ok();
        many.ask(|_: S| async {}).await.ok();
    }
    assert_eq!(traced.warnings(""), 2);
    under.clock.advance(MINUTE);
    two.ask(|_: S| async {}).await.ok();
    assert_eq!(traced.warnings(""), 3);
    let metrics = layer.manager().metrics();
    assert_eq!((metrics.several_tokens, metrics.too_many_tokens), (11, 10));
}

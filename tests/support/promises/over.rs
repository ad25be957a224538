//! Cookies that open nothing: of sessions that are over, of a browser that withheld
//! its own, and of several sessions at once.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, StatusCode, header};
use session_runtime::store::{AnyStore, SessionStore};
use session_runtime::testing::{Fault, FaultStore, Operation};
use session_runtime::{AtLimit, Session, SessionLayer, SessionSchema};
use tokio::sync::Barrier;

use crate::{Answer, Tab};

#[derive(SessionSchema)]
pub struct Visitor {
    #[session(principal)]
    user: Option<u64>,
    #[session(renew)]
    role: Option<String>,
    cart: Vec<String>,
    language: String,
    #[session(counter)]
    visits: u64,
    #[session(nonce)]
    state: Option<String>,
}

type S = Session<Visitor>;

const MINUTE: Duration = Duration::from_secs(60);

fn layer(store: &(impl SessionStore + Clone)) -> SessionLayer {
    SessionLayer::new(store.clone()).schema::<Visitor>()
}

async fn sign_in(tab: &mut Tab, user: u64) -> Answer<()> {
    tab.run(move |mut s: S| async move { s.set_user(user) }).await
}

async fn user(tab: &Tab) -> Option<u64> {
    tab.ask(|s: S| async move { s.user() }).await.ok()
}

async fn cart(tab: &Tab) -> Vec<String> {
    tab.ask(|s: S| async move { s.cart().to_vec() }).await.ok()
}

async fn sessions_of(layer: &SessionLayer, user: u64) -> usize {
    layer.manager().sessions_of(&user).await.unwrap().len()
}

fn sets_no_cookie<R>(answer: &Answer<R>) -> bool {
    !answer.headers.contains_key(header::SET_COOKIE)
}

/// Where the handlers of two requests meet, both with their session in hand, if they come
/// at once.
fn meeting(at_once: bool) -> Arc<Barrier> {
    Arc::new(Barrier::new(if at_once { 2 } else { 1 }))
}

/// Two devices of user 1, the second of which was signed out from the first.
async fn signed_out_elsewhere(layer: &SessionLayer) -> (Tab, Tab) {
    let (mut here, mut there) = (Tab::new(layer), Tab::new(layer));
    sign_in(&mut there, 1).await.ok();
    sign_in(&mut here, 1).await.ok();
    let manager = layer.manager();
    here.ask(move |s: S| async move { manager.revoke_others(&s).await.unwrap() }).await.ok();
    (here, there)
}

/// A login that needs something stored before anybody is signed in: an OAuth state, a
/// second factor, a notice.
pub async fn who_was_signed_out_elsewhere_starts_afresh_at_once(
    store: &(impl SessionStore + Clone),
) {
    let layer = layer(store).late_grace(MINUTE);
    let (here, mut there) = signed_out_elsewhere(&layer).await;
    assert_eq!(user(&there).await, None);
    let mut link = there.opening();
    link.run(|mut s: S| async move { s.set_state("4712") }).await.ok();
    assert_ne!(link.cookie, there.cookie, "it has a session of its own");
    there.cookie = link.cookie;
    let back = there.run(|mut s: S| async move {
        assert_eq!(s.consume_state().await.unwrap().as_deref(), Some("4712"));
        s.set_user(1);
    });
    back.await.ok();
    assert_eq!(user(&there).await, Some(1));
    assert_eq!(user(&here).await, Some(1), "the other device is where it was");
    assert_eq!(sessions_of(&layer, 1).await, 2);
}

/// A page asks for several things at once. What they store is in one session, whichever
/// answer comes last.
pub async fn requests_with_one_dead_cookie_share_one_session(store: &(impl SessionStore + Clone)) {
    let layer = layer(store);
    for _ in 0..10 {
        let (_, there) = signed_out_elsewhere(&layer).await;
        let first = there.ask(|mut s: S| async move { s.set_language("de") });
        let second = there.ask(|mut s: S| async move { s.cart_mut().push("pen".into()) });
        let third = there.ask(|mut s: S| async move { s.set_state("4712") });
        let (first, second, third) = tokio::join!(first, second, third);
        for headers in [&first.headers, &third.headers, &second.headers] {
            let mut tab = there.clone();
            tab.keep(headers);
            assert_ne!(tab.cookie, there.cookie);
            let seen = tab.ask(|s: S| async move { (s.language().to_owned(), s.cart().to_vec()) });
            assert_eq!(seen.await.ok(), ("de".to_owned(), vec!["pen".to_owned()]));
        }
        let answers = [first.status, second.status, third.status];
        assert_eq!(answers, [StatusCode::OK; 3]);
    }
    // Each round signs out what the one before left here.
    assert_eq!(store.count().await.unwrap(), 10 + 1, "one there each time, and one here");
}

/// A proof of somebody whom this program does not know by name is shared with nobody.
pub async fn a_proof_is_no_session_to_share(store: &(impl SessionStore + Clone)) {
    let layer = layer(store);
    let (_, mut there) = signed_out_elsewhere(&layer).await;
    let other = there.clone();
    there.run(|mut s: S| async move { s.reauthenticated() }).await.ok();
    let late = other.ask(|mut s: S| async move { s.set_language("de") }).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(sets_no_cookie(&late));
    let seen = there.ask(|s: S| async move { (s.language().to_owned(), s.authenticated_at()) });
    let (language, proved) = seen.await.ok();
    assert_eq!((language.as_str(), proved.is_some()), ("", true));
}

/// It signs in on a device that was signed out, while a slower request is on its way.
pub async fn a_slow_answer_does_not_undo_the_next_sign_in(store: &(impl SessionStore + Clone)) {
    let layer = layer(store);
    let (_, there) = signed_out_elsewhere(&layer).await;
    for (who, ends) in [(1, false), (2, true)] {
        let mut back = there.clone();
        sign_in(&mut back, who).await.ok();
        if ends {
            back.run(|mut s: S| async move { s.destroy() }).await.ok();
        }
        let slow = there.ask(|mut s: S| async move { s.cart_mut().push("late".into()) }).await;
        assert_eq!(slow.status, StatusCode::CONFLICT, "its pen is nowhere");
        assert!(sets_no_cookie(&slow));
        let slow = there.ask(|mut s: S| async move { s.add_visits(1) }).await;
        assert_eq!(slow.status, StatusCode::OK);
        assert!(sets_no_cookie(&slow));
        assert_eq!(user(&back).await, (!ends).then_some(who));
    }
}

/// A browser that has ended its session itself has another cookie, or none. A request
/// with the old one was on its way, if it arrived in time.
pub async fn a_late_request_of_a_browser_that_signed_out_stores_nothing(
    store: &(impl SessionStore + Clone),
) {
    let patient = layer(store).late_grace(MINUTE);
    let strict = layer(store).late_grace(Duration::ZERO);
    for how in ["destroy", "sign in"] {
        let mut tab = Tab::new(&patient);
        tab.run(|mut s: S| async move { s.set_language("de") }).await.ok();
        let late = tab.clone();
        match how {
            "destroy" => tab.run(|mut s: S| async move { s.destroy() }).await.ok(),
            _ => sign_in(&mut tab, 1).await.ok(),
        }
        let answer = late.ask(|mut s: S| async move { s.cart_mut().push("late".into()) }).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{how}");
        assert!(sets_no_cookie(&answer), "{how}");
        let again = late.ask(|mut s: S| async move {
            s.destroy();
            s.set_language("fr");
        });
        assert!(sets_no_cookie(&again.await), "{how}");
        assert_eq!(user(&tab).await, (how != "destroy").then_some(1));
        // It comes so late that the browser cannot have got the answer.
        let mut lost = late.by(&strict);
        lost.run(|mut s: S| async move { s.cart_mut().push("pen".into()) }).await.ok();
        assert_eq!(cart(&lost).await, ["pen"], "{how}");
        assert_eq!(user(&lost).await, None, "{how}");
    }
}

/// A form that is sent twice, in turn and at once, under both kinds of caps. Whichever
/// answer comes last, its cookie opens the one session that there is.
pub async fn a_login_that_is_sent_twice_is_one_session(store: &(impl SessionStore + Clone)) {
    let caps = [None, Some(AtLimit::Reject), Some(AtLimit::EvictOldest)];
    let rounds = caps.into_iter().flat_map(|cap| [(cap, false), (cap, true)]);
    for (who, (cap, at_once)) in rounds.enumerate().map(|(who, round)| (who as u64, round)) {
        let layer = match cap {
            Some(at_limit) => layer(store).max_sessions(1, at_limit),
            None => layer(store),
        };
        let mut tab = Tab::new(&layer);
        tab.run(|mut s: S| async move { s.cart_mut().push("pen".into()) }).await.ok();
        let meet = meeting(at_once);
        let login = |tab: &Tab| {
            let (tab, meet) = (tab.clone(), Arc::clone(&meet));
            async move {
                let login = tab.ask(move |mut s: S| async move {
                    meet.wait().await;
                    s.set_user(who);
                });
                login.await
            }
        };
        let (first, second) = match at_once {
            true => tokio::join!(login(&tab), login(&tab)),
            false => (login(&tab).await, login(&tab).await),
        };
        for (answer, name) in [(&first, "first"), (&second, "second")] {
            let what = format!("{cap:?} at once: {at_once}, the {name}");
            assert_eq!(answer.status, StatusCode::OK, "{what}");
            let mut kept = tab.clone();
            kept.keep(&answer.headers);
            assert_eq!(user(&kept).await, Some(who), "{what}");
            assert_eq!(cart(&kept).await, ["pen"], "{what}");
        }
        assert_eq!(sessions_of(&layer, who).await, 1, "{cap:?} {at_once}");
        assert_eq!(user(&tab).await, None, "the cookie before");
    }
}

/// The same where the browser was somebody else's before.
pub async fn a_change_of_user_that_is_sent_twice_is_one_session(
    store: &(impl SessionStore + Clone),
) {
    for (round, at_once) in [false, true, true, true].into_iter().enumerate() {
        let (before, after) = (100 + round as u64, 200 + round as u64);
        let layer = layer(store).max_sessions(1, AtLimit::Reject);
        let mut tab = Tab::new(&layer);
        sign_in(&mut tab, before).await.ok();
        tab.run(|mut s: S| async move { s.cart_mut().push("theirs".into()) }).await.ok();
        let meet = meeting(at_once);
        let login = |tab: &Tab| {
            let (tab, meet) = (tab.clone(), Arc::clone(&meet));
            async move {
                let login = tab.ask(move |mut s: S| async move {
                    meet.wait().await;
                    s.cart_mut().push("pen".into());
                    s.set_user(after);
                });
                login.await
            }
        };
        let (first, second) = match at_once {
            true => tokio::join!(login(&tab), login(&tab)),
            false => (login(&tab).await, login(&tab).await),
        };
        for answer in [&first, &second] {
            assert_eq!(answer.status, StatusCode::OK, "{round}");
            let mut kept = tab.clone();
            kept.keep(&answer.headers);
            assert_eq!(user(&kept).await, Some(after), "{round}");
            // Nor does the second one bring what was changed in place.
            assert!(!cart(&kept).await.contains(&"theirs".to_owned()), "{round}");
        }
        assert_eq!(sessions_of(&layer, after).await, 1, "{round}");
        assert_eq!(sessions_of(&layer, before).await, 0, "{round}");
    }
}

/// Where it is the same user, what the second login changed in place is theirs.
pub async fn a_login_that_is_sent_twice_keeps_what_its_user_changed_in_place(
    store: &(impl SessionStore + Clone),
) {
    let mut tab = Tab::new(&layer(store));
    sign_in(&mut tab, 1).await.ok();
    tab.run(|mut s: S| async move { s.cart_mut().push("pencil".into()) }).await.ok();
    let meet = meeting(true);
    let login = |thing: &'static str| {
        let meet = Arc::clone(&meet);
        tab.ask(move |mut s: S| async move {
            meet.wait().await;
            s.cart_mut().push(thing.into());
            s.set_language(thing);
            s.set_user(1);
        })
    };
    let (first, second) = tokio::join!(login("pen"), login("ink"));
    for answer in [first, second] {
        let mut kept = tab.clone();
        kept.keep(&answer.headers);
        let look = kept.run(|s: S| async move { (s.language().to_owned(), s.cart().to_owned()) });
        let (later, cart) = look.await.ok();
        assert!(cart.contains(&later), "{cart:?} without {later}");
    }
}

/// An attacker who planted the cookie that a login replaced gains nothing by presenting it.
pub async fn a_planted_cookie_joins_no_sign_in(store: &(impl SessionStore + Clone)) {
    let layer = layer(store);
    let mut victim = Tab::new(&layer);
    victim.run(|mut s: S| async move { s.set_language("de") }).await.ok();
    let mut planter = victim.clone();
    sign_in(&mut victim, 1).await.ok();
    // Another user's sign-in is another session.
    sign_in(&mut planter.clone(), 2).await.ok();
    let mut other = planter.clone();
    sign_in(&mut other, 2).await.ok();
    assert_eq!(user(&other).await, Some(2));
    assert_eq!(user(&victim).await, Some(1));
    // Nobody's request is nobody's.
    let seen = planter.run(|mut s: S| async move {
        let seen = (s.user(), s.language().to_owned());
        s.add_visits(1);
        seen
    });
    assert_eq!(seen.await.ok(), (None, String::new()));
    assert_eq!(user(&planter).await, None);
    assert_eq!(sessions_of(&layer, 1).await, 1);
}

/// A repetition gets what the first sign-in gave, and neither a privilege nor a proof that
/// came later; nor is a change of privilege taken for a sign-in.
pub async fn a_repeated_sign_in_inherits_no_later_privilege(store: &(impl SessionStore + Clone)) {
    let layer = layer(store);
    for (who, later) in [(1, "role"), (2, "proof"), (3, "role after that")] {
        let mut tab = Tab::new(&layer);
        tab.run(|mut s: S| async move { s.set_language("de") }).await.ok();
        let mut again = tab.clone();
        sign_in(&mut tab, who).await.ok();
        if later == "role after that" {
            again = tab.clone();
        }
        let change = tab.run(move |mut s: S| async move {
            if later == "proof" { s.reauthenticated() } else { s.set_role("admin") }
        });
        change.await.ok();
        sign_in(&mut again, who).await.ok();
        let seen = |s: S| async move { (s.user(), s.role().map(str::to_owned)) };
        assert_eq!(again.ask(seen).await.ok(), (Some(who), None), "{later}");
        assert_eq!(sessions_of(&layer, who).await, 2, "{later}");
        // Nor does it bring the first one to an end.
        let role = (later != "proof").then(|| "admin".to_owned());
        assert_eq!(tab.ask(seen).await.ok(), (Some(who), role), "{later}");
    }
}

/// What a browser says of a request from another site.
fn from_elsewhere(tab: &Tab, mode: &str, dest: &str) -> Tab {
    let header = HeaderName::from_static;
    tab.with(header("sec-fetch-site"), "cross-site")
        .with(header("sec-fetch-mode"), mode)
        .with(header("sec-fetch-dest"), dest)
}

/// A form on another site is sent here: the browser keeps a `Lax` cookie back. That it is
/// not there says nothing.
pub async fn a_cookie_that_was_withheld_is_not_replaced(store: &(impl SessionStore + Clone)) {
    let layer = layer(store);
    let mut tab = Tab::new(&layer);
    sign_in(&mut tab, 1).await.ok();
    let stored = store.count().await.unwrap();
    let withheld = from_elsewhere(&tab.holding(None), "navigate", "document");
    for counts in [true, false] {
        let answer = withheld.ask(move |mut s: S| async move {
            if counts { s.add_visits(1) } else { s.cart_mut().push("theirs".into()) }
        });
        let answer = answer.await;
        let expected = if counts { StatusCode::OK } else { StatusCode::CONFLICT };
        assert_eq!(answer.status, expected);
        assert!(sets_no_cookie(&answer));
    }
    assert_eq!(store.count().await.unwrap(), stored);
    assert_eq!(layer.manager().metrics().withheld, 1);
    // A picture or a script of ours in a page of theirs.
    let picture = from_elsewhere(&tab.holding(None).opening(), "no-cors", "image");
    assert!(sets_no_cookie(&picture.ask(|mut s: S| async move { s.set_language("de") }).await));
    // Whoever follows a link has no cookie, if none comes.
    let mut visitor = from_elsewhere(&tab.holding(None).opening(), "navigate", "document");
    visitor.run(|mut s: S| async move { s.set_language("de") }).await.ok();
    assert!(visitor.cookie.is_some());
    // An OAuth provider may send its answer by a form.
    let mut back = withheld.clone();
    sign_in(&mut back, 3).await.ok();
    assert_eq!(user(&back.by(&layer)).await, Some(3));
    assert_eq!(layer.manager().metrics().signed_in_cross_site, 1);
    assert_eq!(user(&tab).await, Some(1));
}

/// Somebody planted a cookie, or a browser has two of different paths. None of two live
/// ones is believed; who signs in or out ends both.
pub async fn of_two_live_cookies_none_counts_and_both_can_be_ended(
    store: &(impl SessionStore + Clone),
) {
    let layer = layer(store);
    for signs_in in [false, true] {
        let (mut one, mut two) = (Tab::new(&layer), Tab::new(&layer));
        sign_in(&mut one, 1).await.ok();
        two.run(|mut s: S| async move { s.cart_mut().push("planted".into()) }).await.ok();
        let mut both = one.beside(two.cookie.as_deref().unwrap());
        let answer = both.ask(|mut s: S| async move {
            assert_eq!((s.user(), s.cart().len()), (None, 0));
            s.set_language("de");
        });
        let answer = answer.await;
        assert_eq!(answer.status, StatusCode::CONFLICT);
        assert!(sets_no_cookie(&answer));
        assert_eq!(user(&one).await, Some(1), "a request that is refused ends nothing");
        if signs_in {
            sign_in(&mut both, 3).await.ok();
            assert_eq!(user(&both).await, Some(3), "beside the planted one, which is over");
        } else {
            both.run(|mut s: S| async move { s.destroy() }).await.ok();
            assert_eq!(both.cookie, None);
        }
        assert_eq!(user(&one).await, None);
        assert_eq!(cart(&two).await, Vec::<String>::new());
    }
    assert_eq!(layer.manager().metrics().several_tokens, 4);
}

/// A sign-in is stored, and its answer is lost: nobody has its token, and no cap counts
/// it for long.
pub async fn a_sign_in_whose_answer_is_lost_is_not_counted(store: &AnyStore) {
    for fault in [Fault::AnswerLost, Fault::NeverAnswers] {
        let faults = FaultStore::new(store.clone());
        let layer = layer(&faults).max_sessions(1, AtLimit::Reject);
        let layer = layer.store_timeout(Duration::from_millis(500));
        faults.next(Operation::Create, fault.clone());
        let lost = sign_in(&mut Tab::new(&layer), 9).await;
        assert_eq!(lost.status, StatusCode::SERVICE_UNAVAILABLE, "{fault:?}");
        assert!(sets_no_cookie(&lost));
        let mut tab = Tab::new(&layer);
        let mut tries = 0;
        while sign_in(&mut tab, 9).await.status == StatusCode::CONFLICT {
            tries += 1;
            assert!(tries < 1_000, "{fault:?}: it still counts");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(user(&tab).await, Some(9), "{fault:?}");
        assert_eq!(sessions_of(&layer, 9).await, 1, "{fault:?}");
        tab.run(|mut s: S| async move { s.destroy() }).await.ok();
    }
}

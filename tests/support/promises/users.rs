//! Another user is another session; who signs out takes privileges and secrets
//! along.

use std::sync::Arc;
use std::time::Duration;

use http::{StatusCode, header};
use session_runtime::store::{SessionStore, StoreErrorKind};
use session_runtime::testing::{Fault, FaultStore, Operation};
use session_runtime::{AtLimit, Session, SessionError, SessionId, SessionLayer, SessionSchema};
use tokio::sync::Barrier;

use super::ring;
use crate::{Answer, Tab};

#[derive(SessionSchema)]
pub struct Visitor {
    #[session(principal)]
    user: Option<u64>,
    #[session(renew)]
    role: Option<String>,
    #[session(secret)]
    oauth: Option<String>,
    cart: Vec<String>,
    #[session(write_once)]
    tenant: Option<String>,
    #[session(ttl = "1h")]
    draft: Option<String>,
    #[session(flash)]
    notice: Option<String>,
    #[session(counter)]
    visits: u64,
    #[session(merge = union)]
    seen: Vec<u32>,
    #[session(nonce)]
    code: Option<String>,
    #[session(carry_over)]
    language: String,
    #[session(carry_over, write_once)]
    device: Option<String>,
}

fn union(base: &[u32], stored: &[u32], mine: Vec<u32>) -> Vec<u32> {
    let added = mine.into_iter().filter(|one| !base.contains(one));
    stored.iter().copied().chain(added).collect()
}

type S = Session<Visitor>;

fn layer(store: &(impl SessionStore + Clone)) -> SessionLayer {
    SessionLayer::new(store.clone()).keys(ring()).schema::<Visitor>()
}

/// All that a handle shows, the flash included, and the nonce.
async fn everything(tab: &mut Tab) -> String {
    let shown = tab.run(|mut s: S| async move {
        let (code, notice) = (s.consume_code().await.unwrap(), s.take_notice());
        let text = format!(
            "{:?} {:?} {:?} {:?} {:?} {:?} {} {:?} {:?} {:?} {:?} {:?}",
            s.user(),
            s.role(),
            s.oauth(),
            s.cart(),
            s.tenant(),
            s.draft(),
            s.visits(),
            s.seen(),
            s.language(),
            s.device(),
            code,
            notice,
        );
        text.replace("None", "-").replace("Some", "")
    });
    shown.await.ok()
}

/// What the session of user `user` holds: something in every field.
fn fill(s: &mut S, user: u64) {
    s.set_user(user);
    s.set_role("admin");
    s.set_oauth(format!("token of {user}"));
    s.cart_mut().push(format!("pen of {user}"));
    s.set_tenant(format!("tenant of {user}"));
    s.set_draft("Dear");
    s.set_notice("Hello");
    s.add_visits(3);
    s.seen_mut().push(1);
    s.set_code("4712");
    s.set_language("de");
    s.set_device("phone");
}

async fn filled(layer: &SessionLayer, user: u64) -> Tab {
    let mut tab = Tab::new(layer);
    tab.run(move |mut s: S| async move { fill(&mut s, user) }).await.ok();
    tab
}

async fn id(tab: &Tab) -> SessionId {
    tab.ask(|s: S| async move { *s.id().unwrap() }).await.ok()
}

async fn user(tab: &Tab) -> Option<u64> {
    tab.ask(|s: S| async move { s.user() }).await.ok()
}

async fn sign_in(tab: &mut Tab, user: u64) -> Answer<()> {
    tab.run(move |mut s: S| async move { s.set_user(user) }).await
}

async fn sign_out(tab: &mut Tab) {
    tab.run(|mut s: S| async move { s.clear_user() }).await.ok();
}

async fn sessions_of(layer: &SessionLayer, user: u64) -> usize {
    layer.manager().sessions_of(&user).await.unwrap().len()
}

/// What is left of a session that was full once another user has signed in.
fn fresh(user: u64) -> String {
    format!("({user}) - - [] - - 0 [] \"de\" (\"phone\") - -")
}

fn sets_no_cookie<R>(answer: &Answer<R>) -> bool {
    !answer.headers.contains_key(header::SET_COOKIE)
}

/// The main one: whatever the former user had, the next one has what is marked.
pub async fn another_user_finds_nothing_but_what_is_marked(store: &(impl SessionStore + Clone)) {
    let layer = layer(store);
    // At once, after a sign-out, after one in the same request, and by `save()`.
    for way in 0..5 {
        let mut tab = filled(&layer, 1).await;
        let (first, before) = (id(&tab).await, tab.clone());
        match way {
            0 => sign_in(&mut tab, 2).await.ok(),
            1 => {
                sign_out(&mut tab).await;
                tab.run(|mut s: S| async move { s.cart_mut().push("nobody's".into()) }).await.ok();
                sign_in(&mut tab, 2).await.ok();
            }
            2 => {
                let both = tab.run(|mut s: S| async move {
                    s.clear_user();
                    s.publish();
                    s.set_user(2);
                });
                both.await.ok();
            }
            3 => {
                let saved = tab.run(|mut s: S| async move {
                    s.set_user(2);
                    s.save().await.unwrap();
                    (*s.id().unwrap(), s.user(), s.oauth().is_some())
                });
                let (new, who, token) = saved.await.ok();
                assert_ne!(new, first);
                assert_eq!((who, token), (Some(2), false));
            }
            _ => {
                let within = tab.run(|mut s: S| async move {
                    s.transaction(|s| s.set_user(2)).await.unwrap();
                    s.user()
                });
                assert_eq!(within.await.ok(), Some(2));
            }
        }
        assert_ne!(id(&tab).await, first, "{way}");
        assert_eq!(everything(&mut tab).await, fresh(2), "{way}");
        assert_eq!((sessions_of(&layer, 1).await, sessions_of(&layer, 2).await), (0, 1), "{way}");
        let late = before.ask(|mut s: S| async move {
            s.set_language("fr");
            s.user()
        });
        let late = late.await;
        assert_eq!((late.value, late.status), (Some(None), StatusCode::CONFLICT), "{way}");
        assert!(late.headers.get(header::SET_COOKIE).is_none(), "{way}");
        layer.manager().revoke_all(&2_u64).await.unwrap();
    }
}

/// What the request itself does goes along, and nothing that it made of the other
/// user's data.
pub async fn what_the_request_sets_goes_along(store: &(impl SessionStore + Clone)) {
    let layer = layer(store);
    let mut tab = filled(&layer, 1).await;
    tab.run(|mut s: S| async move {
        s.add_visits(1);
        s.seen_mut().push(9);
        s.cart_mut().push("pen".into());
        s.set_draft("Mine");
        s.set_tenant("tenant of 2");
        s.set_notice("Welcome");
        s.set_oauth("token of 2");
        s.set_user(2);
    })
    .await
    .ok();
    let expected = "(2) - (\"token of 2\") [] (\"tenant of 2\") (\"Mine\") 1 [9] \"de\" (\"phone\") - (\"Welcome\")";
    assert_eq!(everything(&mut tab).await, expected);
    // What goes along keeps its policy.
    let again = tab.run(|mut s: S| async move {
        s.set_user(3);
        s.set_device("laptop");
    });
    assert_eq!(again.await.status, StatusCode::CONFLICT);
    assert_eq!(user(&tab).await, Some(2), "and nothing happened");
    layer.manager().revoke_all(&2_u64).await.unwrap();
}

/// Handles of the same request see the session of the user who has just signed in.
pub async fn the_rest_of_the_request_sees_nothing_of_the_former_user(
    store: &(impl SessionStore + Clone),
) {
    let layer = layer(store);
    let mut tab = filled(&layer, 1).await;
    let seen = tab.run(|mut s: S| async move {
        s.set_user(2);
        s.publish();
        let fresh = s.require_fresh(Duration::from_secs(60)).await;
        let code = s.consume_code().await.unwrap();
        let shown = (s.user(), s.role().is_some(), s.oauth().is_some(), s.cart().len());
        (shown, s.language().to_owned(), s.id().is_some(), code, fresh.is_ok())
    });
    let expected = ((Some(2), false, false, 0), "de".to_owned(), false, None, false);
    assert_eq!(seen.await.ok(), expected);
    let seen = tab.run(|mut s: S| async move {
        fill(&mut s, 2);
        s.save().await.unwrap();
        s.clear_user();
        s.publish();
        (s.user(), s.role().is_some(), s.oauth().is_some(), s.cart().len())
    });
    assert_eq!(seen.await.ok(), (None, false, false, 1));
}

/// The same user again, and the first one of a visitor, keep everything.
pub async fn the_same_user_and_the_first_one_keep_the_session(store: &(impl SessionStore + Clone)) {
    let layer = layer(store);
    let mut tab = Tab::new(&layer);
    tab.run(|mut s: S| async move {
        fill(&mut s, 1);
        s.clear_user();
        s.set_role("guest");
    })
    .await
    .ok();
    let visitor = id(&tab).await;
    sign_in(&mut tab, 1).await.ok();
    sign_in(&mut tab, 1).await.ok();
    assert_eq!(id(&tab).await, visitor);
    let all = "(1) (\"guest\") (\"token of 1\") [\"pen of 1\"] (\"tenant of 1\") (\"Dear\") 3 [1] \"de\" (\"phone\") (\"4712\") (\"Hello\")";
    assert_eq!(everything(&mut tab).await, all);

    // Who signs out leaves privileges and secrets behind, and comes back to the rest.
    sign_out(&mut tab).await;
    let rest = "[\"pen of 1\"] (\"tenant of 1\") (\"Dear\") 3 [1] \"de\" (\"phone\") - -";
    assert_eq!(everything(&mut tab).await, format!("- - - {rest}"));
    sign_in(&mut tab, 1).await.ok();
    assert_eq!(id(&tab).await, visitor);
    assert_eq!(everything(&mut tab).await, format!("(1) - - {rest}"));
    // And what the sign-out itself sets stays, also if it is what was stored.
    tab.run(|mut s: S| async move { s.set_role("guest") }).await.ok();
    tab.run(|mut s: S| async move {
        s.clear_user();
        s.set_role("guest");
        s.set_oauth("nobody's");
    })
    .await
    .ok();
    assert_eq!(everything(&mut tab).await, format!("- (\"guest\") (\"nobody's\") {rest}"));
    // One that clears and signs in is judged by what was loaded.
    sign_in(&mut tab, 1).await.ok();
    tab.run(|mut s: S| async move {
        s.clear_user();
        s.publish();
        s.set_user(1);
    })
    .await
    .ok();
    assert_eq!(everything(&mut tab).await, format!("(1) (\"guest\") (\"nobody's\") {rest}"));
    layer.manager().revoke_all(&1_u64).await.unwrap();
}

/// A sign-in that is refused changes nothing for whom it found.
pub async fn a_denied_sign_in_leaves_the_former_user_signed_in(
    store: &(impl SessionStore + Clone),
) {
    let layer = layer(store).max_sessions(1, AtLimit::Reject);
    let taken = filled(&layer, 2).await;
    let mut tab = filled(&layer, 1).await;
    let (before, first) = (tab.cookie.clone(), id(&tab).await);
    let denied = tab.run(|mut s: S| async move {
        s.set_user(2);
        s.save().await
    });
    let denied = denied.await;
    assert!(matches!(denied.value, Some(Err(SessionError::SignInDenied(_)))), "{denied:?}");
    let denied = sign_in(&mut tab, 2).await;
    assert_eq!(denied.status, StatusCode::CONFLICT);
    assert!(sets_no_cookie(&denied));
    assert_eq!((tab.cookie.clone(), id(&tab).await), (before, first));
    assert!(everything(&mut tab).await.starts_with("(1) (\"admin\") (\"token of 1\")"));
    assert_eq!(user(&taken).await, Some(2));
    // Nor does a ticket that was taken before a revocation.
    let ticket = layer.manager().login_ticket(&2_u64).unwrap();
    layer.manager().revoke_all(&2_u64).await.unwrap();
    let stopped = tab.run(|mut s: S| async move {
        s.set_user(2);
        s.redeem(ticket);
    });
    assert_eq!(stopped.await.status, StatusCode::CONFLICT);
    assert_eq!((user(&tab).await, sessions_of(&layer, 2).await), (Some(1), 0));
    layer.manager().revoke_all(&1_u64).await.unwrap();
}

/// Where it is unknown whether the former session has ended, the answer is 503, and
/// nothing is left of the new one.
pub async fn a_former_session_that_cannot_be_ended_is_a_503(store: &(impl SessionStore + Clone)) {
    let faults = FaultStore::new(store.clone());
    let layer = layer(&faults).store_timeout(Duration::from_secs(2));
    for (fault, still) in [
        (Fault::Fails(StoreErrorKind::Unavailable), Some(1)),
        (Fault::AnswerLost, None),
        (Fault::NeverAnswers, None),
    ] {
        let mut tab = filled(&layer, 1).await;
        faults.next(Operation::Delete, fault.clone());
        let failed = sign_in(&mut tab, 2).await;
        assert_eq!(failed.status, StatusCode::SERVICE_UNAVAILABLE, "{fault:?}");
        assert!(sets_no_cookie(&failed), "{fault:?}");
        assert_eq!(user(&tab).await, still, "{fault:?}");
        no_session_of(&layer, 2).await;
        layer.manager().revoke_all(&1_u64).await.unwrap();
    }
    // A record whose creation was not answered goes, too.
    let mut tab = filled(&layer, 1).await;
    faults.next(Operation::Create, Fault::NeverAnswers);
    assert_eq!(sign_in(&mut tab, 2).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(user(&tab).await, Some(1));
    no_session_of(&layer, 2).await;
    // Its removal is tried again.
    faults.times(2, Operation::Delete, Fault::Fails(StoreErrorKind::Unavailable));
    assert_eq!(sign_in(&mut tab, 2).await.status, StatusCode::SERVICE_UNAVAILABLE);
    no_session_of(&layer, 2).await;
    assert_eq!(faults.remaining(), 0);
    sign_in(&mut tab, 2).await.ok();
    assert_eq!((user(&tab).await, sessions_of(&layer, 1).await), (Some(2), 0));
    layer.manager().revoke_all(&2_u64).await.unwrap();
}

/// It goes in the background.
async fn no_session_of(layer: &SessionLayer, user: u64) {
    for _ in 0..400 {
        if sessions_of(layer, user).await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a session of user {user} is left that nobody can open");
}

/// A request of the former user that is under way when another one signs in stores
/// nothing, in neither session, and sets no cookie.
pub async fn a_late_request_of_the_former_user_changes_nothing(
    store: &(impl SessionStore + Clone),
) {
    let layer = layer(store);
    let mut tab = filled(&layer, 1).await;
    let (meet, other) = (Arc::new(Barrier::new(2)), tab.clone());
    let waits = Arc::clone(&meet);
    let late = tokio::spawn(async move {
        let answer = other.ask(|mut s: S| async move {
            waits.wait().await;
            waits.wait().await;
            s.cart_mut().push("late".into());
            s.set_role("late");
            s.user()
        });
        answer.await
    });
    meet.wait().await;
    sign_in(&mut tab, 2).await.ok();
    meet.wait().await;
    let late = late.await.unwrap();
    assert_eq!((late.value, late.status), (Some(Some(1)), StatusCode::CONFLICT));
    assert!(late.headers.get(header::SET_COOKIE).is_none());
    assert_eq!(everything(&mut tab).await, fresh(2));
    layer.manager().revoke_all(&2_u64).await.unwrap();
}

/// Two tabs of a visitor sign in as two users at once: each has a session, and what
/// one of them sets is not the other's.
pub async fn two_users_at_once_have_a_session_each(store: &(impl SessionStore + Clone)) {
    let layer = layer(store);
    for start in [None, Some(1)] {
        let mut tab = Tab::new(&layer);
        match start {
            None => tab.run(|mut s: S| async move { s.cart_mut().push("pen".into()) }).await.ok(),
            Some(user) => tab = filled(&layer, user).await,
        }
        let meet = Arc::new(Barrier::new(2));
        let logins = [2_u64, 3].map(|user| {
            let (mut tab, meet) = (tab.clone(), Arc::clone(&meet));
            tokio::spawn(async move {
                let done = tab.run(move |mut s: S| async move {
                    meet.wait().await;
                    s.set_user(user);
                    s.set_oauth(format!("token of {user}"));
                });
                done.await.ok();
                tab
            })
        });
        for (login, user) in logins.into_iter().zip([2_u64, 3]) {
            let mut tab = login.await.unwrap();
            let seen = everything(&mut tab).await;
            assert!(seen.starts_with(&format!("({user}) - (\"token of {user}\")")), "{seen}");
            assert_eq!(sessions_of(&layer, user).await, 1);
        }
        for user in [1_u64, 2, 3] {
            layer.manager().revoke_all(&user).await.unwrap();
        }
    }
}

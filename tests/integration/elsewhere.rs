//! Sessions that a job or another user reads, changes or ends.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::{Duration, SystemTime};

use session_runtime::{
    EndReason, Session, SessionError, SessionLayer, SessionManager, SessionSchema,
};
use session_tests::stores::{Under, all, memory};
use session_tests::{Call, Spy, Tab};

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user: Option<u64>,
    #[session(renew)]
    role: String,
    #[session(counter)]
    points: i64,
    #[session(merge = both)]
    seen: Vec<u32>,
    #[session(write_once)]
    tenant: Option<String>,
    note: String,
}

fn both(base: &[u32], stored: &[u32], mine: Vec<u32>) -> Vec<u32> {
    stored.iter().copied().chain(mine.into_iter().filter(|one| !base.contains(one))).collect()
}

type Handle = Session<Visitor>;

const MINUTE: Duration = Duration::from_secs(60);

fn layer(under: &Under) -> SessionLayer {
    SessionLayer::new(under.store.clone()).schema::<Visitor>()
}

fn manager(layer: &SessionLayer) -> SessionManager<Visitor> {
    layer.manager_for::<Visitor>().unwrap()
}

async fn signed_in(layer: &SessionLayer, user: u64) -> Tab {
    let mut tab = Tab::new(layer);
    tab.run(move |mut s: Handle| async move { s.set_user(user) }).await.ok();
    tab
}

async fn see<R: Send + 'static>(tab: &mut Tab, see: fn(&Handle) -> R) -> R {
    tab.run(move |s: Handle| async move { see(&s) }).await.ok()
}

#[tokio::test]
async fn every_session_of_a_user_is_changed_and_nobody_elses() {
    for under in all().await {
        let layer = layer(&under);
        let (mut one, mut two) = (signed_in(&layer, 7).await, signed_in(&layer, 7).await);
        let mut other = signed_in(&layer, 8).await;
        let sessions = manager(&layer);
        let done = sessions.update(&7, |s| {
            s.set_note("from a job");
            s.user()
        });
        assert_eq!(done.await.unwrap(), [Some(7), Some(7)], "{}", under.name);
        for tab in [&mut one, &mut two] {
            let cookie = tab.cookie.clone();
            assert_eq!(see(tab, |s| s.note().to_owned()).await, "from a job", "{}", under.name);
            assert_eq!(tab.cookie, cookie, "no change of privileges");
        }
        assert_eq!(see(&mut other, |s| s.note().to_owned()).await, "");
        let id = *one.ask(|s: Handle| async move { s.id().copied() }).await.ok().as_ref().unwrap();
        let read = sessions.update_one(&7, id, |s| s.note().to_owned()).await.unwrap();
        assert_eq!(read.as_deref(), Some("from a job"));
        assert_eq!(sessions.update_one(&8, id, |s| s.set_note("x")).await.unwrap(), None);
        assert_eq!(sessions.update(&9, |s| s.set_note("x")).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_job_and_a_request_at_once_lose_none_of_each_others_changes() {
    for under in all().await {
        let layer = layer(&under);
        let tab = signed_in(&layer, 7).await;
        let sessions = manager(&layer);
        let request = tab.ask(move |mut s: Handle| async move {
            s.add_points(1);
            s.seen_mut().push(1);
            s.set_note("mine");
            // Both have read the same.
            let job = sessions.update(&7, |s| {
                s.add_points(10);
                s.seen_mut().push(2);
                s.set_tenant("acme");
            });
            job.await.unwrap();
        });
        request.await.ok();
        let seen = tab.ask(|s: Handle| async move {
            (s.points(), s.seen().to_vec(), s.note().to_owned(), s.tenant().map(str::to_owned))
        });
        let expected = (11, vec![2, 1], "mine".to_owned(), Some("acme".to_owned()));
        assert_eq!(seen.await.ok(), expected, "{}", under.name);
    }
}

#[tokio::test]
async fn a_job_tries_again_if_privileges_change_meanwhile() {
    let under = memory();
    let layer = layer(&under);
    let mut tab = signed_in(&layer, 7).await;
    let mut runs = 0;
    let other_tab = tab.clone();
    let sessions = manager(&layer);
    let done = sessions.update(&7, |s| {
        runs += 1;
        if runs == 1 {
            let again = other_tab.ask(|mut s: Handle| async move { s.set_role("editor") });
            // A store in memory answers at once.
            let mut context = Context::from_waker(Waker::noop());
            assert!(pin!(again).poll(&mut context).is_ready());
        }
        s.set_note("from a job");
        s.role().to_owned()
    });
    assert_eq!(done.await.unwrap(), ["editor"]);
    assert_eq!(runs, 2);
    assert_eq!(see(&mut tab, |s| s.ended_because()).await, Some(EndReason::Replaced));
    let read = sessions.update(&7, |s| s.note().to_owned()).await.unwrap();
    assert_eq!(read, ["from a job"]);
}

#[tokio::test]
async fn the_policies_of_fields_hold_for_a_job_too() {
    for under in all().await {
        let layer = layer(&under);
        let tab = signed_in(&layer, 7).await;
        tab.ask(|mut s: Handle| async move { s.set_tenant("acme") }).await.ok();
        let sessions = manager(&layer);
        let refused = sessions.update(&7, |s| s.set_tenant("other")).await;
        assert!(matches!(refused, Err(SessionError::AlreadySet { .. })), "{}", under.name);
        let seen = tab.ask(|s: Handle| async move { s.tenant().map(str::to_owned) });
        assert_eq!(seen.await.ok().as_deref(), Some("acme"));
    }
}

/// A role that an administrator gives or takes counts at once, also against open sockets, and
/// signs nobody out.
#[tokio::test]
async fn a_change_of_privileges_ends_what_is_open_and_renews_the_token_with_the_next_request() {
    for under in all().await {
        let layer = layer(&under);
        let mut tab = signed_in(&layer, 7).await;
        let old = tab.cookie.clone();
        let sessions = manager(&layer);
        let socket = tab.ask(move |mut s: Handle| async move {
            sessions.update(&7, |s| s.set_role("editor")).await.unwrap();
            s.set_note("from before");
            matches!(s.save().await, Err(SessionError::Gone))
        });
        assert!(socket.await.ok(), "{}", under.name);
        let lost = tab.ask(|s: Handle| async move { s.role().to_owned() }).await;
        assert!(lost.headers.contains_key("set-cookie"), "{}", under.name);
        assert_eq!(lost.ok(), "editor");
        // That response was lost, and the next one has the same token.
        assert_eq!(see(&mut tab, |s| s.role().to_owned()).await, "editor");
        assert_ne!(tab.cookie, old, "{}", under.name);
        let renewed = tab.cookie.clone();
        for _ in 0..2 {
            assert_eq!(see(&mut tab, |s| s.user()).await, Some(7), "{}", under.name);
            assert_eq!(tab.cookie, renewed, "once");
        }
        // The former token has its grace, and is then a replayed one.
        under.clock.advance(MINUTE);
        let mut former = tab.holding(old);
        assert_eq!(see(&mut former, |s| s.user()).await, None, "{}", under.name);
    }
}

/// A sign-in does not depend on what it found, but it must not bring back what was taken away.
#[tokio::test]
async fn a_sign_in_under_way_brings_back_no_privilege_that_a_job_has_taken() {
    for under in all().await {
        let layer = layer(&under);
        let mut tab = signed_in(&layer, 7).await;
        tab.run(|mut s: Handle| async move { s.set_role("admin") }).await.ok();
        let old = tab.clone();
        let sessions = manager(&layer);
        let login = tab.run(move |mut s: Handle| async move {
            assert_eq!(s.role(), "admin");
            sessions.update(&7, |s| s.set_role("user")).await.unwrap();
            s.set_user(7);
        });
        login.await.ok();
        assert_eq!(
            see(&mut tab, |s| (s.user(), s.role().to_owned())).await,
            (Some(7), "user".into())
        );
        assert_eq!(old.ask(|s: Handle| async move { s.user() }).await.ok(), None, "{}", under.name);
        assert_eq!(manager(&layer).sessions_of(&7).await.unwrap().len(), 1, "{}", under.name);

        let before = tab.clone();
        let sessions = manager(&layer);
        let login = tab.run(move |mut s: Handle| async move {
            sessions.update(&7, |s| s.clear_user()).await.unwrap();
            s.set_user(7);
        });
        login.await.ok();
        assert_eq!(
            see(&mut tab, |s| (s.user(), s.role().to_owned())).await,
            (Some(7), String::new())
        );
        drop(before);
    }
}

#[tokio::test]
async fn a_transaction_that_signs_in_reads_again_what_a_job_has_changed() {
    let under = memory();
    let layer = layer(&under);
    let mut tab = signed_in(&layer, 7).await;
    tab.run(|mut s: Handle| async move { s.set_role("admin") }).await.ok();
    // By another node, whose queue is another.
    let sessions = manager(&self::layer(&under));
    let mut first = true;
    let login = tab.run(move |mut s: Handle| async move {
        let done = s.transaction(|s| {
            if std::mem::take(&mut first) {
                let taken = sessions.update(&7, |s| s.set_role("user"));
                // A store in memory answers at once.
                let mut context = Context::from_waker(Waker::noop());
                assert!(pin!(taken).poll(&mut context).is_ready());
            }
            s.set_user(7);
            s.role().to_owned()
        });
        done.await.unwrap()
    });
    assert_eq!(login.await.ok(), "user");
    assert_eq!(see(&mut tab, |s| (s.user(), s.role().to_owned())).await, (Some(7), "user".into()));
}

/// Otherwise an attacker with the token from before the sign-in would join the session that has the
/// privilege.
#[tokio::test]
async fn a_repeated_sign_in_inherits_no_privilege_that_a_job_has_given() {
    for under in all().await {
        let layer = layer(&under);
        let mut planted = Tab::new(&layer);
        planted.run(|mut s: Handle| async move { s.set_note("planted") }).await.ok();
        let mut tab = planted.clone();
        tab.run(|mut s: Handle| async move { s.set_user(7) }).await.ok();
        manager(&layer).update(&7, |s| s.set_role("approved")).await.unwrap();
        planted.run(|mut s: Handle| async move { s.set_user(7) }).await.ok();
        let seen = see(&mut planted, |s| (s.user(), s.role().to_owned())).await;
        assert_eq!(seen, (Some(7), String::new()), "{}", under.name);
    }
}

#[tokio::test]
async fn a_token_that_was_on_its_way_when_privileges_changed_is_renewed_too() {
    for under in all().await {
        let layer = layer(&under);
        let mut tab = signed_in(&layer, 7).await;
        for role in ["one", "two"] {
            manager(&layer).update(&7, |s| s.set_role(role)).await.unwrap();
            if role == "one" {
                see(&mut tab, |s| s.user()).await; // gets a token, and has not presented it
            }
        }
        let second = tab.cookie.clone();
        assert_eq!(see(&mut tab, |s| s.user()).await, Some(7));
        assert_ne!(tab.cookie, second, "{}: it was handed out before the change", under.name);
        assert_eq!(see(&mut tab, |s| s.user()).await, Some(7), "{}", under.name);
    }
}

#[tokio::test]
async fn a_job_signs_nobody_in_but_may_sign_out_and_end() {
    for under in all().await {
        let layer = layer(&under);
        let mut tab = signed_in(&layer, 7).await;
        let sessions = manager(&layer);
        for user in [7, 8] {
            let refused = sessions.update(&7, move |s| s.set_user(user)).await;
            assert!(matches!(refused, Err(SessionError::HeadSent)), "{}", under.name);
        }
        let refused = sessions.update(&7, |s| s.reauthenticated()).await;
        assert!(matches!(refused, Err(SessionError::HeadSent)), "{}", under.name);
        assert_eq!(see(&mut tab, |s| s.user()).await, Some(7), "{}", under.name);

        assert_eq!(sessions.update(&7, |s| s.clear_user()).await.unwrap().len(), 1);
        assert_eq!(see(&mut tab, |s| s.user()).await, None, "{}", under.name);
        assert!(sessions.sessions_of(&7).await.unwrap().is_empty());

        let mut tab = signed_in(&layer, 7).await;
        sessions.as_administrator().update(&7, |s| s.destroy()).await.unwrap();
        let because = see(&mut tab, |s| s.ended_because()).await;
        assert_eq!(because, Some(EndReason::Administrator), "{}", under.name);
    }
}

fn writes(call: &Call) -> bool {
    matches!(call, Call::Apply(..) | Call::Create(_) | Call::Delete(_))
}

#[tokio::test]
async fn a_change_that_changes_nothing_writes_nothing_and_is_no_activity() {
    let under = memory();
    let spy = Spy::on(under.store.clone());
    let layer = SessionLayer::new(spy.clone()).schema::<Visitor>();
    let mut tab = signed_in(&layer, 7).await;
    spy.calls();
    under.clock.advance(20 * MINUTE);
    manager(&layer).update(&7, |s| s.note().len()).await.unwrap();
    assert_eq!(spy.calls().iter().filter(|call| writes(call)).count(), 0);
    manager(&layer).update(&7, |s| s.set_note("changed")).await.unwrap();
    assert_eq!(spy.calls().iter().filter(|call| writes(call)).count(), 1);
    under.clock.advance(10 * MINUTE);
    assert_eq!(see(&mut tab, |s| s.user()).await, None, "idle since its last request");
}

#[tokio::test]
async fn pages_hold_every_session_once() {
    for under in all().await {
        let layer = layer(&under);
        for _ in 0..7 {
            signed_in(&layer, 7).await;
        }
        let sessions = manager(&layer);
        let (mut seen, mut from) = (Vec::new(), None);
        loop {
            let page = sessions.page(&7, from.as_ref(), 3).await.unwrap();
            seen.extend(page.sessions.iter().map(|it| it.id));
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        seen.sort();
        let mut all: Vec<_> =
            sessions.sessions_of(&7).await.unwrap().iter().map(|it| it.id).collect();
        all.sort();
        assert_eq!((seen.len(), &seen), (7, &all), "{}", under.name);
        let foreign = session_runtime::store::contract::Cursor::new("x");
        assert!(matches!(sessions.page(&7, Some(&foreign), 3).await, Err(SessionError::Store(_))));
    }
}

#[tokio::test]
async fn everybody_who_signed_in_before_a_time_is_signed_out() {
    for under in all().await {
        let layer = layer(&under);
        let mut old = signed_in(&layer, 7).await;
        let mut anonymous = Tab::new(&layer);
        anonymous.run(|mut s: Handle| async move { s.set_note("cart") }).await.ok();
        let mut again = signed_in(&layer, 8).await;
        // Another application on the same store.
        let office = SessionLayer::new(under.store.clone()).realm("office");
        let mut clerk = signed_in(&office, 7).await;
        under.clock.advance(MINUTE);
        let leak = SystemTime::from(under.clock.now());
        again.run(|mut s: Handle| async move { s.set_user(8) }).await.ok();
        let mut new = signed_in(&layer, 9).await;
        assert_eq!(layer.manager().revoke_everybody(leak).await.unwrap(), 2, "{}", under.name);
        let because = see(&mut old, |s| s.ended_because()).await;
        assert_eq!(because, Some(EndReason::Administrator), "{}", under.name);
        assert_eq!(see(&mut anonymous, |s| s.note().to_owned()).await, "");
        assert_eq!(see(&mut again, |s| s.user()).await, Some(8), "{}", under.name);
        assert_eq!(see(&mut new, |s| s.user()).await, Some(9));
        assert_eq!(see(&mut clerk, |s| s.user()).await, Some(7));
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_user_who_is_erased() {
    for under in all().await {
        let layer = layer(&under);
        let mut tab = signed_in(&layer, 7).await;
        let mut left = signed_in(&layer, 7).await;
        left.run(|mut s: Handle| async move {
            s.set_note("an address");
            s.clear_user();
        })
        .await
        .ok();
        let mut other = signed_in(&layer, 8).await;
        assert_eq!(see(&mut left, |s| s.note().to_owned()).await, "an address");
        let all = manager(&layer).export(&7).await.unwrap();
        let notes = all.iter().filter_map(|it| it.fields.get("note")).collect::<Vec<_>>();
        assert!(all.len() == 2 && notes == ["an address"], "{}", under.name);
        assert_eq!(manager(&layer).erase(&7).await.unwrap(), 2, "{}", under.name);
        assert_eq!(see(&mut tab, |s| s.user()).await, None, "{}", under.name);
        assert_eq!(see(&mut left, |s| s.note().to_owned()).await, "", "{}", under.name);
        assert_eq!(see(&mut other, |s| s.user()).await, Some(8), "{}", under.name);
    }
}

#[tokio::test]
async fn an_export_has_all_fields_but_the_secret_ones() {
    #[derive(SessionSchema)]
    struct Account {
        #[session(principal)]
        user: Option<u64>,
        #[session(secret)]
        oauth: Option<String>,
        #[session(secret, alias = "former")]
        renamed: Option<String>,
        #[session(nonce)]
        code: Option<String>,
        #[session(nonce = keyed, ttl = "10m")]
        flows: std::collections::HashMap<String, String>,
        #[session(rename = "n")]
        note: String,
    }
    let ring = session_runtime::keys::KeyRing::from_bytes(&session_tests::keys::secret(3)).unwrap();
    for under in all().await {
        let layer = SessionLayer::new(under.store.clone()).keys(ring.clone()).schema::<Account>();
        let sets = |mut s: Session<Account>| async move {
            s.set_user(7);
            s.set_oauth("token");
            s.set_code("once");
            s.set_flows("state", "once".to_owned());
            s.set_note("pen");
        };
        Tab::new(&layer).ask(sets).await.ok();
        let sessions = layer.manager_for::<Account>().unwrap();
        let all = sessions.export(&7).await.unwrap();
        assert_eq!(all.len(), 1, "{}", under.name);
        let fields: Vec<_> = all[0].fields.iter().map(|(n, v)| format!("{n}={v}")).collect();
        assert_eq!(fields, ["n=\"pen\"", "user=7"], "{}", under.name);
        assert!(sessions.export(&8).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn events_tell_of_an_end_by_a_job() {
    let under = memory();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ears = Arc::clone(&heard);
    let layer = layer(&under).on_event(move |event| {
        ears.lock().unwrap().extend(event.because);
    });
    signed_in(&layer, 7).await;
    manager(&layer).as_administrator().update(&7, |s| s.destroy()).await.unwrap();
    assert_eq!(*heard.lock().unwrap(), [EndReason::Administrator]);
}

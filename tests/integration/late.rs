//! Saves that nobody waits for, and whatever happens while one is under way.

mod lost;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Request};
use axum::middleware::{Next, from_fn};
use axum::response::{Redirect, Response};
use axum::routing::{MethodRouter, post};
use http::request::Parts;
use http::{HeaderMap, Method};
use session_runtime::{Session, SessionError, SessionLayer, SessionManager, session_of};
use session_tests::slow::{Fault, Gate, Method as Call};
use session_tests::stores::{all, memory};
use session_tests::traced::Traced;
use session_tests::{Client, Reply, Slow};
use tokio::sync::{Barrier, Notify};

use crate::visitor::{Visitor, show};

fn routes() -> Router {
    let sign_in =
        |Path(user): Path<u64>, mut s: Session<Visitor>| async move { s.set_user_id(user) };
    Router::new()
        .route("/sign-in/{user}", post(sign_in))
        .route("/start", post(|mut s: Session<Visitor>| async move { s.set_locale("de") }))
        .route("/logout", post(|mut s: Session<Visitor>| async move { s.destroy() }))
        .route("/read", post(|s: Session<Visitor>| async move { show(&s) }))
}

fn app(layer: SessionLayer, handler: MethodRouter) -> (Router, SessionManager) {
    let manager = layer.manager();
    (routes().route("/run", handler).layer(layer), manager)
}

/// A browser that has been to `path`.
async fn been_to(app: &Router, path: &str) -> Client {
    let mut client = Client::new(app);
    client.post(path).await;
    client
}

/// Saves, and stops waiting for it when the store has the call.
async fn cancelled_save(session: &mut Session<Visitor>, gate: &Gate) {
    tokio::select! {
        saved = session.save() => panic!("not cancelled: {saved:?}"),
        () = gate.reached() => {}
    }
    gate.open();
}

/// The client hangs up when this happens.
async fn hangs_up(client: &Client, path: &str, when: impl Future<Output = ()>) {
    tokio::select! {
        reply = client.ask(Method::POST, path) => panic!("it did not hang up: {reply:?}"),
        () = when => {}
    }
}

async fn eventually_empty(manager: &SessionManager) {
    for _ in 0..500 {
        if manager.count().await.unwrap() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the session was not destroyed");
}

/// Has the answer to `/run` come late: the handler, which waits at the barrier
/// twice, has loaded its session before `meanwhile` begins, and goes on after
/// it.
async fn late(client: &Client, meet: &Barrier, meanwhile: impl Future<Output = ()>) -> Reply {
    let tab = client.tab();
    let late = tokio::spawn(async move { tab.ask(Method::POST, "/run").await });
    meet.wait().await;
    meanwhile.await;
    meet.wait().await;
    late.await.unwrap()
}

fn removes_the_cookie(reply: &Reply) -> bool {
    reply.set_cookie().is_some_and(|cookie| cookie.contains("Max-Age=0"))
}

const NOBODY: &str = "nobody en 0 []";

#[tokio::test]
async fn a_logout_whose_save_is_cancelled_is_a_logout() {
    for fault in [Fault::AskedLate, Fault::AnsweredLate] {
        for under in all().await {
            let slow = Slow::on(under.store);
            let store = slow.clone();
            let handler = move |mut s: Session<Visitor>| async move {
                let gate = store.next(Call::Delete, fault);
                s.destroy();
                cancelled_save(&mut s, &gate).await;
            };
            let (app, manager) = app(SessionLayer::new(slow), post(handler));
            let mut client = been_to(&app, "/sign-in/1").await;
            let old = client.tab();
            let reply = client.post("/run").await;
            assert_eq!(reply.status, 200, "{} {fault:?}", under.name);
            assert!(removes_the_cookie(&reply), "{} {fault:?}: {reply:?}", under.name);
            assert_eq!(old.ask(Method::POST, "/read").await.body, NOBODY, "{}", under.name);
            assert_eq!(manager.count().await.unwrap(), 0);
        }
    }
}

#[tokio::test]
async fn a_sign_in_whose_save_is_cancelled_comes_with_its_cookie() {
    for fault in [Fault::AskedLate, Fault::AnsweredLate] {
        for (before, call) in [("/start", Call::Apply), ("/read", Call::Create)] {
            for under in all().await {
                let slow = Slow::on(under.store);
                let store = slow.clone();
                let handler = move |mut s: Session<Visitor>| async move {
                    let gate = store.next(call, fault);
                    s.set_user_id(7);
                    cancelled_save(&mut s, &gate).await;
                    "welcome"
                };
                let (app, manager) = app(SessionLayer::new(slow), post(handler));
                let mut client = been_to(&app, before).await;
                let reply = client.post("/run").await;
                assert_eq!(reply.body, "welcome", "{} {fault:?} {call:?}", under.name);
                let seen = client.post("/read").await.body;
                assert!(seen.starts_with("7 "), "{} {fault:?} {call:?}: {seen}", under.name);
                assert_eq!(manager.count().await.unwrap(), 1);
            }
        }
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_during_the_save_of_its_logout_is_logged_out() {
    for under in all().await {
        let slow = Slow::on(under.store);
        let handler = |mut s: Session<Visitor>| async move {
            s.destroy();
            s.save().await
        };
        let (app, manager) = app(SessionLayer::new(slow.clone()), post(handler));
        let client = been_to(&app, "/sign-in/1").await;
        let gate = slow.next(Call::Delete, Fault::AskedLate);
        hangs_up(&client, "/run", gate.reached()).await;
        gate.open();
        eventually_empty(&manager).await;
        assert_eq!(client.ask(Method::POST, "/read").await.body, NOBODY, "{}", under.name);
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_during_the_commit_of_its_logout_is_logged_out() {
    for under in all().await {
        let slow = Slow::on(under.store);
        let handler = |mut s: Session<Visitor>| async move { s.destroy() };
        let (app, manager) = app(SessionLayer::new(slow.clone()), post(handler));
        let client = been_to(&app, "/sign-in/1").await;
        let gate = slow.next(Call::Delete, Fault::AskedLate);
        hangs_up(&client, "/run", gate.reached()).await;
        gate.open();
        eventually_empty(&manager).await;
        assert_eq!(client.ask(Method::POST, "/read").await.body, NOBODY, "{}", under.name);
    }
}

/// A logout that fails when nobody listens any more is at least in the log.
#[tokio::test]
async fn a_commit_that_fails_after_its_client_has_hung_up_is_logged() {
    let (under, traced) = (memory(), Traced::start());
    let slow = Slow::on(under.store);
    let handler = |mut s: Session<Visitor>| async move { s.destroy() };
    let (app, _) = app(SessionLayer::new(slow.clone()), post(handler));
    let client = been_to(&app, "/sign-in/1").await;
    let gate = slow.next(Call::Delete, Fault::Fails);
    hangs_up(&client, "/run", gate.reached()).await;
    gate.open();
    let said = || traced.text().contains("could not be saved after its request had ended");
    for _ in 0..1_000 {
        if said() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{}", traced.text());
}

#[tokio::test]
async fn a_task_destroys_the_session_after_its_client_has_hung_up() {
    for under in all().await {
        let (begun, hung_up) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (tell, wait) = (Arc::clone(&begun), Arc::clone(&hung_up));
        let handler = move |mut s: Session<Visitor>| async move {
            let task = async move {
                tell.notify_one();
                wait.notified().await;
                s.destroy();
            };
            tokio::spawn(task).await.unwrap();
        };
        let (app, manager) = app(SessionLayer::new(under.store), post(handler));
        let client = been_to(&app, "/sign-in/1").await;
        hangs_up(&client, "/run", begun.notified()).await;
        hung_up.notify_one();
        eventually_empty(&manager).await;
        assert_eq!(client.ask(Method::POST, "/read").await.body, NOBODY, "{}", under.name);
    }
}

#[tokio::test]
async fn a_task_that_destroys_the_session_while_the_response_commits_wins() {
    for fault in [Fault::AskedLate, Fault::AnsweredLate, Fault::Fails] {
        for under in all().await {
            let slow = Slow::on(under.store);
            let store = slow.clone();
            let handler = move |mut s: Session<Visitor>, mut other: Session<Visitor>| async move {
                let gate = store.next(Call::Apply, fault);
                s.add_visits(1);
                tokio::spawn(async move {
                    gate.reached().await;
                    other.destroy();
                    gate.open();
                });
            };
            let (app, manager) = app(SessionLayer::new(slow), post(handler));
            let mut client = been_to(&app, "/sign-in/1").await;
            let old = client.tab();
            let reply = client.post("/run").await;
            assert!(removes_the_cookie(&reply), "{} {fault:?}: {reply:?}", under.name);
            assert_eq!(old.ask(Method::POST, "/read").await.body, NOBODY, "{}", under.name);
            assert_eq!(manager.count().await.unwrap(), 0);
        }
    }
}

#[tokio::test]
async fn a_change_dropped_while_the_response_commits_is_reported() {
    let traced = Traced::start();
    let slow = Slow::new();
    let store = slow.clone();
    let handler = move |mut s: Session<Visitor>, mut other: Session<Visitor>| async move {
        let gate = store.next(Call::Apply, Fault::AskedLate);
        s.add_visits(1);
        tokio::spawn(async move {
            gate.reached().await;
            other.set_nickname("lost");
            drop(other);
            gate.open();
        });
    };
    let (app, _) = app(SessionLayer::new(slow), post(handler));
    let mut client = been_to(&app, "/sign-in/1").await;
    assert_eq!(client.post("/run").await.status, 200);
    let text = traced.text();
    assert!(text.contains("came too late") && text.contains("nickname Set"), "{text}");
    assert!(text.contains("call `save().await`") && !text.contains("\"lost\""), "{text}");
    assert_eq!(client.post("/read").await.body, "1 en 1 []", "the rest is stored");
}

#[tokio::test]
async fn a_change_published_after_the_response_has_left_is_reported() {
    let traced = Traced::start();
    let (give, mut take) = tokio::sync::mpsc::unbounded_channel();
    let handler = move |s: Session<Visitor>| async move { give.send(s).unwrap() };
    let (app, _) = app(SessionLayer::new(memory().store), post(handler));
    let mut client = been_to(&app, "/sign-in/1").await;
    client.post("/run").await;
    let mut held = take.recv().await.unwrap();
    held.set_locale("fr");
    held.publish();
    assert!(!traced.text().contains("came too late"), "a save could still follow");
    drop(held);
    let text = traced.text();
    assert!(text.contains("came too late") && text.contains("locale Set"), "{text}");
    assert_eq!(client.post("/read").await.body, "1 en 0 []");
}

#[tokio::test]
async fn a_change_published_after_the_response_has_left_and_then_saved_is_no_loss() {
    let traced = Traced::start();
    let (give, mut take) = tokio::sync::mpsc::unbounded_channel();
    let handler = move |s: Session<Visitor>| async move { give.send(s).unwrap() };
    let (app, _) = app(SessionLayer::new(memory().store), post(handler));
    let mut client = been_to(&app, "/sign-in/1").await;
    client.post("/run").await;
    let mut held = take.recv().await.unwrap();
    held.set_locale("fr");
    held.publish();
    held.save().await.unwrap();
    drop(held);
    assert!(!traced.text().contains("came too late"), "{}", traced.text());
    assert_eq!(client.post("/read").await.body, "1 fr 0 []");
}

#[tokio::test]
async fn what_is_set_after_a_destroy_that_failed_once_is_not_lost() {
    for under in all().await {
        let slow = Slow::on(under.store);
        let store = slow.clone();
        let handler = move |mut s: Session<Visitor>| async move {
            s.destroy();
            s.set_user_id(2);
            store.next(Call::Delete, Fault::Fails).open();
            assert!(matches!(s.save().await, Err(SessionError::Store(_))));
            assert_eq!(s.user_id(), Some(2));
            s.save().await
        };
        let (app, manager) = app(SessionLayer::new(slow), post(handler));
        let mut client = been_to(&app, "/sign-in/1").await;
        let old = client.tab();
        assert_eq!(client.post("/run").await.status, 200, "{}", under.name);
        assert_eq!(client.post("/read").await.body, "2 en 0 []", "{}", under.name);
        assert_eq!(old.ask(Method::POST, "/read").await.body, NOBODY);
        assert_eq!(manager.count().await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_late_second_logout_does_not_remove_the_cookie_of_a_new_login() {
    for under in all().await {
        let meet = Arc::new(Barrier::new(2));
        let waits = Arc::clone(&meet);
        let handler = move |mut s: Session<Visitor>| async move {
            waits.wait().await;
            waits.wait().await;
            s.destroy();
        };
        let (app, _) = app(SessionLayer::new(under.store), post(handler));
        let mut client = been_to(&app, "/sign-in/1").await;
        let first = client.tab();
        let meanwhile = async {
            client.post("/logout").await;
            client.post("/sign-in/2").await;
        };
        let reply = late(&first, &meet, meanwhile).await;
        assert_eq!((reply.status.as_u16(), reply.set_cookie()), (200, None), "{}", under.name);
        client.keep(&reply);
        assert_eq!(client.post("/read").await.body, "2 en 0 []", "{}", under.name);
    }
}

/// What was in a session that somebody has ended begins no other one.
#[tokio::test]
async fn a_sign_in_after_a_logout_beside_it_brings_nothing_of_the_session_that_ended() {
    for under in all().await {
        let meet = Arc::new(Barrier::new(2));
        let waits = Arc::clone(&meet);
        let handler = move |mut s: Session<Visitor>| async move {
            waits.wait().await;
            waits.wait().await;
            s.set_user_id(1);
        };
        let (app, _) = app(SessionLayer::new(under.store), post(handler));
        let mut client = been_to(&app, "/start").await;
        let first = client.tab();
        let reply = late(&first, &meet, async { drop(client.post("/logout").await) }).await;
        assert_eq!(reply.status, 200, "{}", under.name);
        client.keep(&reply);
        assert_eq!(client.post("/read").await.body, "1 en 0 []", "{}", under.name);
    }
}

/// Where the later commit counts, the store is not asked to compare.
#[tokio::test]
async fn a_field_whose_later_commit_counts_meets_no_conflict() {
    for under in all().await {
        let meet = Arc::new(Barrier::new(2));
        let waits = Arc::clone(&meet);
        let handler = move |mut s: Session<Visitor>| async move {
            waits.wait().await;
            waits.wait().await;
            s.set_locale("fr");
        };
        let (app, manager) = app(SessionLayer::new(under.store), post(handler));
        let mut client = been_to(&app, "/sign-in/1").await;
        let first = client.tab();
        let reply = late(&first, &meet, async { drop(client.post("/start").await) }).await;
        assert_eq!(
            (reply.status.as_u16(), manager.metrics().conflicts),
            (200, 0),
            "{}",
            under.name
        );
        assert_eq!(client.post("/read").await.body, "1 fr 0 []", "{}", under.name);
    }
}

/// Who asks for the session once more, in the request to which `save()` has said that it is
/// over, sees nobody.
#[tokio::test]
async fn after_save_has_said_that_a_session_is_over_its_request_sees_nobody() {
    for under in all().await {
        let meet = Arc::new(Barrier::new(2));
        let waits = Arc::clone(&meet);
        let handler = move |parts: Parts| async move {
            let look = || session_of::<Visitor>(&parts.extensions, &parts.headers);
            let mut first = look().await.unwrap();
            waits.wait().await;
            waits.wait().await;
            first.add_visits(1);
            let saved = first.save().await;
            drop(first);
            format!("{saved:?} {:?}", look().await.unwrap().user_id())
        };
        let (app, _) = app(SessionLayer::new(under.store), post(handler));
        let mut client = been_to(&app, "/sign-in/1").await;
        let first = client.tab();
        let reply = late(&first, &meet, async { drop(client.post("/logout").await) }).await;
        assert_eq!(reply.body, "Err(Gone) None", "{}", under.name);
    }
}

#[tokio::test]
async fn destroy_ends_a_session_that_changed_hands_also_after_save_has_said_so() {
    for saves in [true, false] {
        for under in all().await {
            let meet = Arc::new(Barrier::new(2));
            let waits = Arc::clone(&meet);
            let handler = move |mut s: Session<Visitor>| async move {
                waits.wait().await;
                waits.wait().await;
                if saves {
                    s.set_locale("fr");
                    assert!(matches!(s.save().await, Err(SessionError::Gone)));
                }
                s.destroy();
            };
            let (app, manager) = app(SessionLayer::new(under.store), post(handler));
            let mut client = been_to(&app, "/sign-in/1").await;
            let first = client.tab();
            let meanwhile = async {
                client.post("/sign-in/1").await;
            };
            assert_eq!(late(&first, &meet, meanwhile).await.status, 200, "{}", under.name);
            assert_eq!(client.post("/read").await.body, NOBODY, "{} {saves}", under.name);
            assert_eq!(manager.count().await.unwrap(), 0);
        }
    }
}

#[tokio::test]
async fn destroy_wins_over_another_handles_save_under_way() {
    let faults = [Fault::AskedLate, Fault::AnsweredLate, Fault::Fails];
    for (before, call) in [("/start", Call::Apply), ("/read", Call::Create)] {
        for fault in faults {
            for under in all().await {
                let slow = Slow::on(under.store);
                let store = slow.clone();
                let handler = move |mut saves: Session<Visitor>, mut destroys: Session<Visitor>| async move {
                    let gate = store.next(call, fault);
                    saves.set_user_id(9);
                    let _ = tokio::join!(saves.save(), async {
                        gate.reached().await;
                        destroys.destroy();
                        gate.open();
                    });
                };
                let (app, manager) = app(SessionLayer::new(slow), post(handler));
                let mut client = been_to(&app, before).await;
                let reply = client.post("/run").await;
                let case = format!("{} {call:?} {fault:?}: {reply:?}", under.name);
                assert_eq!(reply.status, 200, "{case}");
                assert_eq!(client.token(), None, "{case}");
                assert_eq!(client.post("/read").await.body, NOBODY, "{case}");
                assert_eq!(manager.count().await.unwrap(), 0, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn a_handle_reloads_after_another_one_of_its_request_has_signed_in() {
    for under in all().await {
        let handler = |mut signs_in: Session<Visitor>, mut reloads: Session<Visitor>| async move {
            signs_in.set_user_id(5);
            signs_in.save().await?;
            reloads.reload().await?;
            assert_eq!(reloads.user_id(), Some(5));
            reloads.add_visits(1);
            reloads.save().await
        };
        let (app, _) = app(SessionLayer::new(under.store), post(handler));
        let mut client = been_to(&app, "/start").await;
        assert_eq!(client.post("/run").await.status, 200, "{}", under.name);
        assert_eq!(client.post("/read").await.body, "5 de 1 []", "{}", under.name);
    }
}

#[tokio::test]
async fn middleware_that_writes_after_the_handlers_logout_does_not_spoil_it() {
    async fn outer(mut session: Session<Visitor>, request: Request, next: Next) -> Response {
        let response = next.run(request).await;
        session.set_locale("fr");
        response
    }
    let layer = SessionLayer::new(memory().store);
    let manager = layer.manager();
    let logout = |mut s: Session<Visitor>| async move {
        s.destroy();
        Redirect::to("/")
    };
    let app = Router::new()
        .route("/run", post(logout))
        .layer(from_fn(outer))
        .merge(routes())
        .layer(layer);
    let mut client = been_to(&app, "/sign-in/1").await;
    let reply = client.post("/run").await;
    assert_eq!(reply.status, 303);
    assert!(removes_the_cookie(&reply), "{reply:?}");
    assert_eq!(manager.count().await.unwrap(), 0, "and starts no other one");
}

#[tokio::test]
async fn a_task_that_asks_for_the_session_after_the_response_sees_what_that_stored() {
    for under in all().await {
        let (give, mut take) = tokio::sync::mpsc::unbounded_channel();
        let handler = move |parts: Parts, mut s: Session<Visitor>| async move {
            s.set_user_id(5);
            give.send(parts.extensions).unwrap();
        };
        let (app, _) = app(SessionLayer::new(under.store), post(handler));
        let mut client = been_to(&app, "/start").await;
        assert_eq!(client.post("/run").await.status, 200);
        let extensions = take.recv().await.unwrap();
        let mut late = session_of::<Visitor>(&extensions, &HeaderMap::new()).await.unwrap();
        assert_eq!(late.user_id(), Some(5), "{}", under.name);
        late.add_visits(1);
        late.save().await.unwrap();
        assert_eq!(client.post("/read").await.body, "5 de 1 []", "{}", under.name);
    }
}

#[tokio::test]
async fn a_change_behind_the_save_of_a_sign_in_that_nobody_waits_for_is_stored_after_it() {
    for under in all().await {
        let slow = Slow::on(under.store);
        let store = slow.clone();
        let handler = move |mut signs_in: Session<Visitor>, mut counts: Session<Visitor>| async move {
            let gate = store.next(Call::Apply, Fault::AnsweredLate);
            signs_in.set_user_id(5);
            cancelled_save(&mut signs_in, &gate).await;
            counts.add_visits(1);
        };
        let (app, _) = app(SessionLayer::new(slow), post(handler));
        let mut client = been_to(&app, "/start").await;
        assert_eq!(client.post("/run").await.status, 200, "{}", under.name);
        assert_eq!(client.post("/read").await.body, "5 de 1 []", "{}", under.name);
    }
}

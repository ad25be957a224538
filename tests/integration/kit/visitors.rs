//! Handlers as functions, cookies, tabs, time.

use std::time::Duration;

use axum::body::Body;
use axum::routing::post;
use axum::{Router, response::Redirect};
use http::{Request, StatusCode};
use session_runtime::store::MemoryStore;
use session_runtime::testing::{
    Fault, FaultStore, Gate, Operation, SpyStore, TestSession, frozen_clock,
};
use session_runtime::{
    Authenticated, AuthenticatedRejection, Session, SessionError, SessionLayer, SessionManager,
};
use session_tests::stores::sqlite;

use super::{panic_of, visitor};
use crate::visitor::Visitor;

async fn home(mut session: Session<Visitor>) -> String {
    session.add_visits(1);
    format!("{} visits", session.visits())
}

async fn login(mut session: Session<Visitor>) -> Redirect {
    session.set_user_id(42);
    Redirect::to("/")
}

async fn logout(mut session: Session<Visitor>) {
    session.destroy();
}

async fn account(who: Authenticated<Visitor>) -> String {
    format!("user {}", who.principal())
}

async fn devices(
    session: Session<Visitor>,
    sessions: SessionManager,
) -> Result<usize, SessionError> {
    let all = sessions.sessions_of(&42u64).await?.len();
    sessions.revoke_others(&session).await?;
    Ok(all)
}

#[tokio::test]
async fn a_handler_is_called_and_the_next_session_sees_what_it_did() {
    let t = TestSession::<Visitor>::new();
    home(t.session()).await;
    assert_eq!(t.session().visits(), 1);
    assert_eq!(home(t.session()).await, "2 visits");
    assert_eq!(t.session().visits(), 2);
}

#[test]
fn no_runtime_is_needed() {
    let t = visitor().with(|s| s.set_locale("de"));
    t.session().cart_mut().push("pen".to_owned());
    assert_eq!((t.session().locale(), t.session().cart().len()), ("de", 1));
    t.advance(Duration::from_secs(31 * 60));
    assert_eq!(t.session().locale(), "en");
}

#[test]
fn outside_of_a_runtime_it_waits_for_a_store_that_waits() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let under = runtime.block_on(sqlite());
    drop(runtime);
    let t = TestSession::<Visitor>::with_store(under.store.clone()).signed_in_as(7);
    t.session().set_locale("fr");
    assert_eq!(t.stored().unwrap().fields.get("locale"), Some(&b"\"fr\""[..]));
    assert_eq!(*t.authenticated().principal(), 7);
}

#[tokio::test]
async fn inside_a_runtime_a_store_that_waits_is_named_with_the_cure() {
    let store = FaultStore::new(MemoryStore::new());
    let (create, load) = (Gate::new(), Gate::new());
    store.next(Operation::Create, Fault::AskedLate(create.clone()));
    let t = TestSession::<Visitor>::with_store(store.clone());
    // Nobody is asked for a visitor without a cookie.
    t.open().await.unwrap().set_locale("fr");
    let message = panic_of(|| drop(t.cookie()));
    assert!(
        message.contains("TestSession::cookie") && message.contains("settle().await"),
        "{message}"
    );
    create.open();
    t.settle().await;
    assert!(t.cookie().is_some(), "what began under the panic goes on");
    store.next(Operation::Load, Fault::AskedLate(load));
    let message = panic_of(|| drop(t.session()));
    assert!(message.contains("open().await"), "{message}");
    assert_eq!(t.open().await.unwrap().locale(), "fr");
    assert!(t.load_stored().await.unwrap().is_some());
    assert!(t.open_authenticated().await.is_err());
    assert!(t.open_existing().await.unwrap().is_some());
}

#[tokio::test]
async fn a_task_that_never_yields_may_look_as_often_as_it_likes() {
    let t = visitor();
    for _ in 0..500 {
        home(t.session()).await;
    }
    assert_eq!(t.session().visits(), 500);
}

#[tokio::test]
async fn a_sign_in_renews_the_cookie_and_the_old_one_is_nobodys() {
    let t = visitor().with(|s| s.set_locale("de"));
    let before = t.cookie().unwrap();
    drop(login(t.session()).await);
    let after = t.cookie().unwrap();
    assert_ne!(before, after);
    assert!(after.starts_with("__Host-session="), "{after}");
    assert_eq!(account(t.authenticated()).await, "user 42");
    let thief = t.another_visitor().with_cookie(before);
    assert!(matches!(thief.try_authenticated(), Err(AuthenticatedRejection::NotSignedIn { .. })));
    assert!(thief.existing().is_none() && thief.stored().is_none());
}

#[tokio::test]
async fn a_destroyed_session_is_gone_from_the_browser_and_from_the_store() {
    let t = visitor().signed_in_as(42);
    let id = *t.session().id().unwrap();
    assert_eq!(t.stored().unwrap().id, id);
    logout(t.session()).await;
    assert_eq!((t.cookie(), t.stored().is_none()), (None, true));
    assert!(t.session().is_new());
    assert_eq!(t.manager().count().await.unwrap(), 0);
}

#[test]
fn nobody_signed_in_is_said_with_the_cure() {
    let t = visitor().with(|s| s.set_locale("de"));
    assert!(panic_of(|| drop(t.authenticated())).contains("signed_in_as"));
    assert!(visitor().existing().is_none());
}

#[tokio::test]
async fn visitors_share_a_store_and_nothing_else() {
    let (one, phone) = {
        let one = visitor().signed_in_as(42);
        let phone = one.another_visitor().signed_in_as(42);
        (one, phone)
    };
    assert_ne!(one.cookie(), phone.cookie());
    one.session().set_locale("de");
    assert_eq!(phone.session().locale(), "en");
    assert_eq!(devices(phone.session(), phone.manager()).await.unwrap(), 2);
    assert!(one.try_authenticated().is_err(), "the other device was signed out");
    assert_eq!(*phone.authenticated().principal(), 42);
    assert_eq!(phone.typed_manager().sessions_of(&42).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_look_of_one_visitor_sees_what_another_one_did_before() {
    let one = visitor();
    let other = one.another_visitor();
    drop(login(one.session()).await);
    assert_eq!(other.manager().sessions_of(&42u64).await.unwrap().len(), 1);
}

#[test]
fn a_handle_that_is_held_is_a_request_under_way() {
    let t = visitor().with(|s| s.set_locale("de"));
    let (mut one, mut two) = (t.session(), t.session());
    one.set_locale("fr");
    two.add_visits(1);
    assert_eq!(t.session().locale(), "de", "nothing has ended");
    drop(two);
    assert_eq!((t.session().visits(), t.session().locale()), (1, "de"));
    drop(one);
    assert_eq!((t.session().visits(), t.session().locale()), (1, "fr"));
}

#[test]
fn requests_that_ended_between_two_looks_commit_in_the_order_in_which_they_began() {
    let t = visitor().with(|s| s.set_locale("de"));
    let (mut one, mut two) = (t.session(), t.session());
    one.set_locale("one");
    two.set_locale("two");
    drop(two);
    drop(one);
    assert_eq!(t.session().locale(), "two");
}

#[test]
fn time_passes_after_what_was_done_before_and_only_on_a_frozen_clock() {
    let t = visitor();
    t.session().set_locale("de");
    t.advance(Duration::from_secs(60));
    let age = t.clock().now().since(t.stored().unwrap().meta.created);
    assert_eq!(age, Duration::from_secs(60));
    let t = TestSession::<Visitor>::with_store(MemoryStore::new());
    let message = panic_of(|| t.advance(Duration::from_secs(60)));
    assert!(message.contains("frozen_clock"), "{message}");
}

#[tokio::test]
async fn settings_come_with_a_layer() {
    let store = MemoryStore::with_clock(frozen_clock());
    let layer = SessionLayer::new(store).idle_timeout(Some(Duration::from_secs(60)));
    let t = TestSession::<Visitor>::with_layer(layer.insecure_for_development());
    t.session().set_locale("de");
    assert!(t.cookie().unwrap().starts_with("session="));
    t.advance(Duration::from_secs(61));
    assert_eq!(t.session().locale(), "en");
    let broken = SessionLayer::new(MemoryStore::new()).idle_timeout(Some(Duration::ZERO));
    let message = panic_of(|| drop(TestSession::<Visitor>::with_layer(broken)));
    assert!(message.contains("idle_timeout"), "{message}");
}

#[tokio::test]
async fn a_request_through_a_router_is_one_more_of_the_visitor() {
    let t = visitor().with(|s| s.set_locale("de"));
    let app: Router = Router::new()
        .route("/login", post(login))
        .route("/account", post(account))
        .route("/logout", post(logout))
        .layer(t.layer());
    let request = |path| Request::post(path).header("cookie", "a=b").body(Body::empty()).unwrap();
    assert_eq!(t.send(&app, request("/account")).await.status(), StatusCode::UNAUTHORIZED);
    let before = t.cookie();
    assert_eq!(t.send(&app, request("/login")).await.status(), StatusCode::SEE_OTHER);
    assert_ne!(t.cookie(), before);
    assert_eq!(account(t.authenticated()).await, "user 42");
    assert_eq!(t.send(&app, request("/account")).await.status(), StatusCode::OK);
    t.send(&app, request("/logout")).await;
    assert_eq!(t.cookie(), None);
}

#[tokio::test]
async fn a_response_that_failed_stores_nothing_and_a_handle_that_lives_on_is_noticed() {
    let t = visitor().with(|s| s.set_locale("de"));
    t.session().set_locale("fr");
    t.respond(StatusCode::INTERNAL_SERVER_ERROR).await.unwrap();
    assert_eq!(t.session().locale(), "de");

    let mut moved_into_a_task = t.session();
    moved_into_a_task.set_locale("fr");
    let error = t.respond(StatusCode::OK).await.unwrap_err();
    assert!(matches!(*error, SessionError::Unpublished));
    assert!(moved_into_a_task.save().await.is_ok(), "as after the head has left");
    assert_eq!(t.session().locale(), "fr");
}

#[test]
fn nothing_that_prints_shows_the_cookie() {
    let spy = SpyStore::default();
    let t = TestSession::<Visitor>::with_store(spy.clone()).signed_in_as(42);
    let cookie = t.cookie().unwrap();
    let secret = &cookie[cookie.len() - 12..];
    let printed = format!("{t:?} {spy:?} {:?} {:?}", t.stored(), spy.calls());
    assert!(!printed.contains(secret), "{printed}");
}

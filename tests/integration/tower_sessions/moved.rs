//! An application that leaves tower-sessions signs nobody out.

use std::time::Duration;

use super::adapters::TowerSessionsLegacy;
use super::their_crate;
use super::their_crate::cookie::time::{Duration as Span, OffsetDateTime};
use super::their_crate::session::{Id, Record};
use super::their_crate::session_store::{self, SessionStore as TheirStore};
use axum::Router;
use axum::routing::{get, post};
use http::{Method, StatusCode};
use serde_json::json;
use session_runtime::legacy::Legacy;
use session_runtime::store::{MemoryStore, SessionStore, StoreErrorKind};
use session_runtime::testing::{Fault, FaultStore, Operation};
use session_runtime::{Authenticated, Session, SessionLayer, SessionManager};
use session_tests::Client;
use session_tests::stores::clock;

use crate::visitor::Visitor;

async fn home(session: Session<Visitor>) -> String {
    format!("{:?} {}", session.user_id(), session.locale())
}

async fn visit(mut session: Session<Visitor>) {
    session.add_visits(1);
}

async fn visits(session: Session<Visitor>) -> String {
    session.visits().to_string()
}

async fn fail(mut session: Session<Visitor>) -> StatusCode {
    session.add_visits(1);
    StatusCode::INTERNAL_SERVER_ERROR
}

async fn account(who: Authenticated<Visitor>, manager: SessionManager) -> String {
    let all = manager.sessions_of(who.principal()).await.unwrap();
    format!("{} {} {:?}", who.principal(), all.len(), who.authenticated_at())
}

async fn logout(mut session: Session<Visitor>) {
    session.destroy();
}

/// Their store, whose deletions can be made to fail.
#[derive(Clone, Debug, Default)]
struct Theirs {
    store: their_crate::MemoryStore,
    stuck: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

#[async_trait::async_trait]
impl TheirStore for Theirs {
    async fn save(&self, record: &Record) -> session_store::Result<()> {
        self.store.save(record).await
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        // Lets requests beside this one in between.
        tokio::task::yield_now().await;
        self.store.load(id).await
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        if self.stuck.load(std::sync::atomic::Ordering::Acquire) {
            return Err(session_store::Error::Backend("stuck".to_owned()));
        }
        self.store.delete(id).await
    }
}

impl Theirs {
    fn stick(&self, stuck: bool) {
        self.stuck.store(stuck, std::sync::atomic::Ordering::Release);
    }

    /// Somebody who signed in before the move.
    async fn signed_in(&self) -> Id {
        let data = [("user", json!(7)), ("locale", json!("de")), ("other", json!([1]))];
        let data = data.map(|(key, value)| (key.to_owned(), value)).into();
        let expiry_date = OffsetDateTime::now_utc() + Span::HOUR;
        let record = Record { id: Id::default(), data, expiry_date };
        self.store.save(&record).await.unwrap();
        record.id
    }
}

fn app(store: impl SessionStore, theirs: &Theirs) -> Router {
    let legacy = TowerSessionsLegacy::new(theirs.clone()).map(|mut data| {
        if let Some(user) = data.remove("user") {
            data.insert("user_id".to_owned(), user);
        }
        data
    });
    Router::new()
        .route("/", get(home))
        .route("/visit", post(visit))
        .route("/visits", get(visits))
        .route("/fail", post(fail))
        .route("/account", get(account))
        .route("/logout", post(logout))
        .layer(SessionLayer::new(store).schema::<Visitor>().adopt(legacy))
}

fn browser(app: &Router, id: Id) -> Client {
    let mut client = Client::new(app);
    client.cookies.insert("id".to_owned(), id.to_string());
    client
}

#[tokio::test]
async fn nobody_is_signed_out_and_the_old_cookie_and_record_are_gone() {
    let (store, theirs) = (MemoryStore::with_clock(clock()), Theirs::default());
    let app = app(store.clone(), &theirs);
    let id = theirs.signed_in().await;
    let mut client = browser(&app, id);
    assert_eq!(client.get("/").await.body, "Some(7) de");
    assert!(!client.cookies.contains_key("id"), "{:?}", client.cookies);
    assert!(client.token().is_some());
    assert_eq!(theirs.store.load(&id).await.unwrap(), None);
    assert_eq!(client.get("/account").await.body, "7 1 None");
    assert_eq!(client.get("/").await.body, "Some(7) de");
    assert_eq!(store.count().await.unwrap(), 1);
}

#[tokio::test]
async fn once_the_new_cookie_is_in_use_the_old_one_opens_nothing() {
    let (clock, theirs) = (clock(), Theirs::default());
    let app = app(MemoryStore::with_clock(clock.clone()), &theirs);
    let id = theirs.signed_in().await;
    let mut client = browser(&app, id);
    client.get("/").await;
    client.get("/").await;
    clock.advance(Duration::from_secs(61));
    assert_eq!(browser(&app, id).get("/").await.body, "None en");
    assert_eq!(client.get("/").await.body, "Some(7) de");
}

#[tokio::test]
async fn a_lost_response_signs_nobody_out() {
    let (clock, theirs) = (clock(), Theirs::default());
    let app = app(MemoryStore::with_clock(clock.clone()), &theirs);
    let mut client = browser(&app, theirs.signed_in().await);
    client.ask(Method::POST, "/visit").await;
    clock.advance(Duration::from_secs(600));
    assert_eq!(client.get("/").await.body, "Some(7) de");
    assert_eq!(client.get("/visits").await.body, "1");
    assert!(!client.cookies.contains_key("id"));
}

#[tokio::test]
async fn requests_at_once_come_to_one_session_and_all_their_changes_are_kept() {
    for _ in 0..50 {
        let (store, theirs) = (MemoryStore::with_clock(clock()), Theirs::default());
        let app = app(store.clone(), &theirs);
        let client = browser(&app, theirs.signed_in().await);
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let client = client.clone();
            tasks.spawn(async move { client.ask(Method::POST, "/visit").await });
        }
        let mut browser = client.clone();
        for reply in tasks.join_all().await {
            assert_eq!(reply.status, StatusCode::OK);
            browser.keep(&reply);
        }
        assert_eq!(store.count().await.unwrap(), 1);
        assert_eq!(browser.get("/visits").await.body, "8");
        assert_eq!(browser.get("/").await.body, "Some(7) de");
        assert!(!browser.cookies.contains_key("id"));
    }
}

#[tokio::test]
async fn a_failure_on_the_way_loses_nobody() {
    let down = || Fault::Fails(StoreErrorKind::Unavailable);
    for (operation, fault) in [
        (Operation::Load, down()),
        (Operation::Create, down()),
        (Operation::Create, Fault::AnswerLost),
        (Operation::Apply, down()),
    ] {
        let theirs = Theirs::default();
        let store = FaultStore::new(MemoryStore::with_clock(clock()));
        let app = app(store.clone(), &theirs);
        let mut client = browser(&app, theirs.signed_in().await);
        store.next(operation, fault);
        client.post("/visit").await;
        assert_eq!(client.get("/").await.body, "Some(7) de", "{operation:?}");
        assert_eq!(client.get("/account").await.status, StatusCode::OK);
    }
    // Nor does a handler that fails.
    let theirs = Theirs::default();
    let app = app(MemoryStore::with_clock(clock()), &theirs);
    let mut client = browser(&app, theirs.signed_in().await);
    client.post("/fail").await;
    assert_eq!(client.get("/").await.body, "Some(7) de");
}

#[tokio::test]
async fn what_was_destroyed_is_not_taken_over_again_from_what_is_left() {
    let (clock, theirs) = (clock(), Theirs::default());
    let app = app(MemoryStore::with_clock(clock.clone()), &theirs);
    let id = theirs.signed_in().await;
    theirs.stick(true);
    let mut client = browser(&app, id);
    let refused = client.post("/logout").await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "not before theirs is deleted");
    theirs.stick(false);
    assert_eq!(client.get("/").await.body, "Some(7) de");
    client.post("/logout").await;
    assert!(client.cookies.is_empty());
    for later in [0, 61, 3_600] {
        clock.advance(Duration::from_secs(later));
        assert_eq!(browser(&app, id).get("/").await.body, "None en");
    }
}

#[tokio::test]
async fn a_logout_as_the_first_request_ends_it() {
    let (store, theirs) = (MemoryStore::with_clock(clock()), Theirs::default());
    let app = app(store.clone(), &theirs);
    let id = theirs.signed_in().await;
    let mut client = browser(&app, id);
    client.post("/logout").await;
    assert!(client.cookies.is_empty(), "{:?}", client.cookies);
    assert_eq!(store.count().await.unwrap(), 0);
    assert_eq!(browser(&app, id).get("/").await.body, "None en");
}

#[tokio::test]
async fn forged_unknown_and_expired_cookies_open_nothing_and_create_nothing() {
    let (store, theirs) = (MemoryStore::with_clock(clock()), Theirs::default());
    let app = app(store.clone(), &theirs);
    for value in [Id::default().to_string(), "x".to_owned(), "A".repeat(5_000), String::new()] {
        let mut client = Client::new(&app);
        client.cookies.insert("id".to_owned(), value);
        let reply = client.get("/").await;
        assert_eq!((reply.body.as_str(), reply.set_cookie()), ("None en", None));
    }
    assert_eq!(store.count().await.unwrap(), 0);
}

#[tokio::test]
async fn a_session_of_ours_goes_before_an_old_cookie() {
    let theirs = Theirs::default();
    let app = app(MemoryStore::with_clock(clock()), &theirs);
    let mut client = Client::new(&app);
    client.post("/visit").await;
    let id = theirs.signed_in().await;
    client.cookies.insert("id".to_owned(), id.to_string());
    assert_eq!(client.get("/").await.body, "None en");
    assert!(theirs.store.load(&id).await.unwrap().is_some(), "nobody touched it");
}

#[tokio::test]
async fn without_a_schema_it_is_refused_when_checked() {
    let legacy = TowerSessionsLegacy::new(Theirs::default());
    let error = SessionLayer::new(MemoryStore::new()).adopt(legacy).check().unwrap_err();
    assert!(error.to_string().contains("schema"), "{error}");
}

#[test]
fn the_id_in_a_signed_cookie_is_read_and_a_plain_one_is_not_accepted() {
    let store = their_crate::MemoryStore::default();
    // In place of a signature.
    let genuine = |value: &str| value.strip_prefix("genuine.").map(str::to_owned);
    let legacy = TowerSessionsLegacy::new(store).cookie_value(genuine);
    let id = Id::default().to_string();
    assert_eq!(legacy.credential(&format!("genuine.{id}")), Some(id.clone()));
    assert_eq!(legacy.credential("genuine.x"), None);
    assert_eq!(legacy.credential(&id), None);
}

#[test]
fn the_removal_of_a_prefixed_cookie_is_one_that_browsers_obey() {
    let removal = |name: &str| {
        let legacy = TowerSessionsLegacy::new(their_crate::MemoryStore::default());
        let legacy = legacy.cookie_name(name).cookie_scope("/app", Some("example.org")).unwrap();
        let removal = legacy.removal().to_str().unwrap().to_owned();
        removal.split("; ").map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(removal("sid"), ["sid=", "Path=/app", "Max-Age=0", "Domain=example.org"]);
    for name in ["__Secure-sid", "__secure-sid"] {
        let plain = [&format!("{name}="), "Path=/app", "Max-Age=0", "Domain=example.org", "Secure"];
        assert_eq!(removal(name), plain);
    }
    for name in ["__Host-sid", "__HOST-sid"] {
        assert_eq!(removal(name), [&format!("{name}="), "Path=/", "Max-Age=0", "Secure"]);
    }
}

#[test]
fn an_old_cookie_that_cannot_be_removed_is_refused_when_the_layer_is_checked() {
    let layer = |name: &str| {
        let legacy = TowerSessionsLegacy::new(their_crate::MemoryStore::default());
        let layer = SessionLayer::new(MemoryStore::new()).schema::<Visitor>();
        layer.adopt(legacy.cookie_name(name))
    };
    for name in ["", "a b", "a;b", "a=b", "a\r\nSet-Cookie: b", "b\u{fc}cher"] {
        let error = layer(name).check().unwrap_err().to_string();
        assert!(error.starts_with("`adopt`: the old cookie has a name that no"), "{error}");
    }
    for (layer, is_good) in [
        (layer("__Host-session"), false),
        (layer("session"), true),
        (layer("session").insecure_for_development(), false),
        (layer("__Host-session").insecure_for_development(), true),
        (layer("__Host-id"), true),
    ] {
        let checked = layer.check();
        assert_eq!(checked.is_ok(), is_good, "{checked:?}");
        if let Err(error) = checked {
            assert!(error.to_string().contains("has the name of this layer's"), "{error}");
        }
    }
}

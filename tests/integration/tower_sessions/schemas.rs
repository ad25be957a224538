//! Which fields are known when a session is taken over, and where it goes.

use std::sync::{Arc, Mutex};

use super::adapters::{AsTowerSessions, TowerSessionsLegacy};
use super::their_crate;
use super::their_crate::cookie::time::{Duration as Span, OffsetDateTime};
use super::their_crate::session::{Id, Record};
use super::their_crate::session_store::SessionStore as TheirStore;
use super::their_crate::{Session as TheirSession, SessionManagerLayer};
use axum::Router;
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use serde_json::json;
use session_runtime::schema::{MigrateError, Migration};
use session_runtime::store::{MemoryStore, SessionStore, SqliteStore};
use session_runtime::testing::{Fault, FaultStore, Gate, Operation};
use session_runtime::{Authenticated, Session, SessionLayer, SessionRejection, SessionSchema};
use session_tests::Client;
use session_tests::stores::clock;
use session_tests::traced::Traced;

/// What the whole application knows.
#[derive(SessionSchema)]
struct Common {
    #[session(default = "en")]
    locale: String,
}

/// Who is signed in: only some handlers ask.
#[derive(SessionSchema)]
struct Admin {
    #[session(principal)]
    user: Option<u64>,
}

/// The present version of a schema that has had another.
#[derive(SessionSchema)]
#[session(version = 2, migrate = upgrade)]
struct Later {
    locale: String,
}

fn upgrade(old: &mut Migration<'_>) -> Result<(), MigrateError> {
    old.set("locale", "upgraded")
}

async fn stored(theirs: &impl TheirStore) -> Id {
    let data = [("user", json!(7)), ("locale", json!("de")), ("other", json!("hush"))];
    let data = data.map(|(key, value)| (key.to_owned(), value)).into();
    let expiry_date = OffsetDateTime::now_utc() + Span::HOUR;
    let mut record = Record { id: Id::default(), data, expiry_date };
    theirs.create(&mut record).await.unwrap();
    record.id
}

fn routes() -> Router {
    Router::new()
        .route("/locale", get(|it: Session<Common>| async move { it.locale().to_owned() }))
        .route("/admin", get(|it: Session<Admin>| async move { format!("{:?}", it.user()) }))
        .route(
            "/account",
            get(|it: Authenticated<Admin>| async move { it.principal().to_string() }),
        )
        .route("/logout", post(|mut it: Session<Admin>| async move { it.destroy() }))
}

fn browser(app: &Router, id: Id) -> Client {
    let mut client = Client::new(app);
    client.cookies.insert("id".to_owned(), id.to_string());
    client
}

#[tokio::test]
async fn a_schema_that_was_forgotten_is_named_before_it_takes_anything_over() {
    let (store, theirs) = (MemoryStore::with_clock(clock()), their_crate::MemoryStore::default());
    let said = Arc::new(Mutex::new(String::new()));
    let noted = Arc::clone(&said);
    let note = move |response: Response| {
        let noted = Arc::clone(&noted);
        async move {
            if let Some(error) = response.extensions().get::<SessionRejection>() {
                *noted.lock().unwrap() = error.to_string();
            }
            response
        }
    };
    let forgets = SessionLayer::new(store.clone())
        .schema::<Common>()
        .adopt(TowerSessionsLegacy::new(theirs.clone()));
    let app = routes().layer(forgets).layer(map_response(note));
    let id = stored(&theirs).await;
    let mut client = browser(&app, id);
    let reply = client.get("/admin").await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(reply.set_cookie(), None);
    assert!(said.lock().unwrap().contains(".schema::<Admin>()"), "{}", said.lock().unwrap());
    assert_eq!(store.count().await.unwrap(), 0);
    assert!(theirs.load(&id).await.unwrap().is_some(), "theirs is still there");
    // Also where nobody has an old cookie: the first test finds it.
    assert_eq!(Client::new(&app).get("/admin").await.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(Client::new(&app).get("/locale").await.body, "en");

    let knows = SessionLayer::new(store).schema::<Common>().schema::<Admin>();
    let app = routes().layer(knows.adopt(TowerSessionsLegacy::new(theirs)));
    let mut client = browser(&app, id);
    assert_eq!(client.get("/locale").await.body, "de");
    assert_eq!(client.get("/account").await.body, "7", "whichever handler came first");
}

/// What the application's `map` makes of an old session is of the schema as it is now.
#[tokio::test]
async fn what_is_taken_over_is_of_the_present_version() {
    let (store, theirs) = (MemoryStore::with_clock(clock()), their_crate::MemoryStore::default());
    let layer = SessionLayer::new(store).schema::<Later>();
    let app = Router::new()
        .route("/", get(|it: Session<Later>| async move { it.locale().to_owned() }))
        .layer(layer.adopt(TowerSessionsLegacy::new(theirs.clone())));
    let mut client = browser(&app, stored(&theirs).await);
    for _ in 0..2 {
        assert_eq!(client.get("/").await.body, "de");
    }
}

#[tokio::test]
async fn what_no_schema_knows_is_kept_and_reported_once_without_its_value() {
    let traced = Traced::start();
    let (store, theirs) = (MemoryStore::with_clock(clock()), their_crate::MemoryStore::default());
    let layer = SessionLayer::new(store.clone()).schema::<Common>().schema::<Admin>();
    let app = routes().layer(layer.adopt(TowerSessionsLegacy::new(theirs.clone())));
    for _ in 0..3 {
        assert_eq!(browser(&app, stored(&theirs).await).get("/locale").await.body, "de");
    }
    let page = store.scan(None, 10).await.unwrap();
    assert_eq!(page.records.len(), 3);
    for record in page.records {
        assert_eq!(record.fields.get("other"), Some(&b"\"hush\""[..]));
    }
    let said = traced.text();
    let about: Vec<_> = said.lines().filter(|line| line.contains("no schema")).collect();
    assert!(about.len() == 1 && about[0].starts_with("WARN"), "{about:?}");
    assert!(about[0].contains("names=[\"other\"]"), "{about:?}");
    assert!(!said.contains("hush"), "{said}");
}

/// Their layer and ours on one file of SQLite.
#[tokio::test]
async fn both_may_be_in_one_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sessions.db");
    let old = SqliteStore::open(&file).await.unwrap();
    let theirs = AsTowerSessions::new(old);
    let login = |session: TheirSession| async move { session.insert("user", 7).await.unwrap() };
    let before =
        Router::new().route("/login", post(login)).layer(SessionManagerLayer::new(theirs.clone()));
    let mut client = Client::new(&before);
    client.post("/login").await;
    let old_cookie = client.cookies["id"].clone();

    let new = SqliteStore::open(&file).await.unwrap();
    let layer = SessionLayer::new(new.clone()).schema::<Common>().schema::<Admin>();
    let app = routes().layer(layer.adopt(TowerSessionsLegacy::new(theirs)));
    let mut after = Client::new(&app);
    after.cookies = client.cookies;
    // Requests at once, on one old cookie.
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let client = after.clone();
        tasks.spawn(async move { client.ask(http::Method::GET, "/account").await });
    }
    for reply in tasks.join_all().await {
        assert_eq!((reply.status, reply.body.as_str()), (StatusCode::OK, "7"));
        after.keep(&reply);
    }
    assert_eq!(new.count().await.unwrap(), 1, "theirs is gone, and ours is one");
    assert!(!after.cookies.contains_key("id"));
    assert_eq!(after.get("/account").await.body, "7");
    after.post("/logout").await;
    assert_eq!(new.count().await.unwrap(), 0);
    after.cookies.insert("id".to_owned(), old_cookie);
    assert_eq!(after.get("/admin").await.body, "None");
}

/// The slower one of two requests with one old cookie finds what the other one
/// has stored.
#[tokio::test]
async fn of_two_that_take_it_over_one_does_and_both_are_signed_in() {
    let (store, theirs) = (FaultStore::default(), their_crate::MemoryStore::default());
    let layer = SessionLayer::new(store.clone()).schema::<Common>().schema::<Admin>();
    let app = routes().layer(layer.adopt(TowerSessionsLegacy::new(theirs.clone())));
    let client = browser(&app, stored(&theirs).await);
    let gate = Gate::new();
    store.next(Operation::Create, Fault::AskedLate(gate.clone()));
    let slower = tokio::spawn({
        let client = client.clone();
        async move { client.ask(http::Method::GET, "/account").await }
    });
    gate.reached().await;
    let mut browser = client.clone();
    let first = browser.get("/account").await;
    gate.open();
    let second = slower.await.unwrap();
    assert_eq!((first.body.as_str(), second.body.as_str()), ("7", "7"));
    assert_eq!(store.count().await.unwrap(), 1);
    browser.keep(&second);
    assert_eq!(browser.get("/account").await.body, "7");
}

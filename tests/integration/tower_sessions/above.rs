//! tower-sessions' own layer, on stores of ours.

use std::collections::HashMap;
use std::time::Duration;

use super::adapters::AsTowerSessions;
use super::their_crate::cookie::time::{Duration as Span, OffsetDateTime};
use super::their_crate::session::{Id, Record};
use super::their_crate::session_store::{ExpiredDeletion, SessionStore as TheirStore};
use super::their_crate::{CachingSessionStore, Expiry, Session, SessionManagerLayer};
use axum::Router;
use axum::routing::{get, post};
use serde_json::json;
use session_runtime::clock::Clock;
use session_runtime::store::{AnyStore, MemoryStore, SessionStore, SqliteStore};
use session_runtime::testing::{Call, Fault, FaultStore, Gate, Operation, SpyStore};
use session_tests::Client;

async fn count(session: Session) -> String {
    let visits = session.get::<u64>("visits").await.unwrap().unwrap_or(0) + 1;
    session.insert("visits", visits).await.unwrap();
    let user: Option<u64> = session.get("user").await.unwrap();
    format!("{user:?} {visits}")
}

async fn look(session: Session) -> String {
    format!("{:?}", session.get::<u64>("visits").await.unwrap())
}

async fn login(session: Session) {
    session.cycle_id().await.unwrap();
    session.insert("user", 7u64).await.unwrap();
}

async fn logout(session: Session) {
    session.flush().await.unwrap();
}

fn app<S: SessionStore>(store: &AsTowerSessions<S>) -> Router {
    let expiry = Expiry::OnInactivity(Span::minutes(30));
    Router::new()
        .route("/", get(count))
        .route("/look", get(look))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .layer(SessionManagerLayer::new(store.clone()).with_expiry(expiry))
}

/// Their layer takes the time from the system, so each frozen clock starts there.
async fn stores() -> (Vec<(AnyStore, Clock)>, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let clocks = [(); 2].map(|()| Clock::frozen(Clock::system().now()));
    let file = directory.path().join("sessions.db");
    let sqlite = SqliteStore::options().clock(clocks[1].clone()).open(file).await.unwrap();
    let stores = [AnyStore::new(MemoryStore::with_clock(clocks[0].clone())), AnyStore::new(sqlite)];
    (stores.into_iter().zip(clocks).collect(), directory)
}

#[tokio::test]
async fn an_application_of_theirs_runs_on_every_store_of_ours() {
    let (stores, _directory) = stores().await;
    for (store, _) in stores {
        let app = app(&AsTowerSessions::new(store.clone()));
        let mut client = Client::new(&app);
        assert_eq!(client.get("/").await.body, "None 1");
        assert_eq!(client.get("/").await.body, "None 2");
        let before = client.tab();
        client.post("/login").await;
        assert_ne!(client.cookies["id"], before.cookies["id"], "the id was cycled");
        assert_eq!(client.get("/").await.body, "Some(7) 3", "and the data kept");
        assert_eq!(before.tab().get("/look").await.body, "None", "the old id opens nothing");
        assert_eq!(store.count().await.unwrap(), 1);
        let after = client.tab();
        client.post("/logout").await;
        assert!(!client.cookies.contains_key("id"));
        assert_eq!(after.tab().get("/look").await.body, "None");
        assert_eq!(store.count().await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_session_of_theirs_expires_by_our_clock_and_each_save_puts_it_off() {
    let (stores, _directory) = stores().await;
    for (store, clock) in stores {
        let theirs = AsTowerSessions::new(store);
        let mut client = Client::new(&app(&theirs));
        client.get("/").await;
        clock.advance(Duration::from_secs(29 * 60));
        assert_eq!(client.get("/look").await.body, "Some(1)");
        clock.advance(Duration::from_secs(2 * 60));
        assert_eq!(client.get("/look").await.body, "None");
        clock.advance(Duration::from_secs(60 * 60));
        theirs.delete_expired().await.unwrap();
        assert_eq!(theirs.inner().count().await.unwrap(), 0);
    }
}

fn record(data: &[(&str, serde_json::Value)]) -> Record {
    let data = data.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    Record { id: Id::default(), data, expiry_date: OffsetDateTime::now_utc() + Span::HOUR }
}

#[tokio::test]
async fn what_was_saved_is_loaded_whatever_it_is() {
    // Two looks at a clock that goes on are not one.
    let store = AsTowerSessions::new(MemoryStore::with_clock(session_tests::stores::clock()));
    let nested = json!({ "z": [1, null, { "ü": 1.5 }], "a": -1 });
    let mut saved = record(&[("", json!(null)), ("a b", nested), ("n", json!(u64::MAX))]);
    saved.expiry_date = saved.expiry_date.replace_millisecond(5).unwrap();
    store.create(&mut saved).await.unwrap();
    assert_eq!(store.load(&saved.id).await.unwrap(), Some(saved.clone()));
    saved.data = HashMap::from([("b".to_owned(), json!([]))]);
    saved.expiry_date += Span::MINUTE;
    store.save(&saved).await.unwrap();
    assert_eq!(store.load(&saved.id).await.unwrap(), Some(saved));
}

#[tokio::test]
async fn a_save_writes_the_keys_that_differ_and_nothing_where_none_does() {
    let spy = SpyStore::new(MemoryStore::new());
    let store = AsTowerSessions::new(spy.clone());
    let mut saved =
        record(&[("large", json!("x".repeat(5_000))), ("n", json!(1)), ("o", json!(1))]);
    store.create(&mut saved).await.unwrap();
    saved.data.insert("n".to_owned(), json!(2));
    saved.data.remove("o");
    spy.take_calls();
    store.save(&saved).await.unwrap();
    let calls = spy.take_calls();
    let [Call::Reload { .. }, Call::Apply { patch, .. }] = &calls[..] else { panic!("{calls:?}") };
    let mut ops: Vec<_> = patch.ops.iter().map(|op| format!("{op:?}")).collect();
    ops.sort();
    assert_eq!(ops, ["n = 1 bytes", "o removed"]);
    assert!(patch.meta.lifetime.is_none());
    store.save(&saved).await.unwrap();
    assert_eq!(spy.operations(), [Operation::Reload]);
}

#[tokio::test]
async fn a_late_save_does_not_bring_a_deleted_session_back() {
    let (stores, _directory) = stores().await;
    for (store, _) in stores {
        let store = AsTowerSessions::new(store);
        let mut saved = record(&[("user", json!(7))]);
        store.create(&mut saved).await.unwrap();
        store.delete(&saved.id).await.unwrap();
        saved.data.insert("n".to_owned(), json!(1));
        store.save(&saved).await.unwrap();
        assert_eq!(store.load(&saved.id).await.unwrap(), None);
        // Unknown ids are created, as a cache in front of another store needs.
        let unknown = record(&[("n", json!(1))]);
        store.save(&unknown).await.unwrap();
        assert_eq!(store.load(&unknown.id).await.unwrap().unwrap().data, unknown.data);
    }
}

#[tokio::test]
async fn a_session_that_ran_out_during_its_request_is_saved_all_the_same() {
    let (stores, _directory) = stores().await;
    for (store, clock) in stores {
        let store = AsTowerSessions::new(store);
        let mut saved = record(&[("n", json!(1))]);
        store.create(&mut saved).await.unwrap();
        clock.advance(Duration::from_secs(60 * 60 + 5));
        assert_eq!(store.load(&saved.id).await.unwrap(), None);
        saved.expiry_date += Span::HOUR;
        saved.data.insert("n".to_owned(), json!(2));
        store.save(&saved).await.unwrap();
        assert_eq!(store.load(&saved.id).await.unwrap().unwrap().data["n"], json!(2));
    }
}

#[tokio::test]
async fn of_saves_at_once_the_later_one_wins_whole() {
    let faults = FaultStore::new(MemoryStore::new());
    let store = AsTowerSessions::new(faults.clone());
    let mut first = record(&[("a", json!(0)), ("b", json!(0))]);
    store.create(&mut first).await.unwrap();
    let mut second = first.clone();
    first.data.insert("a".to_owned(), json!(1));
    second.data.insert("b".to_owned(), json!(2));
    let gate = Gate::new();
    faults.next(Operation::Apply, Fault::AskedLate(gate.clone()));
    let late = tokio::spawn({
        let (store, first) = (store.clone(), first.clone());
        async move { store.save(&first).await.unwrap() }
    });
    gate.reached().await;
    store.save(&second).await.unwrap();
    gate.open();
    late.await.unwrap();
    assert_eq!(store.load(&first.id).await.unwrap().unwrap().data, first.data);
}

#[tokio::test]
async fn an_id_that_is_taken_becomes_another_and_no_id_is_stored_in_clear() {
    let spy = SpyStore::new(MemoryStore::new());
    let store = AsTowerSessions::new(spy.clone());
    let mut first = record(&[("n", json!(1))]);
    store.create(&mut first).await.unwrap();
    let mut second = Record { id: first.id, ..record(&[("n", json!(2))]) };
    store.create(&mut second).await.unwrap();
    assert_ne!(second.id, first.id);
    assert_eq!(store.load(&first.id).await.unwrap().unwrap().data["n"], json!(1));
    let credential = first.id.to_string();
    assert!(!format!("{:?}", spy.calls()).contains(&credential));
}

#[tokio::test]
async fn it_serves_as_the_cache_and_as_the_store_of_their_cache() {
    let below = AsTowerSessions::new(MemoryStore::new());
    let mut saved = record(&[("n", json!(1))]);
    below.create(&mut saved).await.unwrap();
    let cached = CachingSessionStore::new(AsTowerSessions::new(MemoryStore::new()), below.clone());
    assert_eq!(cached.load(&saved.id).await.unwrap().unwrap().data, saved.data);
    below.delete(&saved.id).await.unwrap();
    assert!(cached.load(&saved.id).await.unwrap().is_some(), "from the cache");
}

//! What a store cannot promise is refused before it is needed, and what has no
//! session is left alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use session_runtime::AtLimit;
use session_runtime::clock::{Clock, Timestamp};
use session_runtime::store::whole::{WholeRecordStore, WholeRecords};
use session_runtime::store::{MemoryStore, StoreError, StoreErrorKind, StoreFuture};
use session_runtime::{Session, SessionError, SessionId, SessionLayer, SessionSchema, SetupError};
use session_tests::{Client, Spy, Tab};

#[derive(Clone, Default)]
struct Map(Arc<Mutex<HashMap<SessionId, Vec<u8>>>>, Clock);

impl WholeRecordStore for Map {
    fn clock(&self) -> &Clock {
        &self.1
    }

    fn load(&self, id: SessionId) -> StoreFuture<'_, Result<Option<Vec<u8>>, StoreError>> {
        StoreFuture::ready(Ok(self.0.lock().unwrap().get(&id).cloned()))
    }

    fn save(
        &self,
        id: SessionId,
        bytes: Vec<u8>,
        _: Timestamp,
    ) -> StoreFuture<'_, Result<(), StoreError>> {
        self.0.lock().unwrap().insert(id, bytes);
        StoreFuture::ready(Ok(()))
    }

    fn delete(&self, id: SessionId) -> StoreFuture<'_, Result<(), StoreError>> {
        self.0.lock().unwrap().remove(&id);
        StoreFuture::ready(Ok(()))
    }
}

#[derive(SessionSchema)]
struct Plain {
    #[session(principal)]
    user: Option<u64>,
    name: String,
}

macro_rules! asks_for {
    ($($name:ident: $type:ty [$($option:tt)*])*) => {
        $(mod $name {
            #[derive(session_runtime::SessionSchema)]
            pub(super) struct Asking {
                #[session($($option)*)]
                field: $type,
            }
        })*

        fn refusals() -> Vec<(&'static str, Result<(), SetupError>)> {
            vec![$((
                stringify!($name),
                SessionLayer::new(WholeRecords::shared(Map::default()))
                    .schema::<$name::Asking>()
                    .check(),
            )),*]
        }

        fn acceptances() -> Vec<(&'static str, Result<(), SetupError>)> {
            vec![$((
                stringify!($name),
                SessionLayer::new(WholeRecords::single_process(Map::default()))
                    .schema::<$name::Asking>()
                    .check(),
            )),*]
        }
    };
}

fn first(base: &str, _: &str, _: String) -> String {
    base.to_owned()
}

asks_for! {
    counter: u64 [counter]
    nonce: Option<String> [nonce]
    merge: String [merge = super::first]
    compare: String [compare]
    write_once: String [write_once]
}

#[test]
fn a_schema_that_asks_for_more_than_the_store_promises_is_refused_by_name() {
    for (option, refused) in refusals() {
        let text = refused.unwrap_err().to_string();
        assert!(text.contains(&format!("`{option}` on `Asking.field`")), "{text}");
    }
    for (option, accepted) in acceptances() {
        assert!(accepted.is_ok(), "{option}: {accepted:?}");
    }
    let plain = SessionLayer::new(WholeRecords::shared(Map::default())).schema::<Plain>();
    plain.check().unwrap();
}

#[tokio::test]
async fn without_the_check_the_first_extraction_fails_and_stores_nothing() {
    let map = Map::default();
    let layer = SessionLayer::new(WholeRecords::shared(map.clone()));
    let mut tab = Tab::new(&layer);
    let answer = tab.run(|mut s: counter::AskingSession| async move { s.add_field(1) }).await;
    assert_eq!((answer.status, answer.value), (StatusCode::INTERNAL_SERVER_ERROR, None));
    assert!(map.0.lock().unwrap().is_empty());
    // Others on the same layer go on.
    tab.run(|mut s: Session<Plain>| async move { s.set_name("ada") }).await.ok();
    let name = tab.ask(|s: Session<Plain>| async move { s.name().to_owned() }).await;
    assert_eq!(name.ok(), "ada");
}

#[tokio::test]
async fn a_store_of_whole_records_signs_in_and_out_and_says_what_it_cannot() {
    let layer = SessionLayer::new(WholeRecords::shared(Map::default())).schema::<Plain>();
    let mut tab = Tab::new(&layer);
    tab.run(|mut s: Session<Plain>| async move { s.set_user(7) }).await.ok();
    let old = tab.clone();
    tab.run(|mut s: Session<Plain>| async move { s.set_user(8) }).await.ok();
    let user = |s: Session<Plain>| async move { s.user() };
    assert_eq!((tab.ask(user).await.ok(), old.ask(user).await.ok()), (Some(8), None));
    let listed = layer.manager().sessions_of(&8_u64).await.unwrap_err();
    let unsupported = |error: &SessionError| matches!(error, SessionError::Store(it) if it.kind() == StoreErrorKind::Unsupported);
    assert!(unsupported(&listed), "{listed:?}");
    let error = tab
        .run(|mut s: Session<Plain>| async move {
            s.transaction(|s| s.set_name("ada")).await.unwrap_err()
        })
        .await
        .ok();
    assert!(unsupported(&error), "{error:?}");
    tab.run(|mut s: Session<Plain>| async move { s.destroy() }).await.ok();
    assert_eq!(tab.cookie, None);
}

#[test]
fn a_cap_needs_a_store_that_can_count() {
    let layer = SessionLayer::new(WholeRecords::single_process(Map::default()))
        .max_sessions(3, AtLimit::Reject);
    let text = layer.check().unwrap_err().to_string();
    assert!(text.starts_with("`max_sessions`"), "{text}");
}

#[test]
fn a_cap_is_small_enough_to_be_counted() {
    let layer = |max| SessionLayer::new(MemoryStore::new()).max_sessions(max, AtLimit::Reject);
    layer(1_000).check().unwrap();
    let text = layer(1_001).check().unwrap_err().to_string();
    assert!(text.starts_with("`max_sessions`") && text.contains("1000"), "{text}");
}

#[tokio::test]
async fn excluded_paths_have_no_session_and_say_so() {
    let spy = Spy::new();
    let visit = || get(|mut s: Session<Plain>| async move { s.set_name("seen") });
    let app = Router::new()
        .route("/page", visit())
        .route("/static", get(|| async { "file" }))
        .route("/static/asks", visit())
        .route("/statics", visit())
        .layer(SessionLayer::new(spy.clone()).exclude("/static").exclude("/healthz"));
    let mut client = Client::new(&app);
    client.get("/page").await;
    assert_eq!(client.get("/static").await.body, "file");
    spy.calls();
    let asked = client.get("/static/asks").await;
    assert_eq!(asked.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(asked.body, "no sessions on this path");
    assert!(spy.calls().is_empty());
    assert_eq!(client.get("/statics").await.status, StatusCode::OK, "another path");
}

#[test]
fn settings_that_make_no_sense_are_named() {
    let layer = || SessionLayer::new(MemoryStore::new());
    let second = std::time::Duration::from_secs(1);
    let nothing = std::time::Duration::ZERO;
    for (said, layer) in [
        ("`idle_timeout`: at least one second; `None` for no limit", layer().idle_timeout(nothing)),
        ("`absolute_timeout`: at least one", layer().absolute_timeout(Some(nothing))),
        ("`renew_after`: at least a minute", layer().renew_after(second)),
        ("`conflict_timeout`: ", layer().conflict_timeout(nothing)),
        ("`max_sessions`: ", layer().max_sessions(0, AtLimit::Reject)),
        ("`exclude`: a path begins with `/`", layer().exclude("static")),
        ("`exclude`: `/` would leave every path without sessions", layer().exclude("/")),
    ] {
        let text = layer.check().unwrap_err().to_string();
        assert!(text.starts_with(said), "{text}");
    }
    // With or without `Some`.
    let layer = layer().idle_timeout(second).absolute_timeout(None).renew_after(Some(60 * second));
    assert!(layer.check().is_ok());
}

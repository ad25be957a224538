//! Sessions in which axum-login says who is signed in. `tests/run moving` moves an application
//! of axum-login itself.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use serde_json::{Value, json};
use session_runtime::store::{MemoryStore, SessionStore};
use session_runtime::{Session, SessionLayer};
use session_tests::Client;
use session_tests::stores::clock;

use super::adapters::TowerSessionsLegacy;
use super::their_crate::MemoryStore as TheirMemory;
use super::their_crate::cookie::time::{Duration as Span, OffsetDateTime};
use super::their_crate::session::{Id, Record};
use super::their_crate::session_store::SessionStore as _;
use crate::visitor::Visitor;

async fn home(session: Session<Visitor>) -> String {
    format!("{:?} {}", session.user_id(), session.locale())
}

/// What the backend answers for user 7.
type Answer = Result<Option<Vec<u8>>, &'static str>;

struct Place {
    ours: MemoryStore,
    theirs: TheirMemory,
    answer: Arc<Mutex<Answer>>,
    asked: Arc<AtomicUsize>,
    app: Router,
}

fn place() -> Place {
    let (ours, theirs) = (MemoryStore::with_clock(clock()), TheirMemory::default());
    let answer = Arc::new(Mutex::new(Ok(Some(vec![1, 2]))));
    let asked = Arc::new(AtomicUsize::new(0));
    let (answers, count) = (Arc::clone(&answer), Arc::clone(&asked));
    let legacy = TowerSessionsLegacy::new(theirs.clone()).axum_login("user_id", move |id: u64| {
        assert_eq!(id, 7);
        count.fetch_add(1, Ordering::AcqRel);
        let answer = answers.lock().unwrap().clone();
        async move { Ok(answer?) }
    });
    let layer = SessionLayer::new(ours.clone()).schema::<Visitor>().adopt(legacy);
    let app = Router::new().route("/", get(home)).layer(layer);
    Place { ours, theirs, answer, asked, app }
}

impl Place {
    async fn browser(&self, data: &[(&str, Value)]) -> (Client, Id) {
        let data = data.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        let expiry_date = OffsetDateTime::now_utc() + Span::HOUR;
        let mut record = Record { id: Id::default(), data, expiry_date };
        self.theirs.create(&mut record).await.unwrap();
        let mut client = Client::new(&self.app);
        client.cookies.insert("id".to_owned(), record.id.to_string());
        (client, record.id)
    }
}

fn login() -> (&'static str, Value) {
    ("axum-login.data", json!({ "user_id": 7, "auth_hash": [1, 2] }))
}

#[tokio::test]
async fn the_user_of_axum_login_becomes_the_principal() {
    let place = place();
    let (mut client, id) = place.browser(&[login(), ("locale", json!("de"))]).await;
    assert_eq!(client.get("/").await.body, "Some(7) de");
    assert_eq!(client.get("/").await.body, "Some(7) de");
    assert_eq!(place.theirs.load(&id).await.unwrap(), None);
    assert_eq!(place.asked.load(Ordering::Acquire), 1, "only when it is taken over");
    let page = place.ours.scan(None, 10).await.unwrap();
    let names: Vec<_> = page.records[0].fields.iter().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(names, ["locale", "user_id"], "nothing is left of the entry");
}

#[tokio::test]
async fn a_session_whose_hash_is_no_longer_the_users_is_not_taken_over() {
    let changed = json!({ "user_id": 7, "auth_hash": [1, 3] });
    let without = json!({ "user_id": 7, "auth_hash": null });
    let odd = json!({ "user_id": 7, "auth_hash": "x" });
    for entry in [changed, without, odd] {
        let place = place();
        let (mut client, _) = place.browser(&[("axum-login.data", entry)]).await;
        assert_eq!(client.get("/").await.body, "None en");
        assert_eq!(client.token(), None);
        assert_eq!(place.ours.count().await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_session_of_a_user_who_is_no_more_is_not_taken_over() {
    for stored in [json!([1, 2]), json!(null)] {
        let place = place();
        *place.answer.lock().unwrap() = Ok(None);
        let entry = json!({ "user_id": 7, "auth_hash": stored });
        let (mut client, _) = place.browser(&[("axum-login.data", entry)]).await;
        assert_eq!(client.get("/").await.body, "None en");
        assert_eq!(place.ours.count().await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_backend_that_fails_loses_nobody() {
    let place = place();
    *place.answer.lock().unwrap() = Err("no connection");
    let (mut client, _) = place.browser(&[login()]).await;
    assert_eq!(client.get("/").await.status, StatusCode::SERVICE_UNAVAILABLE);
    *place.answer.lock().unwrap() = Ok(Some(vec![1, 2]));
    assert_eq!(client.get("/").await.body, "Some(7) en");
}

#[tokio::test]
async fn visitors_who_are_not_signed_in_come_over_as_such() {
    let nobody = ("axum-login.data", json!({ "user_id": null, "auth_hash": null }));
    let locale = ("locale", json!("de"));
    // A key of the application's own signs nobody in.
    let other = ("user_id", json!(8));
    for data in [vec![locale.clone()], vec![nobody, locale.clone()], vec![other, locale]] {
        let place = place();
        let (mut client, _) = place.browser(&data).await;
        assert_eq!(client.get("/").await.body, "None de");
        assert_eq!(place.asked.load(Ordering::Acquire), 0);
    }
}

//! The store of theirs that we move away from is the one below ours.
//!
//! Session ids are public, and the keys of their records follow from them by a hash that
//! anybody can compute. Neither may do as an old cookie.

use axum::Router;
use axum::routing::{get, post};
use serde_json::json;
use session_runtime::store::{MemoryStore, SessionStore};
use session_runtime::{Session, SessionLayer};
use session_tests::Client;

use super::adapters::{TowerSessionsLegacy, TowerSessionsStore};
use super::their_crate::cookie::time::{Duration as Span, OffsetDateTime};
use super::their_crate::session::{Id, Record};
use super::their_crate::session_store::{self, SessionStore as TheirStore};
use crate::visitor::Visitor;

async fn home(session: Session<Visitor>) -> String {
    format!("{:?}", session.user_id())
}

async fn sign_in(mut session: Session<Visitor>) {
    session.set_user_id(42);
}

async fn id(session: Session<Visitor>) -> String {
    session.id().unwrap().to_string()
}

async fn logout(mut session: Session<Visitor>) {
    session.destroy();
}

fn routes() -> Router {
    Router::new()
        .route("/", get(home))
        .route("/sign-in", post(sign_in))
        .route("/id", get(id))
        .route("/logout", post(logout))
}

/// Their store, which tells every id that it has.
#[derive(Clone, Debug, Default)]
struct Theirs(std::sync::Arc<std::sync::Mutex<std::collections::HashMap<Id, Record>>>);

#[async_trait::async_trait]
impl TheirStore for Theirs {
    async fn save(&self, record: &Record) -> session_store::Result<()> {
        self.0.lock().unwrap().insert(record.id, record.clone());
        Ok(())
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        Ok(self.0.lock().unwrap().get(id).cloned())
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        self.0.lock().unwrap().remove(id);
        Ok(())
    }
}

impl Theirs {
    fn ids(&self) -> Vec<Id> {
        self.0.lock().unwrap().keys().copied().collect()
    }

    /// A session that their layer wrote under `id`.
    async fn signed_in(&self, id: Id) {
        let data = [("user_id".to_owned(), json!(7))].into();
        let expiry_date = OffsetDateTime::now_utc() + Span::HOUR;
        self.save(&Record { id, data, expiry_date }).await.unwrap();
    }
}

/// Our sessions in their store.
fn below(theirs: &Theirs) -> SessionLayer {
    SessionLayer::new(TowerSessionsStore::single_process(theirs.clone())).schema::<Visitor>()
}

/// The same, while it takes over what is left of theirs.
fn adopting(theirs: &Theirs) -> Router {
    routes().layer(below(theirs).adopt(TowerSessionsLegacy::new(theirs.clone())))
}

/// The next deployment: our sessions have moved to a store of ours, and those of
/// tower-sessions are taken over from where both were.
fn moved_on(store: &MemoryStore, theirs: &Theirs) -> Router {
    let layer = SessionLayer::new(store.clone()).schema::<Visitor>();
    routes().layer(layer.adopt(TowerSessionsLegacy::new(theirs.clone())))
}

async fn victim(app: &Router) -> Client {
    let mut client = Client::new(app);
    client.post("/sign-in").await;
    assert_eq!(client.get("/").await.body, "Some(42)");
    client
}

/// Sends as old cookies what can be known of the sessions in `theirs`.
async fn attack(app: &Router, public: &str, theirs: &Theirs) {
    let keys = theirs.ids().into_iter().map(|it| it.to_string());
    let values: Vec<_> = keys.chain([public.to_owned()]).collect();
    assert!(values.len() > 1);
    for value in values {
        for path in ["/", "/logout"] {
            let mut attacker = Client::new(app);
            attacker.cookies.insert("id".to_owned(), value.clone());
            if path == "/" {
                assert_eq!(attacker.get(path).await.body, "None");
            } else {
                attacker.post(path).await;
            }
            assert_eq!(attacker.token(), None, "nothing was taken over");
        }
    }
}

#[tokio::test]
async fn a_public_id_as_an_old_cookie_ends_no_session_that_was_there_before_adopt() {
    let theirs = Theirs::default();
    let before = routes().layer(below(&theirs));
    let mut client = victim(&before).await;
    let public = client.get("/id").await.body;

    let app = adopting(&theirs);
    attack(&app, &public, &theirs).await;
    let mut after = Client::new(&app);
    after.cookies = client.cookies;
    assert_eq!(after.get("/").await.body, "Some(42)");
}

#[tokio::test]
async fn a_public_id_as_an_old_cookie_ends_no_session_that_began_beside_adopt() {
    let theirs = Theirs::default();
    let app = adopting(&theirs);
    let mut client = victim(&app).await;
    let public = client.get("/id").await.body;
    attack(&app, &public, &theirs).await;
    assert_eq!(client.get("/").await.body, "Some(42)");
}

#[tokio::test]
async fn what_ours_left_in_their_store_is_not_taken_over_by_the_next_deployment() {
    let theirs = Theirs::default();
    let before = routes().layer(below(&theirs));
    let mut client = victim(&before).await;
    let public = client.get("/id").await.body;

    let store = MemoryStore::new();
    attack(&moved_on(&store, &theirs), &public, &theirs).await;
    assert_eq!(store.count().await.unwrap(), 0);
    // And the way back is open.
    assert_eq!(client.get("/").await.body, "Some(42)");
}

#[tokio::test]
async fn a_session_of_ours_is_not_deleted_where_an_old_one_was_taken_over_under_its_key() {
    let theirs = Theirs::default();
    let before = routes().layer(below(&theirs));
    let mut client = victim(&before).await;
    let [key] = theirs.ids()[..] else { panic!("one session, one record") };
    let kept = theirs.load(&key).await.unwrap().unwrap();

    // A restored backup had an old session there, which came over …
    theirs.signed_in(key).await;
    let store = MemoryStore::new();
    let app = moved_on(&store, &theirs);
    let mut other = Client::new(&app);
    other.cookies.insert("id".to_owned(), key.to_string());
    assert_eq!(other.tab().get("/").await.body, "Some(7)");
    // … and its cookie comes once more, when ours is back.
    theirs.save(&kept).await.unwrap();
    other.get("/").await;
    assert_eq!(client.get("/").await.body, "Some(42)");
}

#[tokio::test]
async fn old_sessions_beside_ours_in_one_store_are_taken_over_as_ever() {
    let theirs = Theirs::default();
    let app = adopting(&theirs);
    let mut client = victim(&app).await;
    let old = Id::default();
    theirs.signed_in(old).await;
    let mut other = Client::new(&app);
    other.cookies.insert("id".to_owned(), old.to_string());
    assert_eq!(other.get("/").await.body, "Some(7)");
    assert_eq!(other.get("/").await.body, "Some(7)");
    assert!(!theirs.ids().contains(&old));
    assert_eq!(client.get("/").await.body, "Some(42)");
}

#[tokio::test]
async fn no_key_in_their_store_is_the_public_id_of_a_session() {
    let theirs = Theirs::default();
    let mut client = victim(&routes().layer(below(&theirs))).await;
    let public = client.get("/id").await.body;
    let [key] = theirs.ids()[..] else { panic!("one session, one record") };
    assert_ne!(key.to_string(), public);
}

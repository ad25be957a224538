//! Session stores on top of one that was written for tower-sessions.

use super::adapters::TowerSessionsStore;
use super::their_crate;
use super::their_crate::MemoryStore;
use super::their_crate::session::{Id, Record as Theirs};
use super::their_crate::session_store::{self, SessionStore as TheirStore};
use session_runtime::__private::patch::{Lifetime, SignIn};
use session_runtime::__private::record::{Meta, Record};
use session_runtime::__private::token::SecretHash;
use session_runtime::SessionId;
use session_runtime::clock::Clock;
use session_runtime::store::whole::WholeRecords;
use session_runtime::store::{
    SessionStore, StoreErrorKind, conformance,
    contract::{Created, EndReason, Lookup, Touch},
};

session_runtime::store_conformance! {
    of_one_process, |clock| async move {
        WholeRecords::single_process(TowerSessionsStore::with_clock(MemoryStore::default(), clock))
    }
}

session_runtime::store_conformance! {
    shared, |clock| async move {
        WholeRecords::shared(TowerSessionsStore::with_clock(MemoryStore::default(), clock))
    }
}

#[test]
fn their_stores_promise_all_but_what_needs_an_index() {
    let one = TowerSessionsStore::single_process(MemoryStore::default()).capabilities();
    let missing = conformance::not_promised(&one);
    assert_eq!(missing.len(), 35, "{missing:?}");
    assert!(missing.iter().any(|rule| rule.contains("listing")), "{missing:?}");
    let shared = TowerSessionsStore::shared(MemoryStore::default()).capabilities();
    let missing = conformance::not_promised(&shared);
    assert_eq!(missing.len(), 35 + 15, "{missing:?}");
    assert!(missing.contains(&"concurrent_additions_are_all_counted"));
}

const ID: SessionId = SessionId::from_bytes([0xf0; 16]);
const SECRET: SecretHash = SecretHash::from_bytes([7; 32]);
/// The key of its record: the SHA-256 of `session-runtime key ` and the id, cut to 16 bytes.
const KEY: Id = Id(i128::from_le_bytes([
    0xd0, 0x14, 0x2b, 0xb7, 0xf1, 0xa2, 0x79, 0x98, 0x5d, 0xa2, 0x2f, 0xac, 0x8b, 0x43, 0x9a, 0xa8,
]));

fn record() -> Record {
    let hour = std::time::Duration::from_secs(3_600);
    let lifetime = Lifetime { idle: Some(hour), absolute: None, remember: false };
    let fields = [("n", "1")].into_iter().collect();
    Record::new(ID, Meta::new(SECRET, Clock::system().now(), lifetime), fields)
}

#[tokio::test]
async fn a_session_is_one_entry_under_a_hash_of_its_id_and_kept_a_little_longer_than_it_lives() {
    let theirs = MemoryStore::default();
    let store = TowerSessionsStore::single_process(theirs.clone());
    let record = record();
    let until = record.meta.expires_at();
    assert_eq!(store.create(record.into(), SignIn::default()).await.unwrap(), Created::ALONE);
    let stored = theirs.load(&KEY).await.unwrap().unwrap();
    assert_eq!(stored.data.keys().collect::<Vec<_>>(), ["session-runtime"]);
    let kept = stored.expiry_date.unix_timestamp() - (until.as_millis() / 1_000) as i64;
    assert!((55..=65).contains(&kept), "{kept}");
    store.delete(ID, EndReason::SignedOut).await.unwrap();
    assert!(theirs.load(&KEY).await.unwrap().is_none());
}

#[tokio::test]
async fn a_session_of_tower_sessions_is_no_session_of_ours_and_not_overwritten() {
    let theirs = MemoryStore::default();
    let expiry_date = their_crate::cookie::time::OffsetDateTime::now_utc()
        + their_crate::cookie::time::Duration::HOUR;
    let data = [("user".to_owned(), 1.into())].into();
    let foreign = Theirs { id: KEY, data, expiry_date };
    theirs.save(&foreign).await.unwrap();
    let store = TowerSessionsStore::single_process(theirs.clone());
    let found = store.load(ID, &[SECRET], Touch::Never.into()).await.unwrap();
    assert!(matches!(found, Lookup::Absent), "{found:?}");
    assert!(!store.delete(ID, EndReason::SignedOut).await.unwrap());
    let error = store.create(record().into(), SignIn::default()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    assert_eq!(theirs.load(&KEY).await.unwrap(), Some(foreign));
}

/// Updates only what is there, as their Redis store does, and shows what has
/// expired, as a store may whose removal is late.
#[derive(Clone, Debug, Default)]
struct Strict(std::sync::Arc<std::sync::Mutex<std::collections::HashMap<Id, Theirs>>>);

#[async_trait::async_trait]
impl TheirStore for Strict {
    async fn create(&self, record: &mut Theirs) -> session_store::Result<()> {
        let mut all = self.0.lock().unwrap();
        while all.contains_key(&record.id) {
            record.id = Id::default();
        }
        all.insert(record.id, record.clone());
        Ok(())
    }

    async fn save(&self, record: &Theirs) -> session_store::Result<()> {
        if let Some(stored) = self.0.lock().unwrap().get_mut(&record.id) {
            *stored = record.clone();
        }
        Ok(())
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Theirs>> {
        Ok(self.0.lock().unwrap().get(id).cloned())
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        self.0.lock().unwrap().remove(id);
        Ok(())
    }
}

session_runtime::store_conformance! {
    one_that_updates_only_what_is_there, |clock| async move {
        WholeRecords::single_process(TowerSessionsStore::with_clock(Strict::default(), clock))
    }
}

/// Fails every call.
#[derive(Clone, Debug)]
struct Down;

fn down<T>() -> session_store::Result<T> {
    Err(session_store::Error::Backend("connection refused".to_owned()))
}

#[async_trait::async_trait]
impl TheirStore for Down {
    async fn save(&self, _: &Theirs) -> session_store::Result<()> {
        down()
    }

    async fn load(&self, _: &Id) -> session_store::Result<Option<Theirs>> {
        down()
    }

    async fn delete(&self, _: &Id) -> session_store::Result<()> {
        down()
    }
}

#[tokio::test]
async fn their_failure_is_an_error_and_never_an_absent_session() {
    let store = TowerSessionsStore::single_process(Down);
    for error in [
        store.load(ID, &[SECRET], Touch::Never.into()).await.unwrap_err(),
        store.delete(ID, EndReason::SignedOut).await.unwrap_err(),
        store.create(record().into(), SignIn::default()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(source, "connection refused");
    }
}

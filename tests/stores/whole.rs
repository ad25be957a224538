//! Session stores on top of one that keeps whole records, here a plain map.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use session_runtime::__private::patch::{Lifetime, Outcome, Patch, SignIn};
use session_runtime::__private::record::{Meta, Principal, Record};
use session_runtime::__private::token::SecretHash;
use session_runtime::SessionId;
use session_runtime::clock::{Clock, Timestamp};
use session_runtime::store::whole::{WholeRecordStore, WholeRecords};
use session_runtime::store::{
    SessionStore, StoreError, StoreErrorKind, StoreFuture, conformance,
    contract::{Created, EndReason, Lookup, Revoke, Touch},
};
use tokio::sync::Notify;

/// The bytes, and until when they are kept.
type Entries = HashMap<SessionId, (Vec<u8>, Timestamp)>;

/// A map that lets others in between, as a server does.
#[derive(Clone, Default)]
struct Map {
    clock: Clock,
    records: Arc<Mutex<Entries>>,
    failing: Arc<Mutex<Option<StoreErrorKind>>>,
    /// A save waits for this, if it is there.
    gate: Option<Arc<Notify>>,
}

impl WholeRecordStore for Map {
    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn load(&self, id: SessionId) -> StoreFuture<'_, Result<Option<Vec<u8>>, StoreError>> {
        StoreFuture::new(async move {
            tokio::task::yield_now().await;
            let records = self.records.lock().unwrap();
            Ok(records.get(&id).map(|(bytes, _)| bytes.clone()))
        })
    }

    fn save(
        &self,
        id: SessionId,
        bytes: Vec<u8>,
        expires_at: Timestamp,
    ) -> StoreFuture<'_, Result<(), StoreError>> {
        StoreFuture::new(async move {
            tokio::task::yield_now().await;
            if let Some(gate) = &self.gate {
                gate.notified().await;
            }
            if let Some(kind) = *self.failing.lock().unwrap() {
                return Err(StoreError::new(kind));
            }
            let now = self.clock.now();
            let mut records = self.records.lock().unwrap();
            records.retain(|_, (_, expires_at)| now < *expires_at);
            records.insert(id, (bytes, expires_at));
            Ok(())
        })
    }

    fn delete(&self, id: SessionId) -> StoreFuture<'_, Result<(), StoreError>> {
        StoreFuture::new(async move {
            tokio::task::yield_now().await;
            self.records.lock().unwrap().remove(&id);
            Ok(())
        })
    }
}

fn over(clock: Clock) -> Map {
    Map { clock, ..Map::default() }
}

session_runtime::store_conformance! {
    of_one_process, |clock| async move { WholeRecords::single_process(over(clock)) }
}

session_runtime::store_conformance! {
    shared, |clock| async move { WholeRecords::shared(over(clock)) }
}

#[test]
fn a_store_of_whole_records_promises_all_but_what_needs_an_index() {
    let one = WholeRecords::single_process(Map::default()).capabilities();
    let missing = conformance::not_promised(&one);
    assert_eq!(missing.len(), 35, "{missing:?}");
    let of_an_index =
        ["walk", "listing", "revo", "cap", "evict", "login", "principal", "count", "session"];
    for rule in missing {
        let named = of_an_index.iter().any(|word| rule.contains(word));
        assert!(named || rule == "as_many_sessions_end_as_make_room", "{rule}");
    }
    let shared = conformance::not_promised(&WholeRecords::shared(Map::default()).capabilities());
    assert_eq!(shared.len(), 35 + 15, "{shared:?}");
    assert!(shared.contains(&"concurrent_additions_are_all_counted"));
}

const ID: SessionId = SessionId::from_bytes([1; 16]);
const SECRET: SecretHash = SecretHash::from_bytes([7; 32]);

fn record(clock: &Clock) -> Record {
    let hour = std::time::Duration::from_secs(3_600);
    let lifetime = Lifetime { idle: Some(hour), absolute: None, remember: false };
    let fields = [("n", "1")].into_iter().collect();
    Record::new(ID, Meta::new(SECRET, clock.now(), lifetime), fields)
}

async fn stored() -> (WholeRecords<Map>, Map) {
    let map = over(Clock::frozen(Timestamp::from_millis(1_700_000_000_000)));
    let store = WholeRecords::single_process(map.clone());
    let created = store.create(record(&map.clock).into(), SignIn::default()).await.unwrap();
    assert_eq!(created, Created::ALONE);
    (store, map)
}

#[tokio::test]
async fn what_needs_an_index_is_a_typed_error() {
    let (store, map) = stored().await;
    let customer = Principal::new("customer", "42");
    let kinds = [
        store.list(&customer, None, 1_000).await.unwrap_err().kind(),
        store
            .revoke(&customer, Revoke::All, EndReason::OtherDevice, None)
            .await
            .unwrap_err()
            .kind(),
        store.count().await.unwrap_err().kind(),
    ];
    assert_eq!(kinds, [StoreErrorKind::Unsupported; 3]);
    let mut patch = Patch::new();
    patch.meta.principal = Some(Some(customer.clone()));
    patch.meta.sign_in.not_revoked_since = Some(map.clock.now());
    let before = map.records.lock().unwrap().clone();
    let error = store.apply(ID, 1, &patch, None).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unsupported);
    assert_eq!(*map.records.lock().unwrap(), before, "nothing is written");
    let mut new = Record { id: SessionId::from_bytes([2; 16]), ..record(&map.clock) };
    new.meta.principal = Some(customer);
    let error = store.create(new.into(), patch.meta.sign_in).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unsupported);
    assert_eq!(map.records.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_record_of_a_newer_release_is_an_error_and_never_overwritten() {
    let (store, map) = stored().await;
    let newer = {
        let mut records = map.records.lock().unwrap();
        let (bytes, _) = records.get_mut(&ID).unwrap();
        assert_eq!(bytes[0], b'1', "the version of the form comes first");
        bytes[0] = b'2';
        bytes.clone()
    };
    let errors = [
        store.load(ID, &[SECRET], Touch::IfDue.into()).await.unwrap_err(),
        store.reload(ID, 1).await.unwrap_err(),
        store.apply(ID, 1, &Patch::new(), None).await.unwrap_err(),
        store.create(record(&map.clock).into(), SignIn::default()).await.unwrap_err(),
        store.delete(ID, EndReason::SignedOut).await.unwrap_err(),
    ];
    for error in &errors {
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        let source = std::error::Error::source(error).unwrap().to_string();
        assert!(source.contains("form 2"), "{source}");
    }
    assert_eq!(map.records.lock().unwrap()[&ID].0, newer);
}

#[tokio::test]
async fn a_save_that_fails_is_uncertain_only_where_nobody_can_know() {
    let (store, map) = stored().await;
    *map.failing.lock().unwrap() = Some(StoreErrorKind::Timeout);
    let outcome = store.apply(ID, 1, &Patch::new(), None).await.unwrap();
    assert!(matches!(outcome, Outcome::Uncertain), "{outcome:?}");
    *map.failing.lock().unwrap() = Some(StoreErrorKind::Full);
    let error = store.apply(ID, 1, &Patch::new(), None).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Full);
    // A touch that cannot be saved fails no load.
    map.clock.advance(std::time::Duration::from_secs(1_800));
    let seen = store.load(ID, &[SECRET], Touch::IfDue.into()).await.unwrap();
    assert!(matches!(seen, Lookup::Found(_)), "{seen:?}");
}

#[tokio::test]
async fn a_save_under_way_ends_before_the_next_begins_though_nobody_waits_for_it() {
    let mut map = over(Clock::frozen(Timestamp::from_millis(1_700_000_000_000)));
    let gate = Arc::new(Notify::new());
    map.gate = Some(gate.clone());
    let store = WholeRecords::single_process(map.clone());
    gate.notify_one();
    store.create(record(&map.clock).into(), SignIn::default()).await.unwrap();
    let add = |name: &str| {
        use session_runtime::__private::patch::{FieldOp, Op};
        Patch::of(vec![FieldOp::new(name.to_owned(), Op::set("1"))])
    };
    // Given up while the save waits at the gate.
    let abandoned = tokio::spawn({
        let (store, patch) = (store.clone(), add("first"));
        async move { store.apply(ID, 1, &patch, None).await.unwrap() }
    });
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    abandoned.abort();
    assert!(abandoned.await.unwrap_err().is_cancelled());
    let second = tokio::spawn({
        let (store, patch) = (store.clone(), add("second"));
        async move { store.apply(ID, 1, &patch, None).await.unwrap() }
    });
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    gate.notify_one();
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    gate.notify_one();
    assert!(matches!(second.await.unwrap(), Outcome::Applied(_)));
    let record = store.reload(ID, 1).await.unwrap().unwrap();
    assert_eq!((record.meta.rev, record.fields.len()), (3, 3), "neither was lost");
}

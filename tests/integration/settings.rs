//! Settings that cannot work are refused where they are made, by name.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use session_runtime::__private::patch::{Lifetime, SignIn};
use session_runtime::__private::record::{Fields, Meta, Principal, Record};
use session_runtime::__private::token::SessionToken;
use session_runtime::clock::{Clock, Millis, Timestamp};
use session_runtime::store::{
    AnyStore, CachedStore, MemoryStore, SessionStore, SqliteOptions, SqliteStore, StoreErrorKind,
};
use session_runtime::testing::{Fault, FaultStore, Operation};
use session_runtime::{Authenticated, Realm, Session, SessionLayer};
use session_tests::stores::{all, memory};
use session_tests::{Client, Tab};

use crate::visitor::Visitor;

async fn refused_redirect(location: &'static str) {
    let layer = SessionLayer::new(memory().store).login_redirect(location);
    let error = layer.check().unwrap_err().to_string();
    assert!(error.contains("login_redirect"), "{error}");
    let app = Router::new().route("/", get(|_: Authenticated<Visitor>| async {})).layer(layer);
    let reply = Client::new(&app).get("/").await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (500, "session error"));
}

#[tokio::test]
async fn a_login_redirect_that_is_no_header_is_refused_and_panics_in_no_request() {
    refused_redirect("/two\nlines").await;
}

#[tokio::test]
async fn a_login_redirect_that_is_no_ascii_is_refused_and_panics_in_no_request() {
    refused_redirect("/anmelden?für=x").await;
}

async fn refused(options: SqliteOptions) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sessions.db");
    let error = options.open(&path).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Config);
    assert!(!path.exists(), "nothing was created");
    std::error::Error::source(&error).map_or(error.to_string(), ToString::to_string)
}

#[tokio::test]
async fn a_busy_timeout_that_sqlite_cannot_count_is_refused() {
    let options = SqliteStore::options().busy_timeout(Duration::MAX);
    let error = refused(options).await;
    assert!(error.contains("busy_timeout"), "{error}");
}

#[tokio::test]
async fn a_sweep_without_pause_is_refused() {
    let options = SqliteStore::options().sweep_interval(Duration::ZERO);
    let error = refused(options).await;
    assert!(error.contains("sweep_interval"), "{error}");
}

/// Every duration that a layer has, at its longest.
fn patient(layer: SessionLayer) -> SessionLayer {
    layer
        .idle_timeout(Some(Duration::MAX))
        .absolute_timeout(Some(Duration::MAX))
        .renew_after(Some(Duration::MAX))
        .conflict_timeout(Duration::MAX)
        .store_timeout(Duration::MAX)
}

/// Everything that a request does with a setting.
async fn everything(layer: SessionLayer, faults: &FaultStore<AnyStore>) {
    layer.check().unwrap();
    let manager = layer.manager();
    let mut tab = Tab::new(&layer);
    tab.run(|mut s: Session<Visitor>| async move {
        s.remember(Duration::MAX);
        s.set_user_id(7);
    })
    .await
    .ok();
    // An answer that is late, a conflict, and a transaction.
    for _ in 0..3 {
        faults.next(Operation::Apply, Fault::Conflict(None));
        tab.run(|mut s: Session<Visitor>| async move { s.set_locale("de") }).await.ok();
        tab.run(|mut s: Session<Visitor>| async move {
            s.transaction(|s| s.set_locale("fr")).await.unwrap();
            assert!(s.is_fresh(Duration::MAX));
            s.require_fresh(Duration::MAX).await.unwrap();
            s.expires_at().unwrap();
            s.expires_in().unwrap();
        })
        .await
        .ok();
        tab.run(|mut s: Session<Visitor>| async move { s.regenerate() }).await.ok();
        faults.inner().clock().advance(Duration::from_secs(86_400));
    }
    assert_eq!(manager.sessions_of(&7_u64).await.unwrap().len(), 1);
    tab.run(|mut s: Session<Visitor>| async move { s.destroy() }).await.ok();
    assert_eq!(manager.count().await.unwrap(), 0);
}

#[tokio::test]
async fn no_duration_is_too_long() {
    for under in all().await {
        let faults = FaultStore::new(under.store.clone());
        everything(patient(SessionLayer::new(faults.clone()).schema::<Visitor>()), &faults).await;
        let cached = CachedStore::new(faults.clone()).stale_for(Duration::MAX);
        everything(patient(SessionLayer::new(cached).schema::<Visitor>()), &faults).await;
    }
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteStore::options().sweep_interval(Duration::MAX);
    let store = options.open(dir.path().join("sessions.db")).await.unwrap();
    let faults = FaultStore::new(AnyStore::new(store.clone()));
    everything(patient(SessionLayer::new(faults.clone()).schema::<Visitor>()), &faults).await;
    store.close().await.unwrap();
}

/// A record whose every number is as large as its type allows.
fn largest(record: &mut Record) {
    let last = Timestamp::from_millis(u64::MAX);
    let meta = &mut record.meta;
    (meta.epoch, meta.rev) = (u64::MAX, u64::MAX);
    (meta.created, meta.last_seen, meta.secret_since) = (last, last, last);
    (meta.authenticated, meta.absolute) = (Some(last), Some(last));
    let endless = Some(Millis::new(u64::MAX));
    (meta.idle, meta.remember) = (endless, endless);
}

#[tokio::test]
async fn no_stored_number_is_too_large() {
    for now in [1_780_000_000_000, u64::MAX] {
        let clock = Clock::frozen(Timestamp::from_millis(now));
        let dir = tempfile::tempdir().unwrap();
        let sqlite = SqliteStore::options().clock(clock.clone());
        let sqlite = sqlite.open(dir.path().join("sessions.db")).await.unwrap();
        for store in [
            AnyStore::new(MemoryStore::with_clock(clock.clone())),
            AnyStore::new(CachedStore::new(MemoryStore::with_clock(clock.clone()))),
            AnyStore::new(sqlite),
        ] {
            let token = SessionToken::generate().unwrap();
            let lifetime = Lifetime { idle: None, absolute: None, remember: false };
            let hash = token.secret_hash(&Realm::default());
            let meta = Meta::new(hash, clock.now(), lifetime);
            let mut record = Record::new(token.id(), meta, Fields::new());
            record.meta.principal = Some(Principal::new("", "7"));
            largest(&mut record);
            // A store may say that it has no room for such numbers.
            if store.create(record.into(), SignIn::default()).await.is_err() {
                continue;
            }
            let layer = SessionLayer::new(store.clone()).schema::<Visitor>();
            let mut tab = Tab::new(&layer);
            tab.cookie = Some(token.expose());
            tab.run(|mut s: Session<Visitor>| async move {
                s.set_locale("de");
                let _ = (s.created_at(), s.last_seen_at(), s.expires_at(), s.expires_in());
                let _ = (s.authenticated_at(), s.is_fresh(Duration::MAX));
            })
            .await;
            tab.run(|mut s: Session<Visitor>| async move {
                let _ = s.transaction(|s| s.set_locale("fr")).await;
                s.regenerate();
            })
            .await;
            tab.run(|mut s: Session<Visitor>| async move { s.set_user_id(8) }).await;
            layer.manager().sessions_of(&7_u64).await.unwrap();
            layer.manager().revoke_all(&8_u64).await.unwrap();
            store.scan(None, 10).await.unwrap();
            store.sweep(10).await.unwrap();
        }
    }
}

//! Many of everything at once.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use session_runtime::__private::patch::{AtLimit, Cap, Outcome, Patch, SignIn};
use session_runtime::__private::record::Principal;
use session_runtime::__private::token::SessionToken;
use session_runtime::Realm;
use session_runtime::clock::Timestamp;
use session_runtime::store::{
    MySqlStore, SessionStore,
    contract::{Created, EndReason, Lookup, Revoke, Touch},
};

use super::server::{add, found, fresh, record, stored};

const CAP: u32 = 3;
const ROUNDS: usize = 25;

fn capped(at_limit: AtLimit) -> SignIn {
    let cap = Some(Cap { max: NonZeroU32::new(CAP).unwrap(), at_limit });
    SignIn { cap, ..SignIn::default() }
}

/// Signs in with new records, and by patches into anonymous ones, and never
/// sees more sessions than the cap allows.
async fn visitor(store: MySqlStore, number: usize) {
    let principal = Principal::new("", &(number % 2).to_string());
    for round in 0..ROUNDS {
        let at_limit = if round % 5 == 0 { AtLimit::Reject } else { AtLimit::EvictOldest };
        let mut new = record(&[("n", b"0")]);
        if round % 2 == 0 {
            new.meta.principal = Some(principal.clone());
            let created = store.create(new.clone().into(), capped(at_limit)).await.unwrap();
            assert!(matches!(created, Created::Created { .. } | Created::Denied(_)), "{created:?}");
        } else {
            store.create(new.clone().into(), SignIn::default()).await.unwrap();
            let mut patch = Patch::new();
            patch.meta.renew =
                Some(SessionToken::renew(new.id).unwrap().secret_hash(&Realm::default()));
            patch.meta.principal = Some(Some(principal.clone()));
            patch.meta.sign_in = capped(at_limit);
            let outcome = store.apply(new.id, 1, &patch, None).await.unwrap();
            assert!(matches!(outcome, Outcome::Applied(_) | Outcome::Denied(_)), "{outcome:?}");
        }
        let live = store.list(&principal, None, 1_000).await.unwrap().records.len();
        assert!(live <= CAP as usize, "{live} sessions of one principal");
        match round % 8 {
            3 => drop(
                store
                    .revoke(&principal, Revoke::Others(new.id), EndReason::OtherDevice, None)
                    .await
                    .unwrap()
                    .ended,
            ),
            5 => drop(store.delete(new.id, EndReason::SignedOut).await.unwrap()),
            7 => drop(
                store
                    .revoke(&principal, Revoke::All, EndReason::OtherDevice, None)
                    .await
                    .unwrap()
                    .ended,
            ),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everything_at_once_loses_no_change_exceeds_no_cap_and_fails_nobody() {
    let tables = fresh().await;
    // Two nodes.
    let stores = [tables.store().await, tables.store().await];
    let shared = stored(&stores[0], &[("n", b"0")]).await;
    let added = Arc::new(AtomicU64::new(0));
    let done = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::new();
    for number in 0..6 {
        let store = stores[number % 2].clone();
        tasks.push(tokio::spawn(visitor(store.clone(), number)));
        let (id, added) = (shared.id, added.clone());
        tasks.push(tokio::spawn(async move {
            for _ in 0..ROUNDS {
                let outcome = store.apply(id, 1, &add(), None).await.unwrap();
                assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
                added.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    let sweeping = tokio::spawn({
        let (store, done) = (stores[0].clone(), done.clone());
        async move {
            let mut removed = 0;
            while !done.load(Ordering::Relaxed) {
                for _ in 0..5 {
                    let mut old = record(&[("n", b"0")]);
                    old.meta.absolute = Some(Timestamp::from_millis(1_000));
                    store.create(old.into(), SignIn::default()).await.unwrap();
                }
                removed += store.sweep(3).await.unwrap().removed;
                removed += store.sweep(100).await.unwrap().removed;
            }
            removed
        }
    });
    for task in tasks {
        task.await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    assert!(sweeping.await.unwrap() > 0);
    let stored = found(&stores[1], &shared).await;
    let n = added.load(Ordering::Relaxed).to_string();
    assert_eq!(stored.fields.get("n"), Some(n.as_bytes()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_background_sweeps_and_ends_with_the_last_clone() {
    let tables = fresh().await;
    let interval = Duration::from_millis(20);
    let store = tables.options().sweep_interval(interval).connect(&tables.url).await.unwrap();
    let mut old = record(&[("n", b"0")]);
    old.meta.absolute = Some(Timestamp::from_millis(1_000));
    store.create(old.clone().into(), SignIn::default()).await.unwrap();
    let rows = format!("SELECT id FROM {}session", tables.prefix);
    let mut db = tables.db().await;
    while !super::server::run(&mut db, &rows).await.is_empty() {
        tokio::time::sleep(interval).await;
    }
    let lookup = store.load(old.id, &[old.meta.secret], Touch::Never.into()).await.unwrap();
    assert!(matches!(lookup, Lookup::Absent));
    let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    drop(store);
    while tokio::runtime::Handle::current().metrics().num_alive_tasks() >= before.max(1) {
        tokio::task::yield_now().await;
    }
}

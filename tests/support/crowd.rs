//! One principal with many sessions.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use session_runtime::__private::patch::{AtLimit, Cap, Denied, Lifetime, SignIn};
use session_runtime::__private::record::{Fields, Meta, Principal, Record};
use session_runtime::__private::token::SessionToken;
use session_runtime::EndReason;
use session_runtime::Realm;
use session_runtime::store::{
    SessionStore,
    contract::{Created, Revoke},
};
use tokio::time::Instant;

fn customer() -> Principal {
    Principal::new("customer", "42")
}

pub fn at_most(max: u32, at_limit: AtLimit) -> SignIn {
    let cap = Cap { max: NonZeroU32::new(max).unwrap(), at_limit };
    SignIn { cap: Some(cap), not_revoked_since: None }
}

fn record(store: &impl SessionStore, authenticated: Duration) -> Record {
    let token = SessionToken::generate().unwrap();
    let hour = Some(Duration::from_secs(3600));
    let lifetime = Lifetime { idle: hour, absolute: hour, remember: false };
    let now = store.clock().now();
    let mut meta = Meta::new(token.secret_hash(&Realm::default()), now, lifetime);
    meta.principal = Some(customer());
    meta.authenticated = Some(now.after(authenticated));
    Record::new(token.id(), meta, Fields::new())
}

/// Their sessions, each authenticated a millisecond after the one before.
pub async fn crowd<S: SessionStore + Clone>(store: &S, count: usize) -> Vec<Record> {
    let after = |n| Duration::from_millis(n as u64);
    let all: Vec<_> = (0..count).map(|n| record(store, after(n))).collect();
    for some in all.chunks(256) {
        let mut tasks = tokio::task::JoinSet::new();
        for record in some {
            let (store, record) = (store.clone(), record.clone());
            tasks.spawn(
                async move { store.create(record.into(), SignIn::default()).await.unwrap() },
            );
        }
        assert!(tasks.join_all().await.into_iter().all(|it| it == Created::ALONE));
    }
    all
}

pub async fn signs_in(store: &impl SessionStore, sign_in: SignIn) -> Created {
    store.create(record(store, Duration::from_secs(600)).into(), sign_in).await.unwrap()
}

pub async fn listed(store: &impl SessionStore, limit: usize) -> BTreeSet<String> {
    let (mut ids, mut cursor) = (BTreeSet::new(), None);
    loop {
        let page = store.list(&customer(), cursor.as_ref(), limit).await.unwrap();
        assert!(page.records.len() <= limit);
        ids.extend(page.records.iter().map(|record| record.id.to_string()));
        cursor = page.next;
        if cursor.is_none() {
            return ids;
        }
    }
}

/// How many were ended, and in how many steps.
pub async fn revoked(store: &impl SessionStore, which: Revoke) -> (u64, usize) {
    let (mut ended, mut steps, mut cursor) = (0, 0, None);
    loop {
        let step = store
            .revoke(&customer(), which, EndReason::OtherDevice, cursor.as_ref())
            .await
            .unwrap();
        (ended, steps) = (ended + step.ended, steps + 1);
        cursor = step.next;
        if cursor.is_none() {
            return (ended, steps);
        }
    }
}

/// Prints how long the calls take where a principal has 100,000 sessions. After each,
/// `also` says what the server noticed.
#[allow(clippy::disallowed_methods)] // what the test itself measures
pub async fn times<S: SessionStore + Clone>(store: &S, also: impl Fn() -> String) {
    let said = |what: &str, begun: Instant| println!("{what}: {:?}{}", begun.elapsed(), also());
    for evicting in [false, true] {
        let begun = Instant::now();
        crowd(store, 100_000).await;
        said("all of them", begun);
        let begun = Instant::now();
        signs_in(store, SignIn::default()).await;
        said("a sign-in", begun);
        let begun = Instant::now();
        let refused = signs_in(store, at_most(5, AtLimit::Reject)).await;
        assert_eq!(refused, Created::Denied(Denied::AtLimit));
        said("a sign-in that is refused", begun);
        let begun = Instant::now();
        store.list(&customer(), None, 100).await.unwrap();
        said("a page of 100", begun);
        let begun = Instant::now();
        if evicting {
            assert!(signs_in(store, at_most(5, AtLimit::EvictOldest)).await.is_created());
            said("a cap of five, turned on", begun);
            let begun = Instant::now();
            signs_in(store, at_most(5, AtLimit::EvictOldest)).await;
            said("a sign-in at that cap", begun);
        } else {
            let (ended, steps) = revoked(store, Revoke::All).await;
            said(&format!("revoking {ended} in {steps} steps"), begun);
        }
    }
}

//! Sign-ins that wait for one another: in which order what is locked.

use std::time::Duration;

use session_runtime::__private::patch::{AtLimit, Cap, Gone, Outcome, Patch, SignIn};
use session_runtime::__private::record::Principal;
use session_runtime::clock::Clock;
use session_runtime::store::{SessionStore, contract::EndReason};

use super::isolation::Database;
use super::kit::record;
use crate::queued::Rows as _;

const HOUR: Duration = Duration::from_secs(3600);

/// A sign-in of the session that `patch` is for, which ends all others of theirs.
fn alone(principal: &Principal) -> Patch {
    let cap = Cap { max: 1.try_into().unwrap(), at_limit: AtLimit::EvictOldest };
    let mut patch = Patch::new();
    patch.meta.principal = Some(Some(principal.clone()));
    patch.meta.sign_in = SignIn { cap: Some(cap), not_revoked_since: None };
    patch
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_sign_ins_that_end_each_other_one_gets_through_and_none_fails() {
    let database = Database::new("read committed").await;
    let store = database.open(Clock::system()).await;
    for round in 0..3 {
        let (ann, ben) = (format!("ann-{round}"), format!("ben-{round}"));
        let (ann, ben) = (Principal::new("shop", &ann), Principal::new("shop", &ben));
        let mut ids = Vec::new();
        for principal in [&ben, &ann] {
            let (mut new, _) = record(&store, HOUR);
            new.meta.principal = Some(principal.clone());
            ids.push(new.id);
            store.create(new.into(), SignIn::default()).await.unwrap();
        }
        // Ann signs in where Ben is, and Ben where Ann is: each ends the other's
        // session. Both principals are locked before any row.
        let holder = database.hold(None).await;
        let sign_in = |id, principal| {
            let (store, patch) = (store.clone(), alone(principal));
            tokio::spawn(async move { store.apply(id, 1, &patch, None).await })
        };
        let both = [sign_in(ids[0], &ann), sign_in(ids[1], &ben)];
        database.until_waiting(2).await;
        database.let_go(holder).await;
        let mut through = 0;
        for (sign_in, principal) in both.into_iter().zip([&ann, &ben]) {
            let listed = match sign_in.await.unwrap().unwrap() {
                Outcome::Applied(_) => 1,
                Outcome::Gone(Gone::Absent) => 0,
                other => panic!("{other:?}"),
            };
            assert_eq!(store.list(principal, None, 1_000).await.unwrap().records.len(), listed);
            through += listed;
        }
        assert_eq!(through, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_principal_holds_nothing_that_others_wait_for() {
    let database = Database::new("read committed").await;
    let store = database.open(Clock::system()).await;
    // Between two principals, both ways: one of the two is locked first.
    let [ann, ben] = ["ann", "ben"].map(|name| Principal::new("shop", name));
    for (held, other) in [(&ann, &ben), (&ben, &ann)] {
        let mut moving = Vec::new();
        let mut ids = Vec::new();
        for (from, to) in [(held, other), (other, held)] {
            let (mut new, _) = record(&store, HOUR);
            new.meta.principal = Some(from.clone());
            ids.push(new.id);
            store.create(new.clone().into(), SignIn::default()).await.unwrap();
            let mut patch = alone(to);
            patch.meta.sign_in.cap.as_mut().unwrap().max = 9.try_into().unwrap();
            moving.push((new.id, patch));
        }
        if held.hash().as_bytes() > other.hash().as_bytes() {
            continue;
        }
        let holder = database.hold_principal(held).await;
        let moving: Vec<_> = moving
            .into_iter()
            .map(|(id, patch)| {
                let store = store.clone();
                tokio::spawn(async move { store.apply(id, 1, &patch, None).await.unwrap() })
            })
            .collect();
        database.until_waiting(2).await;
        let locks = "SELECT count(*) FROM pg_locks w JOIN pg_locks l USING (pid) \
            WHERE NOT w.granted AND l.granted AND l.database = \
                (SELECT oid FROM pg_database WHERE datname = current_database()) \
            AND (l.locktype = 'advisory' OR l.mode IN ('RowShareLock', 'RowExclusiveLock'))";
        assert_eq!(database.number(locks).await, 0, "locks of those who wait");
        holder.rollback().await.unwrap();
        for moved in moving {
            let outcome = moved.await.unwrap();
            assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
        }
        for id in ids {
            store.delete(id, EndReason::SignedOut).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_waits_for_whom_the_session_belongs_to_by_then() {
    let database = Database::new("read committed").await;
    let store = database.open(Clock::system()).await;
    let [ann, ben] = ["ann", "ben"].map(|name| Principal::new("shop", name));
    let (mut new, _) = record(&store, HOUR);
    let id = new.id;
    new.meta.principal = Some(ann);
    store.create(new.into(), SignIn::default()).await.unwrap();
    // Ben's sessions are being counted; this one becomes his, without conditions.
    let counting = database.hold_principal(&ben).await;
    let holder = database.hold(None).await;
    let mut patch = Patch::new();
    patch.meta.principal = Some(Some(ben.clone()));
    let mover = store.clone();
    let moving = tokio::spawn(async move { mover.apply(id, 1, &patch, None).await.unwrap() });
    database.until_waiting(1).await;
    let mut patch = alone(&ben);
    patch.meta.principal = None;
    let signer = store.clone();
    let mut signing = tokio::spawn(async move { signer.apply(id, 1, &patch, None).await.unwrap() });
    database.until_waiting(2).await;
    database.let_go(holder).await;
    moving.await.unwrap();
    // Whose principal it locked before is not who it is now.
    tokio::select! {
        () = database.until_waiting(1) => {}
        outcome = &mut signing => panic!("it did not wait for Ben: {outcome:?}"),
    }
    counting.rollback().await.unwrap();
    let outcome = signing.await.unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
}

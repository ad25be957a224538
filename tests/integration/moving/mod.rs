//! From one store to another while both serve.

use std::sync::Arc;
use std::time::Duration;

use session_runtime::clock::Clock;
use session_runtime::patch::{Add, FieldOp, Lifetime, Op, Outcome, Patch, SignIn};
use session_runtime::record::{Fields, Meta, Principal, Record};
use session_runtime::store::{
    Created, Limits, Lookup, MemoryStore, MovingStore, SessionStore, StoreErrorKind, Touch,
};
use session_runtime::testing::{Fault, FaultStore, Gate, Operation};
use session_runtime::token::SessionToken;
use session_tests::Client;
use session_tests::stores::clock;
use tokio::task::JoinHandle;

use crate::visitor;

mod refused;
mod rests;
mod steps;

fn record(clock: &Clock) -> Record {
    let token = SessionToken::generate().unwrap();
    let lifetime =
        Lifetime { idle: Some(Duration::from_secs(1_800)), absolute: None, remember: false };
    let mut meta = Meta::new(token.secret_hash(), clock.now(), lifetime);
    meta.principal = Some(Principal::new("", "7"));
    Record { id: token.id(), meta, fields: [("locale", "\"fr\"")].into_iter().collect() }
}

fn stores(clock: &Clock) -> (MemoryStore, MemoryStore) {
    (MemoryStore::with_clock(clock.clone()), MemoryStore::with_clock(clock.clone()))
}

async fn add_one(store: &impl SessionStore, record: &Record) -> bool {
    let patch = Patch::of(vec![FieldOp::new("n", Op::Add(Add::unsigned(1, 0)))]);
    match store.apply(record.id, record.meta.epoch, &patch).await.unwrap() {
        Outcome::Applied(_) => true,
        Outcome::Gone(_) => false,
        other => panic!("{other:?}"),
    }
}

/// Waits until `task` comes to the gate: it has not ended before.
async fn comes_to<T: std::fmt::Debug>(gate: &Gate, task: &mut JoinHandle<T>) {
    tokio::select! {
        () = gate.reached() => {}
        ended = task => panic!("it ended before: {ended:?}"),
    }
}

async fn found(store: &impl SessionStore, record: &Record) -> Option<Arc<Record>> {
    match store.load(record.id, &record.meta.secret, Touch::Never.into()).await.unwrap() {
        Lookup::Found(found) => Some(found),
        _ => None,
    }
}

/// The whole program: signed in on the old store, moved, and still signed in.
#[tokio::test]
async fn nobody_is_signed_out_by_a_move() {
    let clock = clock();
    let (from, to) = stores(&clock);
    let mut client = Client::new(&visitor::app(from.clone()));
    client.post("/sign-in").await;
    client.post("/push").await;
    let moving = MovingStore::new(from.clone(), to.clone());
    let progress = moving.move_all(|_| ()).await.unwrap();
    assert_eq!((progress.total, progress.done, progress.too_large), (1, 1, 0));
    assert_eq!((from.count().await.unwrap(), to.count().await.unwrap()), (0, 1));
    let mut after = Client::new(&visitor::app(to));
    after.cookies = client.cookies;
    assert_eq!(after.get("/account").await.body, "42");
    assert_eq!(after.get("/read").await.body, "42 en 0 [\"pen\"]");
}

#[tokio::test]
async fn a_session_moves_whole_when_it_is_used() {
    let clock = clock();
    let (from, to) = stores(&clock);
    let mut it = record(&clock);
    it.meta.versions = [("", 3)].into_iter().collect();
    assert_eq!(from.create(it.clone(), SignIn::default()).await.unwrap(), Created::Created);
    let moving = MovingStore::new(from.clone(), to.clone());
    assert_eq!(found(&moving, &it).await.as_deref(), Some(&it));
    assert_eq!(found(&to, &it).await.as_deref(), Some(&it));
    assert!(found(&from, &it).await.is_none());
    assert_eq!(moving.list(&Principal::new("", "7")).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_store_that_holds_moves_nothing_and_finds_everything() {
    let clock = clock();
    let (from, to) = stores(&clock);
    let (old, new) = (record(&clock), record(&clock));
    from.create(old.clone(), SignIn::default()).await.unwrap();
    to.create(new.clone(), SignIn::default()).await.unwrap();
    let holding = MovingStore::hold(from.clone(), to.clone());
    assert!(add_one(&holding, &old).await && add_one(&holding, &new).await);
    assert!(found(&from, &old).await.is_some() && found(&to, &old).await.is_none());
    let error = holding.move_all(|_| ()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Config);
}

/// Nodes of both steps write while everything moves.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_during_the_move_are_all_there_afterwards() {
    for _ in 0..20 {
        let clock = clock();
        let (from, to) = stores(&clock);
        let records: Vec<_> = std::iter::repeat_with(|| record(&clock)).take(20).collect();
        for record in &records {
            from.create(record.clone(), SignIn::default()).await.unwrap();
        }
        let nodes = [
            MovingStore::hold(from.clone(), to.clone()),
            MovingStore::new(from.clone(), to.clone()),
        ];
        let mut writers = tokio::task::JoinSet::new();
        for (node, records) in nodes.iter().map(|node| (node.clone(), records.clone())) {
            writers.spawn(async move {
                for _ in 0..10 {
                    for record in &records {
                        assert!(add_one(&node, record).await, "a live session is written to");
                        tokio::task::yield_now().await;
                    }
                }
            });
        }
        let moved = nodes[1].move_all(|_| ()).await.unwrap();
        writers.join_all().await;
        assert_eq!(moved.too_large, 0);
        assert_eq!(from.count().await.unwrap(), 0);
        for record in &records {
            let found = found(&to, record).await.unwrap();
            assert_eq!(found.fields.get("n"), Some(&b"20"[..]), "an addition is lost or twice");
            assert_eq!(found.fields.iter().count(), 2, "and no mark is left");
        }
    }
}

/// Whichever node is asked, and wherever the session is at that moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_logout_during_the_move_stays_a_logout() {
    for round in 0..10_000 {
        let clock = clock();
        let (from, to) = stores(&clock);
        let it = record(&clock);
        from.create(it.clone(), SignIn::default()).await.unwrap();
        let (holds, moves) = (
            MovingStore::hold(from.clone(), to.clone()),
            MovingStore::new(from.clone(), to.clone()),
        );
        let mover = tokio::spawn({
            let (moves, it) = (moves.clone(), it.clone());
            async move {
                if round % 3 == 0 {
                    moves.move_all(|_| ()).await.unwrap();
                } else {
                    add_one(&moves, &it).await;
                }
            }
        });
        let ended = match round % 4 {
            0 => holds.delete(it.id).await.unwrap(),
            1 => moves.delete(it.id).await.unwrap(),
            2 => holds.revoke(&Principal::new("", "7"), revoke_all()).await.unwrap() > 0,
            _ => moves.revoke(&Principal::new("", "7"), revoke_all()).await.unwrap() > 0,
        };
        mover.await.unwrap();
        assert!(ended, "round {round}: a live session was ended");
        for store in [&from, &to] {
            assert!(found(store, &it).await.is_none(), "round {round}: revived");
        }
        assert!(!add_one(&holds, &it).await && !add_one(&moves, &it).await, "round {round}");
    }
}

fn revoke_all() -> session_runtime::store::Revoke {
    session_runtime::store::Revoke::All
}

/// A node that dies between its first step and its second.
#[tokio::test]
async fn a_move_that_was_broken_off_is_taken_up_by_the_next_request() {
    let clock = clock();
    let (from, to) = stores(&clock);
    let it = record(&clock);
    from.create(it.clone(), SignIn::default()).await.unwrap();
    let failing = FaultStore::new(to.clone());
    failing.next(Operation::Create, Fault::Fails(StoreErrorKind::Unavailable));
    let broken = MovingStore::new(from.clone(), failing);
    assert!(broken.load(it.id, &it.meta.secret, Touch::Never.into()).await.is_err());
    assert!(to.count().await.unwrap() == 0 && from.count().await.unwrap() == 1);
    let holds = MovingStore::hold(from.clone(), to.clone());
    assert!(add_one(&holds, &it).await);
    let whole = found(&to, &it).await.unwrap();
    assert_eq!(whole.fields.get("n"), Some(&b"1"[..]));
    assert_eq!((whole.meta.rev, whole.meta.secret), (it.meta.rev + 1, it.meta.secret));
    assert_eq!(from.count().await.unwrap(), 0);
}

#[tokio::test]
async fn what_is_too_large_for_the_new_store_stays_and_works() {
    let clock = clock();
    let (from, to) = stores(&clock);
    let to = to.limits(Limits { field: 100, record: 100 });
    let mut large = record(&clock);
    large.fields = [("note", format!("\"{}\"", "x".repeat(200)).as_str())].into_iter().collect();
    let small = Record { fields: Fields::new(), ..record(&clock) };
    for it in [&large, &small] {
        from.create(it.clone(), SignIn::default()).await.unwrap();
    }
    let moving = MovingStore::new(from.clone(), to.clone());
    let progress = moving.move_all(|_| ()).await.unwrap();
    assert_eq!((progress.done, progress.too_large), (1, 1));
    assert_eq!(progress.to_string(), "1 of 2 sessions moved, 1 too large for the new store");
    assert_eq!((from.count().await.unwrap(), to.count().await.unwrap()), (1, 1));
    assert!(add_one(&moving, &large).await);
    let note = found(&moving, &large).await.unwrap();
    assert_eq!(note.fields.get("n"), Some(&b"1"[..]));
    assert!(moving.delete(large.id).await.unwrap());
    assert!(found(&moving, &large).await.is_none());
}

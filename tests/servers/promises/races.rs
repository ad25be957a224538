//! Many tasks, two stores as of two nodes.

use session_runtime::Realm;
use std::num::NonZeroU32;
use std::time::Duration;

use session_runtime::__private::patch::{
    Add, AtLimit, Cap, Denied, FieldOp, Gone, Lifetime, Op, Outcome, Patch, SignIn,
};
use session_runtime::__private::record::{Fields, Meta, Principal, Record};
use session_runtime::__private::token::SessionToken;
use session_runtime::SessionId;
use session_runtime::store::{
    AnyStore, SessionStore,
    contract::{Created, EndReason, Lookup, Revoke, Touch},
};
use tokio::task::JoinSet;

use super::Place;

pub(super) fn record(store: &AnyStore, principal: Option<&Principal>) -> Record {
    let token = SessionToken::generate().unwrap();
    let lifetime =
        Lifetime { idle: Some(Duration::from_secs(1_800)), absolute: None, remember: false };
    let mut meta = Meta::new(token.secret_hash(&Realm::default()), store.clock().now(), lifetime);
    meta.principal = principal.cloned();
    Record::new(token.id(), meta, Fields::new())
}

async fn create(store: &AnyStore) -> Record {
    let record = record(store, None);
    let created = store.create(record.clone().into(), SignIn::default()).await.unwrap();
    assert_eq!(created, Created::ALONE);
    record
}

fn one_more() -> Patch {
    Patch::of(vec![FieldOp::new("n", Op::Add(Add::unsigned(1, 0)))])
}

#[tokio::main]
pub(super) async fn increments(place: Place) {
    let nodes = [place.open().await, place.open().await];
    let record = create(&nodes[0]).await;
    let mut tasks = JoinSet::new();
    for task in 0..64 {
        let (node, id) = (nodes[task % 2].clone(), record.id);
        tasks.spawn(async move {
            for _ in 0..10 {
                let outcome = node.apply(id, 1, &one_more(), None).await.unwrap();
                assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
            }
        });
    }
    tasks.join_all().await;
    let stored = nodes[1].reload(record.id, 1).await.unwrap().unwrap();
    assert_eq!(stored.fields.get("n"), Some(&b"640"[..]));
    nodes[0].delete(record.id, EndReason::SignedOut).await.unwrap();
}

const ROUNDS: usize = 10_000;
const LANES: usize = 16;

#[tokio::main]
pub(super) async fn logouts(place: Place) {
    let nodes = [place.open().await, place.open().await];
    let mut lanes = JoinSet::new();
    for lane in 0..LANES {
        let nodes = nodes.clone();
        lanes.spawn(async move {
            for round in 0..ROUNDS / LANES {
                logout(&nodes[(lane + round) % 2], &nodes[round % 2], lane * ROUNDS + round).await;
            }
        });
    }
    lanes.join_all().await;
    assert_eq!(nodes[0].count().await.unwrap(), 0, "revived");
}

/// A write and a logout at once: whichever comes first, the session is over.
async fn logout(writer: &AnyStore, ender: &AnyStore, round: usize) {
    let record = create(writer).await;
    let (id, secret) = (record.id, record.meta.secret);
    let write = tokio::spawn({
        let writer = writer.clone();
        async move { writer.apply(id, 1, &one_more(), None).await.unwrap() }
    });
    assert!(ender.delete(id, EndReason::SignedOut).await.unwrap(), "round {round}: it was live");
    let written = write.await.unwrap();
    assert!(matches!(written, Outcome::Applied(_) | Outcome::Gone(_)), "{round}: {written:?}");
    let late = writer.apply(id, 1, &one_more(), None).await.unwrap();
    assert!(matches!(late, Outcome::Gone(Gone::Absent)), "round {round}: {late:?}");
    let seen = writer.load(id, &[secret], Touch::IfDue.into()).await.unwrap();
    assert!(matches!(seen, Lookup::Ended(_)), "round {round}: {seen:?}");
}

const CAP: u32 = 3;

#[tokio::main]
pub(super) async fn caps(place: Place) {
    let nodes = [place.open().await, place.open().await];
    for round in 0..40 {
        let who = Principal::new("", &round.to_string());
        let at_limit = if round % 2 == 0 { AtLimit::Reject } else { AtLimit::EvictOldest };
        let cap = Cap { max: NonZeroU32::new(CAP).unwrap(), at_limit };
        let sign_in = SignIn { cap: Some(cap), ..SignIn::default() };
        let mut tasks = JoinSet::new();
        for task in 0..CAP as usize + 9 {
            let (node, who) = (nodes[task % 2].clone(), who.clone());
            tasks.spawn(async move { sign_in_as(&node, &who, sign_in, task).await });
        }
        let admitted = tasks.join_all().await.into_iter().flatten().count();
        let live = nodes[0].list(&who, None, 1_000).await.unwrap().records.len();
        assert_eq!(live, CAP as usize, "round {round}: live under a cap of {CAP}");
        match at_limit {
            AtLimit::Reject => assert_eq!(admitted, CAP as usize, "round {round}"),
            AtLimit::EvictOldest => assert_eq!(admitted, CAP as usize + 9, "round {round}"),
        }
        assert_eq!(
            nodes[1].revoke(&who, Revoke::All, EndReason::OtherDevice, None).await.unwrap().ended,
            u64::from(CAP)
        );
    }
}

/// The session, if the sign-in was allowed: as a new record, or into a
/// visitor's.
async fn sign_in_as(
    node: &AnyStore,
    who: &Principal,
    sign_in: SignIn,
    task: usize,
) -> Option<SessionId> {
    if task.is_multiple_of(3) {
        let record = record(node, Some(who));
        let id = record.id;
        return match node.create(record.into(), sign_in).await.unwrap() {
            Created::Created { .. } => Some(id),
            Created::Denied(Denied::AtLimit) => None,
            other => panic!("{other:?}"),
        };
    }
    let visitor = create(node).await;
    let mut patch = Patch::new();
    patch.meta.renew =
        Some(SessionToken::renew(visitor.id).unwrap().secret_hash(&Realm::default()));
    patch.meta.authenticated = true;
    patch.meta.principal = Some(Some(who.clone()));
    patch.meta.sign_in = sign_in;
    match node.apply(visitor.id, 1, &patch, None).await.unwrap() {
        Outcome::Applied(_) => Some(visitor.id),
        Outcome::Denied(Denied::AtLimit) => None,
        other => panic!("{other:?}"),
    }
}

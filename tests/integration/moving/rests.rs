//! What is left in the old store of a session that has moved: it disturbs
//! nobody, and brings nothing back.

use super::*;
use session_runtime::patch::{AtLimit, Cap};
use session_runtime::store::Revoke;
use session_tests::traced::Traced;

type Faulty = FaultStore<MemoryStore>;

/// Two stores, the old one of which can be made to fail, and a session of user 7
/// in it.
async fn before(clock: &Clock) -> (Faulty, MemoryStore, Record) {
    let (from, to) = stores(clock);
    let it = record(clock);
    from.create(it.clone(), SignIn::default()).await.unwrap();
    (FaultStore::new(from), to, it)
}

/// The same after it has moved, with a rest in the old store.
async fn after(clock: &Clock) -> (Faulty, MemoryStore, Record) {
    let (from, to, it) = before(clock).await;
    // The mark passes, and what expires it fails.
    from.after(1, Operation::Apply, Fault::Fails(StoreErrorKind::Unavailable));
    let moving = MovingStore::new(from.clone(), to.clone());
    assert!(found(&moving, &it).await.is_some());
    assert_eq!(from.remaining(), 0);
    assert_eq!((from.count().await.unwrap(), to.count().await.unwrap()), (1, 1));
    (from, to, it)
}

#[tokio::test]
async fn a_request_goes_on_in_the_new_store_when_the_old_one_fails_at_last() {
    for fault in [Fault::Fails(StoreErrorKind::Unavailable), Fault::Uncertain] {
        for operation in [Operation::Load, Operation::Reload, Operation::Apply] {
            let traced = Traced::start();
            let clock = clock();
            let (from, to, it) = before(&clock).await;
            from.after(1, Operation::Apply, fault.clone());
            let moving = MovingStore::new(from.clone(), to.clone());
            match operation {
                Operation::Load => assert!(found(&moving, &it).await.is_some()),
                Operation::Reload => assert!(moving.reload(it.id, 1).await.unwrap().is_some()),
                _ => assert!(add_one(&moving, &it).await),
            }
            let said = traced.text();
            let line = said.lines().find(|line| line.contains("a rest of it")).unwrap();
            assert!(line.starts_with("WARN") && line.contains(&it.id.to_string()), "{line}");
            // Whichever node is asked, it is one session, and the new one.
            let holds = MovingStore::hold(from.clone(), to.clone());
            assert!(add_one(&holds, &it).await && add_one(&moving, &it).await);
            let n = found(&to, &it).await.unwrap().fields.get("n").map(<[u8]>::to_vec);
            assert_eq!(n, Some(if operation == Operation::Apply { b"3" } else { b"2" }.into()));
            let rest = from.inner().reload(it.id, 1).await.unwrap().unwrap();
            assert_eq!(rest.fields.get("n"), None, "nothing is written to the rest");
            assert_eq!(moving.list(&seven()).await.unwrap().len(), 1);
            let progress = moving.move_all(|_| ()).await.unwrap();
            assert_eq!(progress.done, 1);
            assert_eq!((from.count().await.unwrap(), to.count().await.unwrap()), (0, 1));
        }
    }
}

#[tokio::test]
async fn move_all_does_not_call_it_done() {
    let clock = clock();
    let (from, to, _) = before(&clock).await;
    from.after(1, Operation::Apply, Fault::Fails(StoreErrorKind::Unavailable));
    let moving = MovingStore::new(from.clone(), to);
    let error = moving.move_all(|_| ()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert_eq!(moving.move_all(|_| ()).await.unwrap().done, 1);
    assert_eq!(from.count().await.unwrap(), 0);
}

fn seven() -> Principal {
    Principal::new("", "7")
}

fn one() -> SignIn {
    let cap = Cap { max: std::num::NonZero::<u32>::MIN, at_limit: AtLimit::EvictOldest };
    SignIn { cap: Some(cap), ..SignIn::default() }
}

/// Ways in which a session ends that has moved.
#[derive(Clone, Copy, Debug)]
enum End {
    Logout,
    Revocation,
    /// As somebody else by then, with another secret.
    RevocationOfAnother,
    /// Somebody signs in elsewhere, and one session is allowed.
    Eviction,
    /// A sign-in on this session makes it a short one.
    ShorterLife,
}

const ENDS: [End; 5] =
    [End::Logout, End::Revocation, End::RevocationOfAnother, End::Eviction, End::ShorterLife];

async fn end(node: &impl SessionStore, it: &Record, end: End) {
    let token = SessionToken::renew(it.id).unwrap();
    let mut signs_in = Patch::new();
    signs_in.meta.renew = Some(token.secret_hash());
    match end {
        End::Logout => assert!(node.delete(it.id).await.unwrap()),
        End::Revocation => assert!(node.revoke(&seven(), Revoke::All).await.unwrap() > 0),
        End::RevocationOfAnother => {
            let eight = Principal::new("", "8");
            signs_in.meta.principal = Some(Some(eight.clone()));
            let outcome = node.apply(it.id, 1, &signs_in).await.unwrap();
            assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
            assert_eq!(node.revoke(&eight, Revoke::All).await.unwrap(), 1);
        }
        End::Eviction => {
            let mut elsewhere = record(node.clock());
            elsewhere.meta.principal = None;
            node.create(elsewhere.clone(), SignIn::default()).await.unwrap();
            // On whichever store it is, it signs in where the other one is.
            let mut patch = Patch::new();
            patch.meta.principal = Some(Some(seven()));
            patch.meta.sign_in = one();
            let outcome = node.apply(elsewhere.id, 1, &patch).await.unwrap();
            assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
        }
        End::ShorterLife => {
            let short = Some(Duration::from_secs(60));
            signs_in.meta.lifetime =
                Some(Lifetime { idle: short, absolute: None, remember: false });
            let outcome = node.apply(it.id, 1, &signs_in).await.unwrap();
            assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
        }
    }
}

#[tokio::test]
async fn whatever_ends_a_session_that_has_moved_ends_its_rest() {
    for (how, on_a_node_that_holds) in ENDS.into_iter().flat_map(|end| [(end, false), (end, true)])
    {
        // New sessions of a node that holds are in the other store.
        if matches!(how, End::Eviction) && on_a_node_that_holds {
            continue;
        }
        let clock = clock();
        let (from, to, it) = after(&clock).await;
        let moves = MovingStore::new(from.clone(), to.clone());
        let holds = MovingStore::hold(from.clone(), to.clone());
        end(if on_a_node_that_holds { &holds } else { &moves }, &it, how).await;
        // Nobody remembers any more that it ended.
        clock.advance(Duration::from_secs(200));
        for store in [from.inner(), &to] {
            while store.sweep(100).await.unwrap().more {}
        }
        for node in [&holds, &moves] {
            assert!(found(node, &it).await.is_none(), "{how:?} {on_a_node_that_holds}: revived");
            assert!(!add_one(node, &it).await, "{how:?} {on_a_node_that_holds}");
        }
        moves.move_all(|_| ()).await.unwrap();
        assert!(to.reload(it.id, 1).await.unwrap().is_none(), "{how:?}: moved again");
        assert_eq!(from.count().await.unwrap(), 0, "{how:?} {on_a_node_that_holds}");
    }
}

/// Else the session that makes room could come back from its rest.
#[tokio::test]
async fn nobody_signs_in_under_a_cap_while_a_rest_cannot_be_removed() {
    let clock = clock();
    let (from, to, it) = after(&clock).await;
    let moving = MovingStore::new(from.clone(), to.clone());
    from.each(Operation::Apply, Fault::Fails(StoreErrorKind::Unavailable));
    let error = moving.create(record(&clock), one()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(found(&moving, &it).await.is_some());
    from.clear();
    assert_eq!(moving.create(record(&clock), one()).await.unwrap(), Created::Created);
    assert!(found(&moving, &it).await.is_none());
    assert_eq!((from.count().await.unwrap(), to.count().await.unwrap()), (0, 1));
}

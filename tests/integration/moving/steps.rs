//! Nodes that meet between the steps of a move.

use super::*;

/// A session, and a node that has marked it and is about to create it in the
/// new store: it does when the gate opens.
struct Meeting {
    from: MemoryStore,
    to: MemoryStore,
    it: Record,
    gate: Gate,
    mover: JoinHandle<bool>,
}

async fn marked() -> Meeting {
    let clock = clock();
    let (from, to) = stores(&clock);
    let it = record(&clock);
    from.create(it.clone(), SignIn::default()).await.unwrap();
    let (slow, gate) = (FaultStore::new(to.clone()), Gate::new());
    slow.next(Operation::Create, Fault::AskedLate(gate.clone()));
    let mut mover = tokio::spawn({
        let (moves, it) = (MovingStore::new(from.clone(), slow), it.clone());
        async move { found(&moves, &it).await.is_some() }
    });
    comes_to(&gate, &mut mover).await;
    Meeting { from, to, it, gate, mover }
}

#[tokio::test]
async fn what_is_destroyed_between_the_steps_does_not_arrive() {
    for round in 0..4 {
        let Meeting { from, to, it, gate, mover } = marked().await;
        let node = match round % 2 {
            0 => MovingStore::hold(from.clone(), to.clone()),
            _ => MovingStore::new(from.clone(), to.clone()),
        };
        match round / 2 {
            0 => assert!(node.delete(it.id).await.unwrap()),
            _ => assert_eq!(node.revoke(&Principal::new("", "7"), revoke_all()).await.unwrap(), 1),
        }
        gate.open();
        assert!(!mover.await.unwrap(), "the request that moved it finds nobody");
        for store in [&from, &to] {
            assert!(found(store, &it).await.is_none(), "round {round}: revived");
            assert_eq!(store.count().await.unwrap(), 0);
        }
    }
}

#[tokio::test]
async fn what_is_written_between_the_steps_is_written_to_what_arrives() {
    let Meeting { from, to, it, gate, mover } = marked().await;
    let (late, asks) = (FaultStore::new(from.clone()), Gate::new());
    late.next(Operation::Reload, Fault::AskedLate(asks.clone()));
    let mut writer = tokio::spawn({
        let (holds, it) = (MovingStore::hold(late, to.clone()), it.clone());
        async move { add_one(&holds, &it).await }
    });
    // It has asked the old store to write.
    comes_to(&asks, &mut writer).await;
    let behind = from.reload(it.id, 1).await.unwrap().unwrap();
    assert_eq!(behind.fields.get("n"), None, "what is marked is not written to");
    gate.open();
    assert!(mover.await.unwrap());
    asks.open();
    assert!(writer.await.unwrap());
    let arrived = found(&to, &it).await.unwrap();
    assert_eq!(arrived.fields.get("n"), Some(&b"1"[..]));
    assert_eq!(from.count().await.unwrap(), 0);
}

/// Until it is in the new store it is in the old one, whatever happens.
#[tokio::test]
async fn a_session_is_in_a_store_at_every_step() {
    let Meeting { from, to, it, gate, mover } = marked().await;
    assert!(from.reload(it.id, 1).await.unwrap().is_some());
    assert_eq!((from.count().await.unwrap(), to.count().await.unwrap()), (1, 0));
    gate.open();
    assert!(mover.await.unwrap());
    assert_eq!((from.count().await.unwrap(), to.count().await.unwrap()), (0, 1));
}

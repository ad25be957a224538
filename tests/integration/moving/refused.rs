//! What the new store refuses for its size, without having said so before.

use super::*;
use session_runtime::forward_store;
use session_runtime::store::Capabilities;
use session_runtime::testing::SpyStore;

/// A store that does not state its limits.
#[derive(Clone)]
struct Silent(MemoryStore);

#[deny(clippy::missing_trait_methods)]
impl SessionStore for Silent {
    forward_store! { this => this.0;
        clock load reload create apply delete list revoke count sweep scan
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::FULL
    }
}

impl Silent {
    /// It refuses nothing from now on: all clones of a store share its limits.
    fn make_room(&self) {
        let _ = self.0.clone().limits(Limits::NONE);
    }
}

const SMALL: Limits = Limits { field: 100, record: 100 };

async fn large(clock: &Clock) -> (MemoryStore, Silent, Record) {
    let (from, to) = stores(clock);
    let mut large = record(clock);
    large.fields = [("note", format!("\"{}\"", "x".repeat(200)).as_str())].into_iter().collect();
    from.create(large.clone(), SignIn::default()).await.unwrap();
    (from, Silent(to.limits(SMALL)), large)
}

fn names(record: &Record) -> Vec<&str> {
    record.fields.iter().map(|(name, _)| name).collect()
}

#[tokio::test]
async fn it_goes_on_living_in_the_old_store() {
    let clock = clock();
    let (from, to, it) = large(&clock).await;
    let to = SpyStore::new(to);
    let moves = MovingStore::new(from.clone(), to.clone());
    let holds = MovingStore::hold(from.clone(), to.clone());
    let shown = found(&moves, &it).await.unwrap();
    let stored = found(&from, &it).await.unwrap();
    assert_eq!(shown.fields, it.fields, "without a mark");
    assert_eq!((stored.fields.clone(), stored.meta.rev), (it.fields.clone(), shown.meta.rev));
    assert!(add_one(&moves, &it).await && add_one(&holds, &it).await && add_one(&moves, &it).await);
    let shown = moves.reload(it.id, 1).await.unwrap().unwrap();
    assert_eq!((names(&shown), shown.fields.get("n")), (vec!["n", "note"], Some(&b"3"[..])));
    let tries = to.operations().iter().filter(|it| **it == Operation::Create).count();
    assert_eq!(tries, 1, "not again with every request");
    let progress = moves.move_all(|_| ()).await.unwrap();
    assert_eq!((progress.done, progress.too_large), (0, 1));
    assert!(add_one(&holds, &it).await);
    // It moves once it fits.
    let shorter = Patch::of(vec![FieldOp::new("note", Op::Set(b"\"\"".into()))]);
    assert!(matches!(moves.apply(it.id, 1, &shorter).await.unwrap(), Outcome::Applied(_)));
    assert_eq!(found(&moves, &it).await.unwrap().fields.get("n"), Some(&b"4"[..]));
    assert_eq!((from.count().await.unwrap(), to.count().await.unwrap()), (0, 1));
    assert!(moves.delete(it.id).await.unwrap());
    assert!(found(&holds, &it).await.is_none());
}

#[tokio::test]
async fn move_all_tries_again_what_was_refused_before() {
    let clock = clock();
    let (from, to, it) = large(&clock).await;
    let moves = MovingStore::new(from.clone(), to.clone());
    assert_eq!(moves.move_all(|_| ()).await.unwrap().too_large, 1);
    to.make_room();
    assert_eq!(moves.move_all(|_| ()).await.unwrap().done, 1);
    assert!(found(&to, &it).await.is_some());
}

/// Requests and nodes at once all try to move it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_loses_a_change_while_it_is_tried() {
    for _ in 0..50 {
        let clock = clock();
        let (from, to, it) = large(&clock).await;
        let nodes = [
            MovingStore::new(from.clone(), to.clone()),
            MovingStore::new(from.clone(), to.clone()),
            MovingStore::hold(from.clone(), to.clone()),
        ];
        let mut writers = tokio::task::JoinSet::new();
        for node in nodes.iter().cycle().take(12) {
            let (node, it) = (node.clone(), it.clone());
            writers.spawn(async move {
                for _ in 0..3 {
                    assert!(found(&node, &it).await.is_some());
                    assert!(add_one(&node, &it).await);
                }
            });
        }
        writers.join_all().await;
        let stored = found(&from, &it).await.unwrap();
        assert_eq!((names(&stored), stored.fields.get("n")), (vec!["n", "note"], Some(&b"36"[..])));
    }
}

/// A node learns late that it was refused, and another one, for which the limits
/// were raised, is moving the session by then.
#[tokio::test]
async fn the_mark_of_another_node_is_left_alone() {
    let clock = clock();
    let (from, to, it) = large(&clock).await;
    let (refused, gate) = (FaultStore::new(to.clone()), Gate::new());
    refused.next(Operation::Create, Fault::AnsweredLate(gate.clone()));
    // Its own patches are those that mark, and take the mark off.
    let (behind, unmarks) = (FaultStore::new(from.clone()), Gate::new());
    behind.after(1, Operation::Apply, Fault::AnsweredLate(unmarks.clone()));
    let mut late = tokio::spawn({
        let (node, it) = (MovingStore::new(behind, refused), it.clone());
        async move { found(&node, &it).await.is_some() }
    });
    comes_to(&gate, &mut late).await;
    // Somebody else has waited for it, was refused too, and took the mark off.
    let off = Patch::of(vec![FieldOp::new("(moved)", Op::Remove)]);
    from.apply(it.id, 1, &off).await.unwrap();
    to.make_room();
    let (slow, arrives) = (FaultStore::new(to.clone()), Gate::new());
    slow.next(Operation::Create, Fault::AskedLate(arrives.clone()));
    let mut mover = tokio::spawn({
        let (node, it) = (MovingStore::new(from.clone(), slow), it.clone());
        async move { found(&node, &it).await.is_some() }
    });
    comes_to(&arrives, &mut mover).await;
    gate.open();
    comes_to(&unmarks, &mut late).await;
    let marked = from.reload(it.id, 1).await.unwrap().unwrap();
    assert!(names(&marked).contains(&"(moved)"), "{:?}", names(&marked));
    arrives.open();
    assert!(mover.await.unwrap());
    unmarks.open();
    assert!(late.await.unwrap());
    assert_eq!((from.count().await.unwrap(), to.count().await.unwrap()), (0, 1));
}

/// A request whose session is marked again, by another node, before it can
/// write: it waits, and does not try to create what that node is refused.
#[tokio::test]
async fn a_change_is_not_lost_to_a_node_that_tries_to_move_it() {
    let clock = clock();
    let (from, to, it) = large(&clock).await;
    let (behind, writes, looks) = (FaultStore::new(from.clone()), Gate::new(), Gate::new());
    // After its mark, and after it was taken off.
    behind.after(2, Operation::Apply, Fault::AskedLate(writes.clone()));
    behind.after(2, Operation::Reload, Fault::AnsweredLate(looks.clone()));
    let ahead = SpyStore::new(to.clone());
    let mut writer = tokio::spawn({
        let (node, it) = (MovingStore::new(behind, ahead.clone()), it.clone());
        async move { add_one(&node, &it).await }
    });
    comes_to(&writes, &mut writer).await;
    let (slow, gate) = (FaultStore::new(to), Gate::new());
    slow.next(Operation::Create, Fault::AskedLate(gate.clone()));
    let mut other = tokio::spawn({
        let (node, it) = (MovingStore::new(from.clone(), slow), it.clone());
        async move { found(&node, &it).await.is_some() }
    });
    comes_to(&gate, &mut other).await;
    writes.open();
    // It has seen the mark twice: it waits for the other node.
    comes_to(&looks, &mut writer).await;
    gate.open();
    assert!(other.await.unwrap());
    looks.open();
    assert!(writer.await.unwrap());
    let stored = found(&from, &it).await.unwrap();
    assert_eq!((names(&stored), stored.fields.get("n")), (vec!["n", "note"], Some(&b"1"[..])));
    let tries = ahead.operations().iter().filter(|it| **it == Operation::Create).count();
    assert_eq!(tries, 1);
}

/// It met the mark of a node that was refused then.
#[tokio::test]
async fn a_node_that_holds_moves_nothing_whose_mark_was_taken_off() {
    let clock = clock();
    let (from, to, it) = large(&clock).await;
    let (slow, gate) = (FaultStore::new(to.clone()), Gate::new());
    slow.next(Operation::Create, Fault::AskedLate(gate.clone()));
    let mut other = tokio::spawn({
        let (node, it) = (MovingStore::new(from.clone(), slow), it.clone());
        async move { found(&node, &it).await.is_some() }
    });
    comes_to(&gate, &mut other).await;
    let (late, asks) = (FaultStore::new(from.clone()), Gate::new());
    late.next(Operation::Reload, Fault::AskedLate(asks.clone()));
    let mut writer = tokio::spawn({
        let (holds, it) = (MovingStore::hold(late, to.clone()), it.clone());
        async move { add_one(&holds, &it).await }
    });
    comes_to(&asks, &mut writer).await;
    gate.open();
    assert!(other.await.unwrap());
    to.make_room();
    asks.open();
    assert!(writer.await.unwrap());
    assert_eq!((from.count().await.unwrap(), to.count().await.unwrap()), (1, 0));
    assert_eq!(found(&from, &it).await.unwrap().fields.get("n"), Some(&b"1"[..]));
}

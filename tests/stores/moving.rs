//! Two stores in the place of one keep the contract, wherever a session is and
//! whichever step a node has reached.

use std::sync::atomic::{AtomicUsize, Ordering};

use session_runtime::clock::Clock;
use session_runtime::forward_store;
use session_runtime::patch::SignIn;
use session_runtime::record::Record;
use session_runtime::store::{
    Capabilities, Created, MemoryStore, MovingStore, SessionStore, StoreError, StoreFuture,
    conformance,
};

type Pair = MovingStore<MemoryStore, MemoryStore>;

fn pair(clock: Clock) -> (MemoryStore, MemoryStore) {
    (MemoryStore::with_clock(clock.clone()), MemoryStore::with_clock(clock))
}

session_runtime::store_conformance! {
    moves, |clock| async move { let (from, to) = pair(clock); MovingStore::new(from, to) }
}

session_runtime::store_conformance! {
    holds, |clock| async move { let (from, to) = pair(clock); MovingStore::hold(from, to) }
}

session_runtime::store_conformance! {
    finds_everything_in_the_old_store, |clock| async move { Nodes::new(clock, |_| 0, |_| 1, true) }
}

session_runtime::store_conformance! {
    beside_nodes_that_hold, |clock| async move { Nodes::new(clock, |_| 0, |n| n % 2, false) }
}

#[test]
fn nothing_is_left_out() {
    let promised = |nodes: Nodes| conformance::not_promised(&nodes.capabilities());
    assert_eq!(promised(Nodes::new(Clock::system(), |_| 0, |_| 1, true)), [""; 0]);
    // What is counted per store while both steps run.
    let missing = promised(Nodes::new(Clock::system(), |_| 0, |n| n % 2, false));
    assert!(missing.iter().any(|rule| rule.contains("cap")), "{missing:?}");
}

/// A node that holds and one that moves, in front of the same two stores.
struct Nodes {
    nodes: [Pair; 2],
    calls: AtomicUsize,
    creates: fn(usize) -> usize,
    others: fn(usize) -> usize,
    index: bool,
}

impl Nodes {
    /// `creates` and `others` say which node is asked: 0 holds, 1 moves.
    fn new(
        clock: Clock,
        creates: fn(usize) -> usize,
        others: fn(usize) -> usize,
        index: bool,
    ) -> Self {
        let (from, to) = pair(clock);
        let nodes = [MovingStore::hold(from.clone(), to.clone()), MovingStore::new(from, to)];
        Self { nodes, calls: AtomicUsize::new(0), creates, others, index }
    }

    fn next(&self) -> &Pair {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        &self.nodes[(self.others)(call)]
    }
}

#[deny(clippy::missing_trait_methods)]
impl SessionStore for Nodes {
    forward_store! { this => this.nodes[0]; clock }
    forward_store! { this => this.next();
        load reload apply delete list revoke count sweep scan
    }

    fn capabilities(&self) -> Capabilities {
        let mut all = self.nodes[0].capabilities();
        all.principal_index = self.index;
        all
    }

    fn create(
        &self,
        record: Record,
        sign_in: SignIn,
    ) -> StoreFuture<'_, Result<Created, StoreError>> {
        // With conditions there is one place where they are counted.
        if self.index && !sign_in.is_unconditional() {
            return self.next().create(record, sign_in);
        }
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        self.nodes[(self.creates)(call)].create(record, sign_in)
    }
}

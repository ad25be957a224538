//! Two stores in the place of one keep the contract, wherever a session is and
//! whichever step a node has reached.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use session_runtime::clock::Clock;
use session_runtime::id::SessionId;
use session_runtime::patch::{Outcome, Patch, SignIn};
use session_runtime::record::{Principal, Record};
use session_runtime::store::{
    Capabilities, Created, Cursor, Lookup, MemoryStore, MovingStore, Page, Revoke, SessionStore,
    StoreError, StoreFuture, Swept, Visit, conformance,
};
use session_runtime::token::SecretHash;

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
    fn clock(&self) -> &Clock {
        self.nodes[0].clock()
    }

    fn capabilities(&self) -> Capabilities {
        let mut all = self.nodes[0].capabilities();
        all.principal_index = self.index;
        all
    }

    fn load<'a>(
        &'a self,
        id: SessionId,
        secret: &'a SecretHash,
        visit: Visit,
    ) -> StoreFuture<'a, Result<Lookup, StoreError>> {
        self.next().load(id, secret, visit)
    }

    fn reload(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> StoreFuture<'_, Result<Option<Arc<Record>>, StoreError>> {
        self.next().reload(id, epoch)
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

    fn apply<'a>(
        &'a self,
        id: SessionId,
        epoch: u64,
        patch: &'a Patch,
    ) -> StoreFuture<'a, Result<Outcome, StoreError>> {
        self.next().apply(id, epoch, patch)
    }

    fn delete(&self, id: SessionId) -> StoreFuture<'_, Result<bool, StoreError>> {
        self.next().delete(id)
    }

    fn list<'a>(
        &'a self,
        principal: &'a Principal,
    ) -> StoreFuture<'a, Result<Vec<Arc<Record>>, StoreError>> {
        self.next().list(principal)
    }

    fn revoke<'a>(
        &'a self,
        principal: &'a Principal,
        which: Revoke,
    ) -> StoreFuture<'a, Result<u64, StoreError>> {
        self.next().revoke(principal, which)
    }

    fn count(&self) -> StoreFuture<'_, Result<u64, StoreError>> {
        self.next().count()
    }

    fn sweep(&self, limit: usize) -> StoreFuture<'_, Result<Swept, StoreError>> {
        self.next().sweep(limit)
    }

    fn scan<'a>(
        &'a self,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        self.next().scan(from, limit)
    }
}

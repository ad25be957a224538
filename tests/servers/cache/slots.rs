//! Slots of a cluster that go to another primary while their sessions are in
//! the cache.

use std::time::{Duration, Instant};

use session_runtime::__private::patch::{FieldOp, Op, Outcome, Patch};
use session_runtime::__private::record::Record;
use session_runtime::store::{
    SessionStore,
    contract::{EndReason, Lookup, Touch},
};
use session_tests::servers::redis::{Cluster, Server};

use super::kit::{Nodes, change, eventually, look};

const SILENCE: Duration = Duration::from_secs(2);

/// A slot on its way from one primary to another.
struct Move<'c> {
    cluster: &'c Cluster,
    from: &'c Server,
    to: &'c Server,
    slot: String,
}

fn done(said: &str) {
    assert_eq!(said.trim(), "OK");
}

impl<'c> Move<'c> {
    /// That of a session, to the next primary.
    fn of(cluster: &'c Cluster, record: &Record) -> Self {
        let primaries: Vec<_> = cluster.primaries().iter().map(|i| &cluster.nodes[*i]).collect();
        let pattern = format!("*{}", record.id);
        let keys = |node: &Server| node.ask(&["KEYS", &pattern]).trim().to_owned();
        let at = primaries.iter().position(|node| !keys(node).is_empty()).unwrap();
        let from = primaries[at];
        let to = primaries[(at + 1) % primaries.len()];
        let slot = from.ask(&["CLUSTER", "KEYSLOT", &keys(from)]).trim().to_owned();
        Self { cluster, from, to, slot }
    }

    fn name(node: &Server) -> String {
        node.ask(&["CLUSTER", "MYID"]).trim().to_owned()
    }

    fn begins(&self) {
        let (from, to) = (Self::name(self.from), Self::name(self.to));
        done(&self.to.ask(&["CLUSTER", "SETSLOT", &self.slot, "IMPORTING", &from]));
        done(&self.from.ask(&["CLUSTER", "SETSLOT", &self.slot, "MIGRATING", &to]));
    }

    fn keys(&self) -> String {
        self.from.ask(&["CLUSTER", "GETKEYSINSLOT", &self.slot, "1000"])
    }

    /// All that is in it.
    fn keys_go(&self) {
        self.go(&self.keys());
    }

    fn go(&self, keys: &str) {
        let port = self.to.port.to_string();
        let mut command = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
        command.extend(keys.split_whitespace());
        done(&self.from.ask(&command));
    }

    fn ends(&self) {
        let to = Self::name(self.to);
        let others = self.cluster.primaries().into_iter().map(|i| &self.cluster.nodes[i]);
        let others = others.filter(|node| node.port != self.to.port);
        for node in std::iter::once(self.to).chain(others) {
            done(&node.ask(&["CLUSTER", "SETSLOT", &self.slot, "NODE", &to]));
        }
    }
}

/// Its fields are apart then.
async fn grow(store: &impl SessionStore, record: &Record) {
    let patch = Patch::of(vec![FieldOp::new("large", Op::set(format!("{:?}", "x".repeat(3_000))))]);
    let outcome = store.apply(record.id, record.meta.epoch, &patch, None).await.unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
}

/// While the fields have gone, and head and meta have not, it is read, and a change waits.
async fn one_goes_after_the_other(nodes: &Nodes, slot: &Move<'_>, record: &Record) {
    let keys = slot.keys();
    assert_eq!(keys.lines().count(), 2, "{keys}");
    slot.go(keys.lines().find(|key| key.ends_with("}b")).unwrap());
    let read = nodes.there.load(record.id, &[record.meta.secret], Touch::Never.into()).await;
    let Lookup::Found(read) = read.unwrap() else { panic!("half of it is there") };
    let (there, rev) = (nodes.there.clone(), read.meta.rev);
    let waits = tokio::spawn({
        let record = record.clone();
        async move { change(&there, &record).await }
    });
    slot.keys_go();
    assert_eq!(waits.await.unwrap(), rev + 1);
}

/// A change on the other node is seen by the one that caches within the bound,
/// and nothing older afterwards.
#[allow(clippy::disallowed_methods)] // the bound is one of real time
async fn changes_are_seen(nodes: &Nodes, record: &Record, when: &str) {
    nodes.held(record).await;
    for _ in 0..3 {
        let rev = change(&nodes.there, record).await;
        let changed = Instant::now();
        loop {
            let asked = changed.elapsed();
            let (seen, cached) = look(&nodes.here, record).await;
            if seen == Some(rev) {
                break;
            }
            assert!(cached && asked < SILENCE, "{when}: {seen:?} {cached} after {asked:?}");
            tokio::task::yield_now().await;
        }
        nodes.held(record).await;
        for _ in 0..100 {
            assert_eq!(look(&nodes.here, record).await.0, Some(rev), "{when}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_slot_goes_to_another_primary_is_seen_as_it_is() {
    let Some(cluster) = Cluster::start() else { return };
    let nodes = Nodes::with(&cluster.url(), &cluster.url(), SILENCE).await;
    for round in 0..6 {
        let record = nodes.session().await;
        let is_large = round % 2 == 1;
        if is_large {
            grow(&nodes.there, &record).await;
        }
        let slot = Move::of(&cluster, &record);
        changes_are_seen(&nodes, &record, "before").await;
        slot.begins();
        changes_are_seen(&nodes, &record, "on its way").await;
        if is_large {
            one_goes_after_the_other(&nodes, &slot, &record).await;
        } else {
            slot.keys_go();
        }
        changes_are_seen(&nodes, &record, "there, and not announced").await;
        slot.ends();
        changes_are_seen(&nodes, &record, "afterwards").await;
        nodes.there.delete(record.id, EndReason::SignedOut).await.unwrap();
        eventually("the logout", async || look(&nodes.here, &record).await.0.is_none()).await;
        for _ in 0..100 {
            assert_eq!(look(&nodes.here, &record).await.0, None);
        }
    }
}

/// Held from before the first step to after the last one, and read by nobody in
/// between.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_while_a_slot_moves_does_not_stay() {
    let Some(cluster) = Cluster::start() else { return };
    let nodes = Nodes::with(&cluster.url(), &cluster.url(), SILENCE).await;
    for _ in 0..3 {
        let record = nodes.session().await;
        let slot = Move::of(&cluster, &record);
        slot.begins();
        slot.keys_go();
        slot.ends();
        // By a node that has not heard of it yet.
        changes_are_seen(&nodes, &record, "afterwards").await;
        let rev = change(&nodes.there, &record).await;
        nodes.there.delete(record.id, EndReason::SignedOut).await.unwrap();
        assert!(rev > 1);
        eventually("the logout", async || look(&nodes.here, &record).await.0.is_none()).await;
    }
}

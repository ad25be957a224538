//! Changes while a primary of a cluster is lost, and its replica takes over.

use session_runtime::Realm;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use session_runtime::__private::patch::{Outcome, Patch};
use session_runtime::__private::token::SessionToken;
use session_runtime::store::{RedisStore, SessionStore};
use session_tests::servers::redis::{self, Cluster};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::records::{created, number, one_more};

const DEADLINE: Duration = Duration::from_secs(1);

/// What was acknowledged for one session.
#[derive(Default)]
struct Acknowledged(AtomicU64);

/// Adds one by one, each until it is acknowledged under its one id, until told
/// to stop.
async fn additions(
    store: RedisStore,
    id: session_runtime::SessionId,
    renewing: bool,
    acknowledged: Arc<Acknowledged>,
    stop: Arc<AtomicBool>,
) -> usize {
    let (mut epoch, mut failed) = (1, 0);
    while !stop.load(Ordering::Relaxed) {
        let mut patch: Patch = one_more();
        if renewing {
            patch.meta.renew =
                Some(SessionToken::renew(id).unwrap().secret_hash(&Realm::default()));
        }
        loop {
            let asked = Instant::now();
            let outcome = store.apply(id, epoch, &patch, None).await;
            let took = asked.elapsed();
            assert!(took < DEADLINE * 3, "a call took {took:?}");
            match outcome {
                Ok(Outcome::Applied(_)) => break,
                Ok(Outcome::Uncertain) | Err(_) => failed += 1,
                // Only the promotion of a replica that lost an acknowledged
                // renewal could answer this.
                Ok(other) => panic!("{other:?} under epoch {epoch}"),
            }
        }
        epoch += u64::from(renewing);
        acknowledged.0.fetch_add(1, Ordering::SeqCst);
    }
    failed
}

/// Kills a primary while 24 sessions are added to, and tells of each what was
/// acknowledged before and after, and what is stored in the end.
async fn through_a_failover(renewing: bool) -> Option<Vec<(u64, u64, u64, bool)>> {
    let mut cluster = Cluster::start()?;
    let options = RedisStore::options().prefix(redis::fresh_prefix()).deadline(DEADLINE);
    let options = options.wait_replicas(usize::from(renewing));
    let store = options.connect(&cluster.url()).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let lost = cluster.primaries()[0];
    let node = &cluster.nodes[lost];
    let mut tasks = JoinSet::new();
    let mut sessions = Vec::new();
    for _ in 0..24 {
        let record = created(&store, None).await;
        let acknowledged = Arc::new(Acknowledged::default());
        let on_lost = node.ask(&["--scan"]).contains(&record.id.to_string());
        tasks.spawn(additions(
            store.clone(),
            record.id,
            renewing,
            acknowledged.clone(),
            stop.clone(),
        ));
        sessions.push((record.id, acknowledged, on_lost));
    }
    assert!(sessions.iter().any(|it| it.2) && sessions.iter().any(|it| !it.2));
    let all = |at_least: u64| {
        let sessions = &sessions;
        async move {
            let begun = Instant::now();
            while sessions.iter().any(|it| it.1.0.load(Ordering::SeqCst) < at_least) {
                assert!(begun.elapsed() < Duration::from_secs(60), "the cluster did not come back");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    all(5).await;
    let before: Vec<_> = sessions.iter().map(|it| it.1.0.load(Ordering::SeqCst)).collect();
    // What was acknowledged until here is on the replica.
    assert_eq!(node.ask(&["WAIT", "1", "5000"]).trim(), "1");
    node.signal("KILL");
    if renewing {
        // The new primary needs a replica to wait for; the old one must not come
        // back before it is one.
        let begun = Instant::now();
        while cluster.primaries().len() < 3 {
            assert!(begun.elapsed() < Duration::from_secs(60), "no replica took over");
        }
        cluster.nodes[lost].restart();
    }
    let at_kill = sessions.iter().map(|it| it.1.0.load(Ordering::SeqCst)).max().unwrap();
    all(at_kill + 5).await;
    stop.store(true, Ordering::Relaxed);
    let failed: usize = tasks.join_all().await.into_iter().sum();
    println!("{failed} calls failed");
    let mut all = Vec::new();
    for ((id, acknowledged, on_lost), before) in sessions.into_iter().zip(before) {
        let acknowledged = acknowledged.0.load(Ordering::SeqCst);
        let epoch = if renewing { 1 + acknowledged } else { 1 };
        let stored = store.reload(id, epoch).await.unwrap().expect("it is there");
        all.push((before, acknowledged, number(&stored), on_lost));
    }
    Some(all)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_addition_is_done_twice_or_lost_but_those_that_died_with_their_primary() {
    let Some(sessions) = through_a_failover(false).await else { return };
    for (before, acknowledged, stored, on_lost) in sessions {
        assert!(stored <= acknowledged, "{stored} of {acknowledged}: one twice");
        if on_lost {
            assert!(stored >= before, "{stored}: {before} were on the replica");
        } else {
            assert_eq!(stored, acknowledged, "on a primary that was not lost");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_waited_for_outlives_the_primary() {
    let Some(sessions) = through_a_failover(true).await else { return };
    for (_, acknowledged, stored, on_lost) in sessions {
        assert_eq!(stored, acknowledged, "on the primary that was lost: {on_lost}");
    }
}

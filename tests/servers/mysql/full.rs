//! A disk that is full. The test has a server of its own.

use std::time::Duration;

use session_runtime::__private::patch::{FieldOp, Op, Outcome, Patch, SignIn};
use session_runtime::store::{
    Limits, MySqlStore, SessionStore, StoreErrorKind,
    contract::{Created, EndReason},
};
use session_tests::servers::{MariaDb, Space};

use super::server::{MISSING, add, found, record, stored};

fn large() -> Patch {
    Patch::of(vec![FieldOp::new("large", Op::set(vec![b'x'; 256 << 10]))])
}

/// MariaDB waits for room first, which looks like a server that stands still,
/// and may end itself; then whoever runs it starts it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_costs_a_deadline_and_nothing_that_was_acknowledged() {
    let Some(space) = Space::new(12) else { return };
    let start = MariaDb::start_under(space.prefix(), Vec::new());
    let Some(server) = start else { panic!("{MISSING}") };
    // A directory is a database.
    let data = server.process().directory().join("data/app");
    std::os::unix::fs::symlink(space.path(), data).unwrap();
    let deadline = Duration::from_secs(1);
    let options = MySqlStore::options().deadline(deadline).limits(Limits::NONE).connections(3);
    let options = options.sweep_interval(None);
    let store = options.connect(&server.url("app")).await.unwrap();
    let kept = stored(&store, &[("n", b"1")]).await;
    let over = stored(&store, &[("n", b"1")]).await;

    let pid = server.process().pid();
    space.fill(pid);
    // Something may still find room on pages that are there.
    let mut acknowledged = vec![kept.clone()];
    let error = loop {
        let new = record(&[("large", &[b'x'; 64 << 10])]);
        let began = tokio::time::Instant::now();
        let created = store.create(new.clone().into(), SignIn::default()).await;
        assert!(began.elapsed() < 5 * deadline, "{:?}", began.elapsed());
        match created {
            Ok(answer) => assert_eq!(answer, Created::ALONE),
            Err(error) => break error,
        }
        acknowledged.push(new);
        assert!(acknowledged.len() < 1_000, "the disk is full");
    };
    use StoreErrorKind::{Full, Timeout, Unavailable};
    assert!(matches!(error.kind(), Full | Timeout | Unavailable), "{error:?}");

    space.free(pid);
    let mut tries = 0;
    while let Err(error) = store.count().await {
        tokio::time::sleep(Duration::from_millis(100)).await;
        tries += 1;
        assert!(tries < 300, "there is room again: {error:?}");
    }
    for record in &acknowledged {
        assert_eq!(found(&store, record).await.fields, record.fields);
    }
    let outcome = store.apply(kept.id, 1, &large(), None).await.unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    store.apply(kept.id, 1, &add(), None).await.unwrap();
    stored(&store, &[("n", b"1")]).await;
    assert_eq!(found(&store, &kept).await.fields.get("n"), Some(&b"2"[..]));
    assert!(store.delete(over.id, EndReason::SignedOut).await.unwrap());
}

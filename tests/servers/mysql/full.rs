//! A disk that is full. The test has a server of its own.

use std::time::Duration;

use session_runtime::clock::Clock;
use session_runtime::patch::{FieldOp, Op, Outcome, Patch, SignIn};
use session_runtime::store::{
    Created, Limits, Lookup, MySqlStore, SessionStore, StoreErrorKind, Touch,
};
use session_tests::servers::{MariaDb, Space};

use super::server::{MISSING, add, found, record, stored};

fn large() -> Patch {
    Patch::of(vec![FieldOp::new("large", Op::Set(vec![b'x'; 256 << 10]))])
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_tables_cannot_grow_writes_are_refused_and_all_else_works() {
    let Some(space) = Space::new(12) else { return };
    let start = MariaDb::start_under(space.prefix(), Vec::new());
    let Some(server) = start else { panic!("{MISSING}") };
    // A directory is a database.
    let data = server.process().directory().join("data/app");
    std::os::unix::fs::symlink(space.path(), data).unwrap();
    let clock = Clock::frozen(Clock::system().now());
    let options = MySqlStore::options().clock(clock.clone()).limits(Limits::NONE).connections(3);
    let store = options.sweep_interval(None).connect(&server.url("app")).await.unwrap();
    let kept = stored(&store, &[("n", b"1")]).await;
    let over = stored(&store, &[]).await;

    let pid = server.process().pid();
    space.fill(pid);
    // Something may still find room on pages that are there.
    let mut created = 0;
    let error = loop {
        let new = record(&[("large", &[b'x'; 64 << 10])]);
        match store.create(new, SignIn::default()).await {
            Ok(answer) => assert_eq!(answer, Created::Created),
            Err(error) => break error,
        }
        created += 1;
        assert!(created < 1_000, "the disk is full");
    };
    assert_eq!(error.kind(), StoreErrorKind::Full, "{error:?}");
    let error = store.apply(kept.id, 1, &large()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Full, "{error:?}");
    assert_eq!(store.count().await.unwrap(), 2 + created, "all or nothing");
    clock.advance(Duration::from_secs(10 * 60));
    let lookup = store.load(kept.id, &kept.meta.secret, Touch::IfDue.into()).await.unwrap();
    assert!(matches!(lookup, Lookup::Found(_)), "{lookup:?}");
    assert!(store.delete(over.id).await.unwrap(), "a logout needs no room");
    let lookup = store.load(over.id, &over.meta.secret, Touch::Never.into()).await.unwrap();
    assert!(matches!(lookup, Lookup::Retired | Lookup::Absent), "{lookup:?}");

    space.free(pid);
    let outcome = store.apply(kept.id, 1, &large()).await.unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    store.apply(kept.id, 1, &add()).await.unwrap();
    stored(&store, &[("n", b"1")]).await;
    assert_eq!(found(&store, &kept).await.fields.get("n"), Some(&b"2"[..]));
}

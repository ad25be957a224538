//! Whose time decides, and when it is read.

use std::time::Duration;

use session_runtime::__private::patch::{FieldOp, Gone, Op, Outcome, Patch, SignIn};
use session_runtime::__private::record::COMMIT_LEEWAY;
use session_runtime::clock::{Clock, Timestamp};
use session_runtime::store::{
    SessionStore,
    contract::{Lookup, Touch},
};

use super::server::{fresh, record, run, stored};
use crate::queued::Rows as _;

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_that_waited_for_the_row_beyond_the_end_of_the_session_is_refused() {
    let tables = fresh().await;
    let store = tables.store().await;
    // It accepts patches for another moment.
    let mut record = record(&[("a", b"1")]);
    let left = Duration::from_millis(1_500);
    let end = store.clock().now().after(left).as_millis() - COMMIT_LEEWAY.as_millis() as u64;
    record.meta.absolute = Some(Timestamp::from_millis(end));
    store.create(record.clone().into(), SignIn::default()).await.unwrap();
    let mut db = tables.db().await;
    let lock = format!("BEGIN; SELECT id FROM {}session FOR UPDATE", tables.prefix);
    run(&mut db, &lock).await;
    let patch = Patch::of(vec![FieldOp::new("a", Op::set("2"))]);
    let waiting = tokio::spawn({
        let (store, id) = (store.clone(), record.id);
        async move { store.apply(id, 1, &patch, None).await.unwrap() }
    });
    // It waits for the row before the end has come.
    tables.until_waiting(1).await;
    assert!(store.clock().now().as_millis() < end + COMMIT_LEEWAY.as_millis() as u64);
    while store.clock().now().as_millis() <= end + COMMIT_LEEWAY.as_millis() as u64 + 5 {
        tokio::task::yield_now().await;
    }
    run(&mut db, "COMMIT").await;
    let outcome = waiting.await.unwrap();
    assert!(matches!(outcome, Outcome::Gone(Gone::Absent)), "{outcome:?}");
}

#[tokio::test]
async fn the_servers_clock_decides_in_whatever_zone_a_connection_is() {
    let tables = fresh().await;
    let options: sqlx::mysql::MySqlConnectOptions = tables.url.parse().unwrap();
    let pool = sqlx::MySqlPool::connect_with(options.timezone(Some("-11:00".to_owned()))).await;
    let store = tables.options().with_pool(pool.unwrap()).await.unwrap();
    // Activity is written as of the server's time.
    let mut old = record(&[]);
    let before = Clock::system().now();
    old.meta.last_seen = Timestamp::from_millis(before.as_millis() - 20 * 60 * 1_000);
    store.create(old.clone().into(), SignIn::default()).await.unwrap();
    let lookup = store.load(old.id, &[old.meta.secret], Touch::IfDue.into()).await.unwrap();
    let Lookup::Found(found) = lookup else { panic!("{lookup:?}") };
    let after = Clock::system().now();
    // The server's milliseconds are rounded down.
    assert!(found.meta.last_seen.after(Duration::from_millis(1)) >= before);
    assert!(found.meta.last_seen <= after);
    let again = super::server::found(&store, &old).await;
    assert_eq!(again.meta.last_seen, found.meta.last_seen);
    stored(&store, &[]).await;
    assert_eq!(store.count().await.unwrap(), 2);
}

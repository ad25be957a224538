//! What happens while somebody waits for a lock.

use std::time::Duration;

use session_runtime::__private::patch::{Gone, Outcome, SignIn};
use session_runtime::__private::record::COMMIT_LEEWAY;
use session_runtime::clock::{Clock, Timestamp};
use session_runtime::store::{SessionStore, StoreErrorKind};
use sqlx::{Executor as _, PgPool, Postgres, Transaction};

use super::kit::{DATABASE, Opened, add, insert, options, record, server};

const HOUR: Duration = Duration::from_secs(3600);

/// Locks every session of `schema` until it is dropped.
async fn hold(schema: &str) -> Transaction<'static, Postgres> {
    let pool = PgPool::connect(&server().url(DATABASE)).await.unwrap();
    let mut holder = pool.begin().await.unwrap();
    let sql = format!("SELECT 1 FROM {schema}.session FOR UPDATE");
    holder.execute(sqlx::raw_sql(&sql)).await.unwrap();
    holder
}

/// Until so many statements of `schema` wait for a lock.
pub(super) async fn until_waiting(schema: &str, statements: u32) {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity \
         WHERE wait_event_type = 'Lock' AND query LIKE '%\"{schema}\"%'"
    );
    while server().psql(DATABASE, &sql).unwrap().parse::<u32>().unwrap() < statements {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_that_waited_past_the_end_of_the_session_is_refused() {
    // The server's own clock decides here, so the record is one whose leeway
    // ends a moment from now.
    let opened = Opened::with_clock(Clock::system()).await;
    let now = Clock::system().now();
    let (mut record, _) = record(&opened.store, HOUR);
    let id = record.id;
    let end = now.as_millis() + 1_500 - COMMIT_LEEWAY.as_millis() as u64;
    record.meta.absolute = Some(Timestamp::from_millis(end));
    opened.store.create(record.into(), SignIn::default()).await.unwrap();
    let holder = hold(&opened.schema.0).await;
    let store = opened.store.clone();
    let waiting = tokio::spawn(async move { store.apply(id, 1, &add("n"), None).await });
    until_waiting(&opened.schema.0, 1).await;
    assert!(Clock::system().now().as_millis() < now.as_millis() + 1_500, "it began in time");
    tokio::time::sleep(Duration::from_millis(1_600)).await;
    drop(holder);
    let outcome = waiting.await.unwrap().unwrap();
    assert!(matches!(outcome, Outcome::Gone(Gone::Absent)), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_lock_longer_than_the_deadline_here_or_there() {
    let deadline = Duration::from_millis(300);
    let opened =
        Opened::with(&server().url(DATABASE), options(Clock::system()).deadline(deadline)).await;
    let (id, _) = insert(&opened.store, HOUR).await;
    let holder = hold(&opened.schema.0).await;
    let began = tokio::time::Instant::now();
    match opened.store.apply(id, 1, &add("n"), None).await {
        Err(error) => assert_eq!(error.kind(), StoreErrorKind::Timeout),
        // The server's answer came later than the deadline.
        Ok(outcome) => assert!(matches!(outcome, Outcome::Uncertain), "{outcome:?}"),
    }
    assert!(began.elapsed() < 10 * deadline, "{:?}", began.elapsed());
    let waits = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%{}%'",
        opened.schema.0
    );
    while server().psql(DATABASE, &waits).unwrap() != "0" {
        assert!(began.elapsed() < Duration::from_secs(10), "it still waits on the server");
    }
    drop(holder);
    let outcome = opened.store.apply(id, 1, &add("n"), None).await.unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    assert_eq!(super::kit::value(&opened.schema.0, id, "n"), "1");
}

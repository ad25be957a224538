//! The writer: group commit, failures, touches, sweeps.

use std::num::NonZeroU32;

use super::*;
use crate::record::COMMIT_LEEWAY;
use crate::record::patch::{AtLimit, Cap, Gone};
use crate::store::error::StoreErrorKind;
use crate::store::limits::Limits;
use crate::store::sqlite::failure::{Failure, Unacknowledged};
use crate::store::sqlite::readers::Readers;
use crate::store::sqlite::step::Writes;
use crate::store::sqlite::watch::Lost;
use crate::store::sqlite::writer::{Threads, Writer};

/// Counts the transactions in the WAL: the frames that carry the size of the database.
fn commits(directory: &Directory) -> usize {
    let wal = std::fs::read(directory.wal()).unwrap();
    let page = u32::from_be_bytes(wal[8..12].try_into().unwrap()) as usize;
    wal[32..].chunks_exact(24 + page).filter(|frame| frame[4..8] != [0; 4]).count()
}

/// Locks the file, so that the writer waits and a queue builds up.
fn lock(directory: &Directory) -> Connection {
    let db = directory.sql();
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    db
}

#[tokio::test]
async fn what_waits_together_is_committed_together() {
    let directory = Directory::new();
    let (store, _) = open(&directory).await;
    create(&store, record(1, &[])).await;
    let before = commits(&directory);
    let lock = lock(&directory);
    let patches = (0..100).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { applied(&store, 1, &add()).await.rev })
    });
    let patches: Vec<_> = patches.collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(patches.iter().all(|patch| !patch.is_finished()), "acknowledged before the commit");
    drop(lock);
    let mut revisions = Vec::new();
    for patch in patches {
        revisions.push(patch.await.unwrap());
    }
    assert!(revisions.into_iter().eq(2..102));
    let commits = commits(&directory) - before;
    assert!((1..=3).contains(&commits), "{commits} commits for 100 patches");
}

#[tokio::test]
async fn a_failing_step_leaves_no_trace_and_does_not_harm_the_others() {
    let directory = Directory::new();
    let (store, _) = open(&directory).await;
    create(&store, record(1, &[])).await;
    let lock = lock(&directory);
    let (other, doomed) = (store.clone(), store.clone());
    let first = tokio::spawn(async move { applied(&other, 1, &add()).await });
    let failing = tokio::spawn(async move {
        let work = |db: &Db, _| -> Result<(), Failure> {
            db.execute("DELETE FROM session", []).map_err(Failure::from)?;
            Err(Failure::corrupt("test"))
        };
        doomed.0.threads.writer.run(Writes::More, work).await
    });
    let last = tokio::spawn({
        let store = store.clone();
        async move { applied(&store, 1, &add()).await }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    drop(lock);
    assert_eq!((first.await.unwrap().rev, last.await.unwrap().rev), (2, 3));
    assert!(matches!(failing.await.unwrap(), Err(Unacknowledged::NotWritten(_))));
}

#[tokio::test]
async fn a_change_that_waited_past_the_end_of_its_session_is_refused() {
    let directory = Directory::new();
    let (store, clock) = open(&directory).await;
    create(&store, record(1, &[])).await;
    let read = found(&store, 1, Touch::Never).await.unwrap();
    let lock = lock(&directory);
    let waiting = tokio::spawn({
        let store = store.clone();
        // The session was live when this was decided.
        async move { store.apply(id(1), 1, &add(), Some(&read)).await.unwrap() }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    clock.advance(HOUR + COMMIT_LEEWAY);
    drop(lock);
    let outcome = waiting.await.unwrap();
    assert!(matches!(outcome, Outcome::Gone(Gone::Absent)), "{outcome:?}");
}

#[tokio::test]
async fn a_sign_in_that_fails_has_ended_no_session_to_make_room() {
    let directory = Directory::new();
    let (store, _) = open(&directory).await;
    let principal = Principal::new("shop", "42");
    let theirs = |number| {
        let mut record = record(number, &[]);
        record.meta.principal = Some(principal.clone());
        record
    };
    create(&store, theirs(1)).await;
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON session \
        BEGIN SELECT RAISE(ABORT, 'no'); END";
    directory.sql().execute_batch(refuse).unwrap();
    let cap = Some(Cap { max: NonZeroU32::MIN, at_limit: AtLimit::EvictOldest });
    let sign_in = SignIn { cap, not_revoked_since: None };
    store.create(theirs(2).into(), sign_in).await.unwrap_err();
    assert!(found(&store, 1, Touch::Never).await.is_some());
}

#[tokio::test]
async fn a_writer_kept_out_too_long_is_a_timeout_and_nothing_is_written() {
    let directory = Directory::new();
    let clock = Clock::frozen(START);
    let options = options(&clock).busy_timeout(Duration::from_millis(30));
    let store = options.open(directory.file()).await.unwrap();
    create(&store, record(1, &[])).await;
    let lock = lock(&directory);
    let error = store.apply(id(1), 1, &add(), None).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Timeout);
    assert!(found(&store, 1, Touch::Never).await.is_some(), "reads do not wait");
    drop(lock);
    assert_eq!(applied(&store, 1, &add()).await.rev, 2);
}

#[tokio::test]
async fn a_panic_in_the_writer_or_a_reader_loses_its_answer_and_nothing_else() {
    let directory = Directory::new();
    let (store, _) = open(&directory).await;
    create(&store, record(1, &[])).await;
    let work = |db: &Db, _| -> Result<(), Failure> {
        db.execute("DELETE FROM session", []).map_err(Failure::from)?;
        panic!("a panic in a write, made by the test")
    };
    let lost = store.0.threads.writer.run(Writes::More, work).await;
    assert!(matches!(lost, Err(Unacknowledged::NotWritten(_))));
    for _ in 0..3 {
        let work = |_: &Db| -> Result<(), Failure> { panic!("in a read, made by the test") };
        assert!(store.0.threads.readers.run(work).await.is_err());
    }
    assert_eq!(applied(&store, 1, &add()).await.rev, 2);
    assert!(found(&store, 1, Touch::Never).await.is_some());
}

#[tokio::test]
async fn a_lost_reply_is_uncertain_and_a_writer_that_is_gone_is_an_error() {
    let directory = Directory::new();
    let (store, clock) = open(&directory).await;
    let (queue, steps) = std::sync::mpsc::channel();
    let lose = std::thread::spawn(move || drop(steps.recv()));
    let (readers, _) = Readers::open(&directory.file(), &options(&clock), Lost::default()).unwrap();
    let threads = Threads::of(readers, Writer::new(queue));
    let broken = SqliteStore::new(clock, Limits::NONE, threads);
    assert!(matches!(broken.apply(id(1), 1, &add(), None).await, Ok(Outcome::Uncertain)));
    lose.join().unwrap();
    let error = broken.apply(id(1), 1, &add(), None).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    drop(store);
}

#[tokio::test]
async fn a_touch_is_seen_by_every_later_read_and_survives() {
    let directory = Directory::new();
    let (store, clock) = open(&directory).await;
    create(&store, record(1, &[])).await;
    clock.advance(HOUR / 2);
    let touched = clock.now();
    assert_eq!(found(&store, 1, Touch::IfDue).await.unwrap().meta.last_seen, touched);
    assert_eq!(store.reload(id(1), 1).await.unwrap().unwrap().meta.last_seen, touched);
    clock.advance(HOUR - Duration::from_millis(1));
    assert_eq!(store.count().await.unwrap(), 1);
    assert!(found(&store, 1, Touch::Never).await.is_some());
    clock.advance(Duration::from_millis(1));
    assert!(found(&store, 1, Touch::IfDue).await.is_none(), "a touch revives nothing");
    assert_eq!(store.count().await.unwrap(), 0);
}

#[tokio::test]
async fn a_touch_that_comes_late_neither_revives_nor_turns_back() {
    let directory = Directory::new();
    let (store, clock) = open(&directory).await;
    create(&store, record(1, &[])).await;
    let send = |epoch, at| {
        let step = store.0.touching.begin(id(1), epoch, at).unwrap();
        store.0.threads.writer.send(Box::new(step)).unwrap();
    };
    let seen = || async {
        store.0.settle(true).await;
        found(&store, 1, Touch::Never).await.map(|record| record.meta.last_seen)
    };
    send(2, START.after(HOUR / 2));
    assert_eq!(seen().await, Some(START), "another epoch");
    send(1, Timestamp::from_millis(5));
    assert_eq!(seen().await, Some(START), "earlier than what is stored");
    send(1, START.after(HOUR));
    clock.advance(HOUR);
    assert_eq!(seen().await, None, "it had expired by then");
}

#[tokio::test]
async fn the_writer_sweeps_by_itself_what_is_due_and_nothing_else() {
    let directory = Directory::new();
    let clock = Clock::frozen(START);
    let options = options(&clock).sweep_interval(Duration::from_millis(10));
    let store = options.open(directory.file()).await.unwrap();
    for number in 0..200 {
        create(&store, record(number, &[("a", "1")])).await;
    }
    store.delete(id(0), EndReason::SignedOut).await.unwrap();
    clock.advance(HOUR + COMMIT_LEEWAY - Duration::from_millis(1));
    let mut live = record(250, &[("a", "1")]);
    live.meta.last_seen = clock.now();
    create(&store, live).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let db = directory.sql();
    let rows = |sql: &str| -> i64 { db.query_row(sql, [], |row| row.get(0)).unwrap() };
    assert_eq!(rows("SELECT count(*) FROM session"), 200, "not due before the leeway is over");
    clock.advance(Duration::from_millis(1));
    eventually(|| rows("SELECT count(*) FROM session") == 1).await;
    assert!(found(&store, 250, Touch::Never).await.is_some());
}

#[tokio::test]
async fn a_failed_delete_leaves_no_trace_and_a_patch_creates_nothing() {
    let directory = Directory::new();
    let (store, _) = open(&directory).await;
    create(&store, record(1, &[("a", "1")])).await;
    let sql = "CREATE TRIGGER u BEFORE UPDATE ON session BEGIN SELECT raise(ABORT, 'no'); END";
    directory.sql().execute_batch(sql).unwrap();
    let error = store.delete(id(1), EndReason::SignedOut).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(found(&store, 1, Touch::Never).await.is_some());
    let gone = store.apply(id(9), 1, &add(), None).await.unwrap();
    assert!(matches!(gone, Outcome::Gone(Gone::Absent)));
}

#[tokio::test]
async fn a_change_of_fields_leaves_the_indexes_alone() {
    let directory = Directory::new();
    let (store, clock) = open(&directory).await;
    let mut theirs = record(1, &[("a", "1")]);
    theirs.meta.principal = Some(Principal::new("shop", "42"));
    create(&store, theirs).await;
    let sql = "CREATE TRIGGER e BEFORE UPDATE OF expires ON session
               BEGIN SELECT raise(ABORT, 'an index was written'); END;
               CREATE TRIGGER p BEFORE UPDATE OF principal, authenticated, created ON session
               BEGIN SELECT raise(ABORT, 'an index was written'); END;";
    directory.sql().execute_batch(sql).unwrap();
    applied(&store, 1, &add()).await;
    directory.sql().execute_batch("DROP TRIGGER e").unwrap();
    clock.advance(HOUR / 2);
    let touched = clock.now();
    assert!(found(&store, 1, Touch::IfDue).await.is_some());
    assert_eq!(store.reload(id(1), 1).await.unwrap().unwrap().meta.last_seen, touched);
    let expires: i64 =
        directory.sql().query_row("SELECT expires FROM session", [], |row| row.get(0)).unwrap();
    assert_eq!(expires, touched.after(HOUR).as_millis() as i64);
}

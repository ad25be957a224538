//! What thousands of changes leave behind, in figures. Those of `docs/mysql.md`
//! come from here:
//!
//! ```sh
//! SESSION_TESTS_CHURN=50000 cargo test --release -p session-tests --features servers \
//!     --test servers -- mysql::churn --nocapture
//! ```

use std::time::Duration;

use session_runtime::__private::patch::{FieldOp, Op, Outcome, Patch, SignIn};
use session_runtime::__private::record::{COMMIT_LEEWAY, Fields, Principal, Record};
use session_runtime::clock::Clock;
use session_runtime::store::{
    MySqlStore, SessionStore,
    contract::{Created, Lookup, Touch},
};
use sqlx::Row as _;
use tokio::task::JoinSet;

use super::server::{Tables, fresh, record, run};
use crate::shapes::{large, small};

/// That of [`record`].
const IDLE: Duration = Duration::from_secs(30 * 60);
const TASKS: usize = 8;

/// How many changes; ten times as many as there are sessions.
fn changes() -> usize {
    std::env::var("SESSION_TESTS_CHURN").map_or(1_000, |it| it.parse().unwrap())
}

async fn fill(store: &MySqlStore, sessions: usize, fields: fn(u64) -> Fields) -> Vec<Record> {
    let mut filling = JoinSet::new();
    for task in 0..TASKS {
        let store = store.clone();
        filling.spawn(async move {
            let mut filled = Vec::new();
            for n in (task..sessions).step_by(TASKS) {
                let mut new = record(&[]);
                new.meta.created = store.clock().now();
                new.meta.last_seen = store.clock().now();
                new.meta.principal = Some(Principal::new("user", &n.to_string()));
                new.fields = fields(n as u64);
                let created = store.create(new.clone().into(), SignIn::default()).await.unwrap();
                assert_eq!(created, Created::ALONE);
                filled.push(new);
            }
            filled
        });
    }
    filling.join_all().await.concat()
}

/// A visit that counts as activity, and a change.
async fn visit(store: &MySqlStore, sessions: &[Record], value: usize) {
    let mut visiting = JoinSet::new();
    for sessions in sessions.chunks(sessions.len().div_ceil(TASKS)) {
        let (store, sessions) = (store.clone(), sessions.to_vec());
        visiting.spawn(async move {
            for record in sessions {
                let seen = store.load(record.id, &[record.meta.secret], Touch::IfDue.into()).await;
                assert!(matches!(seen, Ok(Lookup::Found(_))), "{seen:?}");
                let set = FieldOp::new("visits", Op::set(value.to_string()));
                let outcome = store.apply(record.id, 1, &Patch::of(vec![set]), None).await.unwrap();
                assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
            }
        });
    }
    visiting.join_all().await;
}

/// Data and indexes of all tables.
async fn bytes(tables: &Tables, sessions: u64) -> u64 {
    let mut db = tables.db().await;
    let names = ["session", "session_revocation"];
    let names = names.map(|name| format!("{}{name}", tables.prefix)).join(", ");
    run(&mut db, &format!("ANALYZE TABLE {names}")).await;
    let sql = format!(
        "SELECT CAST(SUM(data_length + index_length) AS UNSIGNED) \
         FROM information_schema.TABLES WHERE LOCATE('{}session', table_name) = 1",
        tables.prefix
    );
    run(&mut db, &sql).await[0].get::<u64, _>(0) / sessions
}

/// Of the sessions' table: live, ended and expired ones.
async fn rows(tables: &Tables) -> u64 {
    let mut db = tables.db().await;
    let sql = format!("SELECT CAST(COUNT(*) AS UNSIGNED) FROM {}session", tables.prefix);
    run(&mut db, &sql).await[0].get::<u64, _>(0)
}

async fn churn(name: &str, fields: fn(u64) -> Fields, sessions: usize) {
    let tables = fresh().await;
    let clock = Clock::frozen(Clock::system().now());
    let store = tables.options().clock(clock.clone()).connect(&tables.url).await.unwrap();
    let mut live = fill(&store, sessions, fields).await;
    let new = bytes(&tables, sessions as u64).await;
    let rounds = changes() / sessions;
    for round in 0..rounds {
        clock.advance(IDLE / 5);
        visit(&store, &live, round).await;
        // People come and go: a tenth of them each time.
        live.drain(..sessions / 10);
        live.extend(fill(&store, sessions / 10, fields).await);
        while store.sweep(200).await.unwrap().more {}
    }
    clock.advance(COMMIT_LEEWAY);
    while store.sweep(200).await.unwrap().more {}
    let count = store.count().await.unwrap();
    assert_eq!(rows(&tables).await, count, "what the sweeps left beside the live sessions");
    let left = bytes(&tables, count).await;
    println!(
        "{name}: {sessions} sessions, {} changes and as many touches; bytes of a session: {new} \
         freshly filled, {left} in the end ({count} live)",
        rounds * sessions
    );
    // Beyond its first 32 pages, InnoDB gives a part of a table a megabyte at a time.
    assert!(left <= 3 * new + (2 << 20) / count, "{left} bytes of a session, {new} when new");
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_changes_and_sweeps_leave_no_more_than_they_found() {
    churn("small", small, (changes() / 10).max(100)).await;
    churn("large", large, (changes() / 40).max(100)).await;
}

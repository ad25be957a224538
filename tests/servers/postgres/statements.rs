//! What a request costs, counted by the server, and what it leaves there.

use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use session_runtime::__private::patch::{FieldOp, Op, Patch};
use session_runtime::clock::Clock;
use session_runtime::store::{
    SessionStore,
    contract::{Lookup, Touch},
};
use session_runtime::{Session, SessionLayer, SessionSchema};
use session_tests::Client;

use super::kit::{DATABASE, Opened, insert, options, server};

const HOUR: Duration = Duration::from_secs(3600);

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user_id: Option<u64>,
    #[session(counter)]
    visits: u64,
}

/// How many statements named a table that begins like this. From PostgreSQL 18 on, those on
/// tables of one name are counted as one, whatever their schema.
fn calls(prefix: &str) -> u64 {
    let sql = format!(
        "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE query LIKE '%\"{prefix}%'"
    );
    server().psql(DATABASE, &sql).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_request_is_as_many_statements_as_the_documents_say() {
    server().psql(DATABASE, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements").unwrap();
    let clock = Clock::frozen(Clock::system().now());
    let prefix = "counted_";
    let options = options(clock.clone()).prefix(prefix);
    let opened = Opened::with(&server().url(DATABASE), options).await;
    let layer = SessionLayer::new(opened.store.clone()).renew_after(Some(HOUR)).idle_timeout(None);
    let app = Router::new()
        .route("/untouched", get(async || ""))
        .route("/read", get(async |s: Session<Visitor>| s.visits().to_string()))
        .route("/change", post(async |mut s: Session<Visitor>| s.add_visits(1)))
        .route("/sign-in", post(async |mut s: Session<Visitor>| s.set_user_id(7)))
        .layer(layer);
    let mut client = Client::new(&app);
    client.post("/change").await;

    let mut before = calls(prefix);
    let mut cost = || {
        let now = calls(prefix);
        std::mem::replace(&mut before, now).abs_diff(now)
    };
    client.get("/untouched").await;
    assert_eq!(cost(), 0, "untouched");
    assert_eq!(client.get("/read").await.body, "1");
    assert_eq!(cost(), 1, "read");
    client.post("/change").await;
    assert_eq!(cost(), 2, "read and change");
    client.post("/sign-in").await;
    assert_eq!(cost(), 3, "sign-in: read, lock and change");
    clock.advance(2 * HOUR);
    let renewed = client.post("/change").await;
    assert!(renewed.set_cookie().is_some(), "the token was renewed");
    let what = "read, touched under the lock and changed: the renewal rides on the change";
    assert_eq!(cost(), 4, "{what}");
}

#[tokio::test]
async fn a_load_that_only_reads_writes_nothing_and_takes_no_lock() {
    let opened = Opened::with(&server().url(DATABASE), options(Clock::system())).await;
    let (id, secret) = insert(&opened.store, HOUR).await;
    // Somebody holds the row for as long as the test likes.
    let pool = sqlx::PgPool::connect(&server().url(DATABASE)).await.unwrap();
    let mut holder = pool.begin().await.unwrap();
    let sql = format!("SELECT 1 FROM {}.session FOR UPDATE", opened.schema.0);
    sqlx::Executor::execute(&mut *holder, sqlx::raw_sql(&sql)).await.unwrap();
    let found = opened.store.load(id, &[secret], Touch::IfDue.into()).await.unwrap();
    assert!(matches!(found, Lookup::Found(_)), "{found:?}");
    // Before the schema is dropped, which waits for it.
    holder.rollback().await.unwrap();
}

#[tokio::test]
async fn what_is_text_can_be_read_with_psql_and_all_bytes_come_back() {
    let opened = Opened::with_clock(Clock::system()).await;
    let (id, secret) = insert(&opened.store, HOUR).await;
    let values: [(&'static str, &[u8]); 4] = [
        ("cart", b" {\"b\":1e3, \"a\":\"\\u0000 it's\"}"),
        ("nul", b"\"\0\""),
        ("raw", b"\xff\x00\x01"),
        ("empty", b""),
    ];
    let ops = values.map(|(name, value)| FieldOp::new(name, Op::set(value.to_vec())));
    opened.store.apply(id, 1, &Patch::of(ops.to_vec()), None).await.unwrap();
    let shown = format!("SELECT form FROM {}.session_view WHERE id = '{id}'", opened.schema.0);
    let shown = server().psql(DATABASE, &shown).unwrap();
    // What is no ASCII is octal there, and so a backslash is two.
    assert!(shown.contains(r#"4:cart29: {"b":1e3, "a":"\\u0000 it's"}"#), "{shown}");
    let Lookup::Found(record) =
        opened.store.load(id, &[secret], Touch::Never.into()).await.unwrap()
    else {
        panic!("found")
    };
    for (name, value) in values {
        assert_eq!(record.fields.get(name), Some(value), "{name}");
    }
}

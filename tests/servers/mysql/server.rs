//! The server that most tests share, and tables of their own.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use session_runtime::clock::Clock;
use session_runtime::patch::{Add, FieldOp, Lifetime, Op, Patch, SignIn};
use session_runtime::record::{Meta, Record};
use session_runtime::store::{Created, Lookup, MySqlOptions, MySqlStore, SessionStore, Touch};
use session_runtime::token::SessionToken;
use session_tests::servers::MariaDb;
use sqlx::mysql::MySqlRow;
use sqlx::{Connection, Executor, MySqlConnection};

pub(super) const MISSING: &str =
    "mariadbd is not installed: install it, or run without the feature `servers`";

/// A prefix that nobody else has. Its tables go with it.
#[derive(Debug)]
pub(super) struct Tables {
    pub url: String,
    pub prefix: String,
}

/// The server that this program shares.
pub(crate) fn shared() -> &'static MariaDb {
    static SERVER: OnceLock<MariaDb> = OnceLock::new();
    SERVER.get_or_init(|| MariaDb::start().unwrap_or_else(|| panic!("{MISSING}")))
}

/// A new prefix on it.
pub(super) async fn fresh() -> Tables {
    static PREFIXES: AtomicU32 = AtomicU32::new(0);
    let server = tokio::task::spawn_blocking(shared).await.unwrap();
    let mut db = MySqlConnection::connect(&server.url("")).await.unwrap();
    run(&mut db, "CREATE DATABASE IF NOT EXISTS sessions").await;
    let number = PREFIXES.fetch_add(1, Ordering::Relaxed);
    Tables { url: server.url("sessions"), prefix: format!("t{number}_") }
}

/// A record that ends after half an hour without activity, not stored yet.
pub(super) fn record(fields: &[(&str, &[u8])]) -> Record {
    let token = SessionToken::generate().unwrap();
    let half_an_hour = Some(Duration::from_secs(30 * 60));
    let lifetime = Lifetime { idle: half_an_hour, absolute: None, remember: false };
    let meta = Meta::new(token.secret_hash(), Clock::system().now(), lifetime);
    Record { id: token.id(), meta, fields: fields.iter().copied().collect() }
}

pub(super) async fn stored(store: &MySqlStore, fields: &[(&str, &[u8])]) -> Record {
    let record = record(fields);
    let created = store.create(record.clone(), SignIn::default()).await.unwrap();
    assert_eq!(created, Created::Created);
    record
}

/// The record as a load finds it.
pub(super) async fn found(store: &MySqlStore, record: &Record) -> Arc<Record> {
    match store.load(record.id, &record.meta.secret, Touch::Never.into()).await.unwrap() {
        Lookup::Found(found) => found,
        other => panic!("a live session must be found, but: {other:?}"),
    }
}

/// A patch that adds one to the field `n`.
pub(super) fn add() -> Patch {
    Patch::of(vec![FieldOp::new("n", Op::Add(Add::unsigned(1, 0)))])
}

/// Runs statements, and gives their rows.
pub(super) async fn run(db: &mut MySqlConnection, sql: &str) -> Vec<MySqlRow> {
    db.fetch_all(sqlx::raw_sql(sql)).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

impl Tables {
    /// Settings for a store in these tables, which does not sweep by itself.
    pub(super) fn options(&self) -> MySqlOptions {
        MySqlStore::options().table_prefix(&self.prefix).sweep_interval(None).connections(8)
    }

    pub(super) async fn store(&self) -> MySqlStore {
        self.options().connect(&self.url).await.unwrap()
    }

    /// A connection beside the store's.
    pub(super) async fn db(&self) -> MySqlConnection {
        MySqlConnection::connect(&self.url).await.unwrap()
    }
}

impl Drop for Tables {
    fn drop(&mut self) {
        let (url, prefix) = (self.url.clone(), self.prefix.clone());
        let drop_all = async move {
            let Ok(mut db) = MySqlConnection::connect(&url).await else { return };
            for table in ["", "_field", "_tombstone", "_revocation", "_layout"] {
                run(&mut db, &format!("DROP TABLE IF EXISTS {prefix}session{table}")).await;
            }
        };
        // A thread of its own: this may run within a runtime, or after its end.
        let done = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(drop_all);
        });
        let _ = done.join();
    }
}

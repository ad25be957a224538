//! The server that most tests share, and tables of their own.

use session_runtime::Realm;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use session_runtime::__private::patch::{Add, FieldOp, Lifetime, Op, Patch, SignIn};
use session_runtime::__private::record::{Meta, Record};
use session_runtime::__private::token::SessionToken;
use session_runtime::clock::Clock;
use session_runtime::store::{
    MySqlOptions, MySqlStore, SessionStore,
    contract::{Created, Lookup, Touch},
};
use session_tests::servers::MariaDb;
use sqlx::mysql::{MySqlPoolOptions, MySqlRow};
use sqlx::{Connection, Executor, MySqlConnection, MySqlPool};
use tokio::runtime::Runtime;

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
    // Nobody stops this one, so nothing of it has to be on disk.
    let settings = ["--innodb-flush-method=nosync", "--innodb-doublewrite=0"];
    let start = || MariaDb::start_under(Vec::new(), settings.map(str::to_owned).to_vec());
    SERVER.get_or_init(|| start().unwrap_or_else(|| panic!("{MISSING}")))
}

/// The URL of a new database on it.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn database(name: &str) -> String {
    let mut db = MySqlConnection::connect(&shared().url("")).await.unwrap();
    run(&mut db, &format!("CREATE DATABASE {name}")).await;
    shared().url(name)
}

/// A new prefix on it.
pub(super) async fn fresh() -> Tables {
    let url = tokio::task::spawn_blocking(sessions).await.unwrap();
    Tables { url, prefix: new_prefix() }
}

fn new_prefix() -> String {
    static PREFIXES: AtomicU32 = AtomicU32::new(0);
    format!("t{}_", PREFIXES.fetch_add(1, Ordering::Relaxed))
}

/// The URL of the database that all share.
fn sessions() -> String {
    static MADE: OnceLock<String> = OnceLock::new();
    MADE.get_or_init(|| database("sessions")).clone()
}

/// Tables in which nothing but sessions was changed: emptied, the next one has
/// them. To make them takes longer than most rules of the contract.
pub(super) struct Emptied(Tables);

static EMPTY: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A store for one rule of the contract.
pub(super) async fn for_a_rule(clock: Clock) -> (MySqlStore, Emptied) {
    let left = EMPTY.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let url = tokio::task::spawn_blocking(sessions).await.unwrap();
    let tables = Tables { url, prefix: left.unwrap_or_else(new_prefix) };
    (tables.options().clock(clock).connect(&tables.url).await.unwrap(), Emptied(tables))
}

impl Drop for Emptied {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let prefix = std::mem::take(&mut self.0.prefix);
        for table in ["", "_revocation"] {
            aside(format!("DELETE FROM {prefix}session{table}"));
        }
        EMPTY.lock().unwrap_or_else(PoisonError::into_inner).push(prefix);
    }
}

/// A statement beside all stores, on a connection that is kept.
fn aside(sql: String) {
    static ASIDE: OnceLock<(Runtime, MySqlPool)> = OnceLock::new();
    let (runtime, pool) = ASIDE.get_or_init(|| {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
        let settings = MySqlPoolOptions::new().max_connections(2);
        let entered = runtime.enter();
        let pool = settings.connect_lazy(&shared().url("sessions")).unwrap();
        drop(entered);
        (runtime, pool)
    });
    // On a thread of its own: this one may be within another runtime, or after
    // its end.
    std::thread::scope(|scope| {
        let run = || runtime.block_on(pool.execute(sqlx::raw_sql(&sql)));
        scope.spawn(run).join().unwrap().unwrap();
    });
}

/// A record that ends after half an hour without activity, not stored yet.
pub(super) fn record(fields: &[(&str, &[u8])]) -> Record {
    let token = SessionToken::generate().unwrap();
    let half_an_hour = Some(Duration::from_secs(30 * 60));
    let lifetime = Lifetime { idle: half_an_hour, absolute: None, remember: false };
    let meta = Meta::new(token.secret_hash(&Realm::default()), Clock::system().now(), lifetime);
    Record::new(token.id(), meta, fields.iter().copied().collect())
}

pub(super) async fn stored(store: &MySqlStore, fields: &[(&str, &[u8])]) -> Record {
    let record = record(fields);
    let created = store.create(record.clone().into(), SignIn::default()).await.unwrap();
    assert_eq!(created, Created::ALONE);
    record
}

/// The record as a load finds it.
pub(super) async fn found(store: &MySqlStore, record: &Record) -> Arc<Record> {
    match store.load(record.id, &[record.meta.secret], Touch::Never.into()).await.unwrap() {
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
        let options = MySqlStore::options().prefix(&self.prefix).sweep_interval(None);
        // What happens at a deadline is for tests of their own.
        options.connections(8).deadline(Duration::from_secs(5))
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
        let prefix = &self.prefix;
        if !prefix.is_empty() {
            aside(format!("DROP VIEW IF EXISTS {prefix}session_view"));
            for table in ["", "_revocation", "_layout"] {
                aside(format!("DROP TABLE IF EXISTS {prefix}session{table}"));
            }
        }
    }
}

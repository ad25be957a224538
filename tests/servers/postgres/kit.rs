//! One server for the whole program, a schema per test.

use session_runtime::Realm;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use session_runtime::__private::patch::{Add, FieldOp, Lifetime, Op, Patch, SignIn};
use session_runtime::__private::record::{Fields, Meta, Principal, Record};
use session_runtime::__private::token::{SecretHash, SessionToken};
use session_runtime::SessionId;
use session_runtime::clock::Clock;
use session_runtime::store::{PostgresOptions, PostgresStore, SessionStore, contract::Created};
use session_tests::servers::{PgBouncer, Postgres};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Executor as _, PgPool};
use tokio::runtime::Runtime;

pub(crate) const DATABASE: &str = "postgres";

/// The shared server. Tests that stop or pause one start their own.
pub(crate) fn server() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    // Nobody stops this one, so nothing waits for its log.
    let settings = &["synchronous_commit=off", "jit=off"];
    SERVER.get_or_init(|| Postgres::start_with(settings).expect("PostgreSQL is installed"))
}

fn pgbouncer() -> &'static PgBouncer {
    static POOLER: OnceLock<PgBouncer> = OnceLock::new();
    POOLER.get_or_init(|| PgBouncer::start(server()).expect("pgbouncer is installed"))
}

/// A schema that nobody has used.
pub(super) fn new_schema() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A statement beside all stores, on a connection that is kept: starting `psql`
/// takes longer than most of them.
fn aside(sql: &str) {
    static ASIDE: OnceLock<(Runtime, PgPool)> = OnceLock::new();
    let (runtime, pool) = ASIDE.get_or_init(|| {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
        let settings = PgPoolOptions::new().max_connections(2);
        let entered = runtime.enter();
        let pool = settings.connect_lazy(&server().url(DATABASE)).unwrap();
        drop(entered);
        (runtime, pool)
    });
    // On a thread of its own: this one may be within another runtime.
    std::thread::scope(|scope| {
        let run = || runtime.block_on(pool.execute(sqlx::raw_sql(sql)));
        scope.spawn(run).join().unwrap().unwrap();
    });
}

/// A store in a schema of its own, which goes with it.
pub(super) struct Opened {
    pub(super) store: PostgresStore,
    pub(super) schema: Schema,
}

pub(super) struct Schema(pub(super) String);

impl Drop for Schema {
    fn drop(&mut self) {
        aside(&format!("DROP SCHEMA IF EXISTS \"{}\" CASCADE", self.0));
    }
}

/// A schema in which nothing but sessions was changed: emptied, the next one
/// has it. To make the tables takes longer than most rules of the contract.
pub(super) struct Emptied(String);

static EMPTY: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl Emptied {
    fn new() -> Self {
        let left = EMPTY.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self(left.unwrap_or_else(new_schema))
    }
}

impl Drop for Emptied {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let tables = ["session", "session_revocation"];
        let tables = tables.map(|table| format!("\"{}\".{table}", self.0));
        aside(&format!("TRUNCATE {}", tables.join(", ")));
        let mut empty = EMPTY.lock().unwrap_or_else(PoisonError::into_inner);
        empty.push(std::mem::take(&mut self.0));
    }
}

/// For one rule of the contract.
pub(super) async fn for_a_rule(clock: Clock) -> (PostgresStore, Emptied) {
    empty(&server().url(DATABASE), clock).await
}

/// The same behind a pooler.
pub(super) async fn behind_pgbouncer(clock: Clock) -> (PostgresStore, Emptied) {
    server();
    empty(&pgbouncer().url(DATABASE), clock).await
}

async fn empty(url: &str, clock: Clock) -> (PostgresStore, Emptied) {
    let schema = Emptied::new();
    let store = options(clock).schema(&schema.0).connect(url).await.unwrap();
    (store, schema)
}

impl Opened {
    pub(super) async fn with(url: &str, options: PostgresOptions) -> Self {
        let schema = new_schema();
        let store = options.schema(&schema).connect(url).await.unwrap();
        Self { store, schema: Schema(schema) }
    }

    pub(super) async fn with_clock(clock: Clock) -> Self {
        Self::with(&server().url(DATABASE), options(clock)).await
    }
}

/// No sweeper: tests say when.
pub(super) fn options(clock: Clock) -> PostgresOptions {
    // What happens at a deadline is for tests of their own.
    let patient = Duration::from_secs(5);
    PostgresStore::options().clock(clock).sweep_interval(None).deadline(patient)
}

/// A record that lives for `idle`, stamped with the store's clock.
pub(super) fn record(store: &impl SessionStore, idle: Duration) -> (Record, SecretHash) {
    let token = SessionToken::generate().unwrap();
    let lifetime = Lifetime { idle: Some(idle), absolute: None, remember: false };
    let meta = Meta::new(token.secret_hash(&Realm::default()), store.clock().now(), lifetime);
    (Record::new(token.id(), meta, Fields::new()), token.secret_hash(&Realm::default()))
}

/// Stores such a record.
pub(super) async fn insert(store: &impl SessionStore, idle: Duration) -> (SessionId, SecretHash) {
    let (record, secret) = record(store, idle);
    let id = record.id;
    let created = store.create(record.into(), SignIn::default()).await.unwrap();
    assert_eq!(created, Created::ALONE);
    (id, secret)
}

pub(super) fn add(name: &'static str) -> Patch {
    Patch::of(vec![FieldOp::new(name, Op::Add(Add::unsigned(1, 0)))])
}

/// What waits for the sign-ins of `principal`, and they for it.
pub(super) fn hold_principal(schema: &str, principal: &Principal) -> String {
    let hash: String = principal.hash().as_bytes().map(|byte| format!("{byte:02x}")).concat();
    format!("SELECT pg_advisory_xact_lock(hashtextextended('\"{schema}\".\"session\" {hash}', 0))")
}

/// What a small session has stored under `name`.
pub(super) fn value(schema: &str, id: SessionId, name: &str) -> String {
    let sql = format!("SELECT encode(form, 'hex') FROM {schema}.session WHERE id = '{id}'");
    let hex = server().psql(DATABASE, &sql).unwrap();
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    let form: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
    let number = |digits: &[u8]| str::from_utf8(digits).unwrap().parse::<usize>().unwrap();
    // The fields begin where head and meta end.
    let mut rest = &form[number(&form[9..14])..];
    let mut next = || {
        let colon = rest.iter().position(|byte| *byte == b':').unwrap();
        let (value, after) = rest[colon + 1..].split_at(number(&rest[..colon]));
        rest = after;
        String::from_utf8_lossy(value).into_owned()
    };
    loop {
        let (field, value) = (next(), next());
        if field == name {
            return value;
        }
    }
}

//! One server for the whole program, a schema per test.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use std::time::Duration;

use session_runtime::clock::Clock;
use session_runtime::id::SessionId;
use session_runtime::patch::{Add, FieldOp, Lifetime, Op, Patch, SignIn};
use session_runtime::record::{Fields, Meta, Record};
use session_runtime::store::{Created, PostgresOptions, PostgresStore, SessionStore};
use session_runtime::token::{SecretHash, SessionToken};
use session_tests::servers::{PgBouncer, Postgres};

pub(crate) const DATABASE: &str = "postgres";

/// The shared server. Tests that stop or pause one start their own.
pub(crate) fn server() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(|| Postgres::start().expect("PostgreSQL is installed"))
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

/// A store in a schema of its own, which goes with it.
pub(super) struct Opened {
    pub(super) store: PostgresStore,
    pub(super) schema: Schema,
}

pub(super) struct Schema(pub(super) String);

impl Drop for Schema {
    fn drop(&mut self) {
        let _ = server().psql(DATABASE, &format!("DROP SCHEMA IF EXISTS \"{}\" CASCADE", self.0));
    }
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

    pub(super) async fn behind_pgbouncer(clock: Clock) -> Self {
        server();
        Self::with(&pgbouncer().url(DATABASE), options(clock)).await
    }

    pub(super) fn pair(self) -> (PostgresStore, Schema) {
        (self.store, self.schema)
    }
}

/// No sweeper: tests say when.
pub(super) fn options(clock: Clock) -> PostgresOptions {
    PostgresStore::options().clock(clock).sweep_interval(None)
}

/// A record that lives for `idle`, stamped with the store's clock.
pub(super) fn record(store: &impl SessionStore, idle: Duration) -> (Record, SecretHash) {
    let token = SessionToken::generate().unwrap();
    let lifetime = Lifetime { idle: Some(idle), absolute: None, remember: false };
    let meta = Meta::new(token.secret_hash(), store.clock().now(), lifetime);
    (Record { id: token.id(), meta, fields: Fields::new() }, token.secret_hash())
}

/// Stores such a record.
pub(super) async fn insert(store: &impl SessionStore, idle: Duration) -> (SessionId, SecretHash) {
    let (record, secret) = record(store, idle);
    let id = record.id;
    let created = store.create(record, SignIn::default()).await.unwrap();
    assert_eq!(created, Created::Created);
    (id, secret)
}

pub(super) fn add(name: &'static str) -> Patch {
    Patch::of(vec![FieldOp::new(name, Op::Add(Add::unsigned(1, 0)))])
}

/// What is stored under `name`, as `psql` shows it.
pub(super) fn value(schema: &str, id: SessionId, name: &str) -> String {
    let sql = format!(
        "SELECT value FROM {schema}.session_field WHERE session_id = '{id}' AND name = '{name}'"
    );
    server().psql(DATABASE, &sql).unwrap()
}

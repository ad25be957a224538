//! Databases, roles, pools and poolers that are set up unlike ours.

use std::error::Error as _;
use std::time::Duration;

use session_runtime::__private::patch::{FieldOp, Op, Patch, SignIn};
use session_runtime::__private::record::Principal;
use session_runtime::clock::Clock;
use session_runtime::store::{
    PostgresStore, SessionStore, StoreError, StoreErrorKind,
    contract::{EndReason, Lookup, Revoke, Touch},
};
use session_tests::servers::PgBouncer;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Executor as _, PgPool};

use super::kit::{DATABASE, Opened, Schema, insert, new_schema, options, record, server};
use crate::lent::{a_cap_of_two_holds, nobody_is_signed_in};

const HOUR: Duration = Duration::from_secs(3600);
const SERIALIZABLE: &str = "SET default_transaction_isolation = 'serializable'";

fn said(error: &StoreError) -> String {
    error.source().unwrap().to_string()
}

fn sql(statement: &str) {
    server().psql(DATABASE, statement).unwrap();
}

/// A pool whose connections begin with `setting`.
async fn pool(setting: &'static str) -> PgPool {
    let options = PgPoolOptions::new().max_connections(8).after_connect(move |it, _| {
        Box::pin(async move { it.execute(sqlx::raw_sql(setting)).await.map(drop) })
    });
    options.connect(&server().url(DATABASE)).await.unwrap()
}

/// A store that uses it, beside `opened`.
async fn lent(opened: &Opened, pool: &PgPool) -> PostgresStore {
    let options = options(Clock::system()).schema(&opened.schema.0);
    options.with_pool(pool.clone()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_logout_nobody_is_signed_in_whatever_was_left_open() {
    let opened = Opened::with_clock(Clock::system()).await;
    let pool = pool(SERIALIZABLE).await;
    let store = lent(&opened, &pool).await;
    let (id, secret) = insert(&store, HOUR).await;
    for _ in 0..8 {
        // This transaction stays open, with the view that it has of the session.
        let mut left = pool.acquire().await.unwrap();
        let select = format!("BEGIN; SELECT form FROM {}.session", opened.schema.0);
        left.execute(sqlx::raw_sql(&select)).await.unwrap();
    }
    assert!(opened.store.delete(id, EndReason::SignedOut).await.unwrap());
    nobody_is_signed_in(&store, id, secret).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_of_two_holds_under_many_sign_ins_at_once() {
    for setting in [SERIALIZABLE, "SET default_transaction_isolation = 'repeatable read'"] {
        let opened = Opened::with_clock(Clock::system()).await;
        let store = lent(&opened, &pool(setting).await).await;
        a_cap_of_two_holds(&store, || record(&store, HOUR).0).await;
    }
}

/// Signs in with text that no single-byte encoding has, changes it, and lists it.
async fn everything_comes_back(store: &PostgresStore) {
    let principal = Principal::new("customer", "Zo\u{eb} \u{1f984}\u{0}");
    let (mut new, secret) = record(store, HOUR);
    new.meta.principal = Some(principal.clone());
    let id = new.id;
    store.create(new.into(), SignIn::default()).await.unwrap();
    let value = "\"\u{1f984} \\u0000 ' \\\\ \u{7f}\"".as_bytes().to_vec();
    let set = FieldOp::new("na\u{ef}ve", Op::set(value.clone()));
    store.apply(id, 1, &Patch::of(vec![set]), None).await.unwrap();
    let found = store.load(id, &[secret], Touch::IfDue.into()).await.unwrap();
    let Lookup::Found(found) = found else { panic!("{found:?}") };
    assert_eq!(found.fields.get("na\u{ef}ve"), Some(&*value));
    assert_eq!(store.list(&principal, None, 9).await.unwrap().records, [found]);
    assert_eq!(
        store.revoke(&principal, Revoke::All, EndReason::OtherDevice, None).await.unwrap().ended,
        1
    );
}

/// A database of its own, which goes with it.
struct Database(String);

impl Database {
    fn new(settings: &str) -> Self {
        let name = new_schema();
        sql(&format!("CREATE DATABASE {name} TEMPLATE template0 {settings}"));
        Self(name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = server().psql(DATABASE, &format!("DROP DATABASE {} WITH (FORCE)", self.0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_encoding_of_a_database_changes_what_is_stored() {
    for encoding in ["LATIN1", "SQL_ASCII", "EUC_JP"] {
        let settings = format!("ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'");
        let database = Database::new(&settings);
        for pooler in [false, true] {
            let options = options(Clock::system()).pooler(pooler);
            let store = options.connect(&server().url(&database.0)).await.unwrap();
            everything_comes_back(&store).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_pooler_of_either_mode_no_setting_of_a_database_changes_what_is_stored() {
    let database = Database::new("");
    for setting in [
        "bytea_output = 'escape'",
        "default_transaction_isolation = 'serializable'",
        "default_transaction_read_only = on",
        "standard_conforming_strings = off",
        "search_path = ''",
        "lock_timeout = 1",
    ] {
        sql(&format!("ALTER DATABASE {} SET {setting}", database.0));
    }
    for mode in ["transaction", "session"] {
        let pooler = PgBouncer::start_in(server(), mode).expect("pgbouncer is installed");
        let store = options(Clock::system()).connect(&pooler.url(&database.0)).await.unwrap();
        everything_comes_back(&store).await;
    }
    // And without one.
    let store = options(Clock::system()).connect(&server().url(&database.0)).await.unwrap();
    everything_comes_back(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_word_for_it_a_pooler_is_named_when_connecting() {
    for mode in ["transaction", "session"] {
        let pooler = PgBouncer::start_in(server(), mode).expect("pgbouncer is installed");
        let url = pooler.url(DATABASE).replace("?pgbouncer=true", "");
        let error = options(Clock::system()).connect(&url).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Config, "{error:?}");
        assert!(said(&error).contains("`?pgbouncer=true`"), "{}", said(&error));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_limit_of_the_role_is_said_to_be_one() {
    let opened = Opened::with_clock(Clock::system()).await;
    let (id, _) = insert(&opened.store, HOUR).await;
    let role = Role::of(&opened.schema);
    sql(&format!("ALTER ROLE {} SET statement_timeout = '300ms'", role.0));
    let options = options(Clock::system()).schema(&opened.schema.0);
    let store = options.connect(&role.url()).await.unwrap();
    let mut holder = pool("SELECT 1").await.begin().await.unwrap();
    let lock = format!("SELECT FROM {}.session FOR UPDATE", opened.schema.0);
    sqlx::Executor::execute(&mut *holder, sqlx::raw_sql(&lock)).await.unwrap();
    let error = store.delete(id, EndReason::SignedOut).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Timeout);
    assert!(said(&error).contains("`statement_timeout`"), "{}", said(&error));
    holder.rollback().await.unwrap();
    assert!(store.delete(id, EndReason::SignedOut).await.unwrap());
}

/// A role that may log in, and all that is granted to it.
struct Role(String);

impl Role {
    /// With no right but to log in.
    fn new() -> Self {
        let name = new_schema();
        sql(&format!("CREATE ROLE {name} LOGIN"));
        Self(name)
    }

    /// With the rights that the documents name.
    fn of(Schema(schema): &Schema) -> Self {
        let role = Self::new();
        sql(&format!(
            "GRANT USAGE ON SCHEMA {schema} TO {0}; \
             GRANT SELECT ON {schema}.session_layout TO {0}; \
             GRANT SELECT, INSERT, UPDATE, DELETE \
                ON {schema}.session, {schema}.session_revocation TO {0}",
            role.0
        ));
        role
    }

    fn url(&self) -> String {
        server().url(DATABASE).replace("postgres@", &format!("{}@", self.0))
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = server().psql(DATABASE, &format!("DROP OWNED BY {0}; DROP ROLE {0}", self.0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_a_schema_needs_no_right_on_the_database() {
    let (schema, role) = (Schema(new_schema()), Role::new());
    let connect = || options(Clock::system()).schema(&schema.0).connect(role.url().leak());
    let error = connect().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Config);
    let missing = format!("schema `{}` is missing: it takes CREATE on the database", schema.0);
    assert!(said(&error).contains(&missing), "{}", said(&error));
    sql(&format!("CREATE SCHEMA {}", schema.0));
    let error = connect().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Config);
    assert!(said(&error).contains("it takes USAGE on schema"), "{}", said(&error));
    sql(&format!("GRANT USAGE ON SCHEMA {} TO {}", schema.0, role.0));
    let error = connect().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Config);
    assert!(said(&error).contains("it takes CREATE on schema"), "{}", said(&error));
    sql(&format!("ALTER SCHEMA {} OWNER TO {}", schema.0, role.0));
    everything_comes_back(&connect().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_principal_may_be_as_long_as_any_text() {
    let store = Opened::with_clock(Clock::system()).await;
    let long = Principal::new("customer", &"x".repeat(3 << 10));
    let mut sessions = Vec::new();
    for _ in 0..2 {
        let (mut new, secret) = record(&store.store, HOUR);
        new.meta.principal = Some(long.clone());
        sessions.push((new.id, secret));
        store.store.create(new.into(), SignIn::default()).await.unwrap();
    }
    assert_eq!(store.store.list(&long, None, 9).await.unwrap().records.len(), 2);
    assert_eq!(
        store.store.revoke(&long, Revoke::All, EndReason::OtherDevice, None).await.unwrap().ended,
        2
    );
    let (id, secret) = sessions[0];
    let seen = store.store.load(id, &[secret], Touch::Never.into()).await.unwrap();
    assert!(!matches!(seen, Lookup::Found(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_url_names_the_schema_or_is_refused() {
    let schema = Schema(new_schema());
    let url = |query: &str| format!("{}&{query}", server().url(DATABASE));
    let named = url(&format!("schema={}", schema.0));
    insert(&options(Clock::system()).connect(&named).await.unwrap(), HOUR).await;
    let count = format!("SELECT count(*) FROM {}.session", schema.0);
    assert_eq!(server().psql(DATABASE, &count).unwrap(), "1");
    for query in ["schema=We\"b", "shema=web", "connection_limit=5"] {
        let error = options(Clock::system()).connect(&url(query)).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Config);
        let name = query.split('=').next().unwrap();
        assert!(said(&error).contains(name), "{}", said(&error));
    }
}

//! Databases whose default isolation is a higher one: there a transaction sees
//! nothing newer than its first statement, which may have waited since.

use std::time::Duration;

use session_runtime::__private::patch::{AtLimit, Cap, Denied, Outcome, Patch, SignIn};
use session_runtime::__private::record::Principal;
use session_runtime::EndReason;
use session_runtime::SessionId;
use session_runtime::clock::Clock;
use session_runtime::store::{
    PostgresStore, SessionStore,
    contract::{Created, Revoke},
};
use sqlx::{Executor as _, PgPool, Postgres, Transaction};
use tokio::task::JoinSet;

use super::kit::{DATABASE, hold_principal, insert, new_schema, options, record, server};
use crate::queued::{self, Rows};

const HOUR: Duration = Duration::from_secs(3600);
const HIGHER: [&str; 2] = ["repeatable read", "serializable"];

/// A database with this default isolation.
pub(super) struct Database {
    name: String,
    /// For what is done beside the stores.
    aside: PgPool,
}

impl Database {
    pub(super) async fn new(isolation: &str) -> Self {
        let name = new_schema();
        for sql in [
            format!("CREATE DATABASE {name}"),
            format!("ALTER DATABASE {name} SET default_transaction_isolation = '{isolation}'"),
        ] {
            server().psql(DATABASE, &sql).unwrap();
        }
        let aside = PgPool::connect(&server().url(&name)).await.unwrap();
        Self { name, aside }
    }

    async fn store(&self) -> PostgresStore {
        self.open(Clock::system()).await
    }

    async fn begin(&self) -> Transaction<'static, Postgres> {
        self.aside.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await.unwrap()
    }

    /// Holds what sign-ins of `principal` wait for.
    pub(super) async fn hold_principal(
        &self,
        principal: &Principal,
    ) -> Transaction<'static, Postgres> {
        let mut holder = self.begin().await;
        let sql = hold_principal("sessions", principal);
        holder.execute(sqlx::raw_sql(&sql)).await.unwrap();
        holder
    }

    /// A number that `sql` asks for.
    pub(super) async fn number(&self, sql: &str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.aside).await.unwrap()
    }
}

impl Rows for Database {
    type Store = PostgresStore;
    type Holder = Transaction<'static, Postgres>;

    async fn open(&self, clock: Clock) -> PostgresStore {
        options(clock).connect(&server().url(&self.name)).await.unwrap()
    }

    async fn hold(&self, only: Option<SessionId>) -> Self::Holder {
        let mut holder = self.begin().await;
        let sql = "SELECT 1 FROM sessions.session WHERE id = coalesce($1, id) FOR UPDATE";
        let only = only.map(|id| id.to_string());
        sqlx::query(sql).bind(only).fetch_all(&mut *holder).await.unwrap();
        holder
    }

    async fn let_go(&self, holder: Self::Holder) {
        holder.rollback().await.unwrap();
    }

    async fn until_waiting(&self, statements: i64) {
        let sql = "SELECT count(*) FROM pg_stat_activity \
                   WHERE wait_event_type = 'Lock' AND datname = current_database()";
        while self.number(sql).await < statements {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Whatever the default isolation is.
macro_rules! at_every_level {
    ($($scenario:ident)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $scenario() {
            for level in ["read committed"].into_iter().chain(HIGHER) {
                queued::$scenario(&Database::new(level).await).await;
            }
        })*
    };
}

at_every_level! {
    a_touch_after_a_later_one_takes_nothing_back
    a_touch_after_a_destroy_revives_nothing
    a_touch_after_a_renewal_brings_no_old_secret_back
    a_touch_after_a_shorter_life_does_not_extend_it
    a_secret_that_follows_after_a_destroy_opens_nothing
    a_secret_that_follows_after_a_renewal_replaces_nothing
    a_secret_that_follows_is_confirmed_once
    a_cap_is_that_of_whom_the_session_belongs_to_by_then
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_is_exact() {
    for level in HIGHER {
        let store = Database::new(level).await.store().await;
        let principal = Principal::new("shop", "7");
        let cap = Cap { max: 2.try_into().unwrap(), at_limit: AtLimit::Reject };
        let mut running = JoinSet::new();
        for _ in 0..12 {
            let (store, principal) = (store.clone(), principal.clone());
            running.spawn(async move {
                let (mut record, _) = record(&store, HOUR);
                record.meta.principal = Some(principal);
                let sign_in = SignIn { cap: Some(cap), not_revoked_since: None };
                store.create(record.into(), sign_in).await.unwrap()
            });
        }
        let created = running.join_all().await;
        let admitted = created.iter().filter(|it| **it == Created::ALONE).count();
        assert_eq!(admitted, 2, "{level}: {created:?}");
        assert_eq!(store.list(&principal, None, 1_000).await.unwrap().records.len(), 2, "{level}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_waited_for_a_revocation_is_refused() {
    for level in ["read committed"].into_iter().chain(HIGHER) {
        let database = Database::new(level).await;
        let store = database.store().await;
        let (visitor, _) = insert(&store, HOUR).await;
        let principal = Principal::new("shop", "7");
        let since = SignIn { cap: None, not_revoked_since: Some(store.clock().now()) };
        let holder = database.hold_principal(&principal).await;
        let revoke = tokio::spawn({
            let (store, principal) = (store.clone(), principal.clone());
            async move {
                store
                    .revoke(&principal, Revoke::All, EndReason::OtherDevice, None)
                    .await
                    .unwrap()
                    .ended
            }
        });
        database.until_waiting(1).await;
        // One by a new record, one by a patch.
        let (mut new, _) = record(&store, HOUR);
        new.meta.principal = Some(principal.clone());
        let create = tokio::spawn({
            let store = store.clone();
            async move { store.create(new.into(), since).await.unwrap() }
        });
        let mut patch = Patch::new();
        patch.meta.principal = Some(Some(principal.clone()));
        patch.meta.sign_in = since;
        let apply = tokio::spawn({
            let store = store.clone();
            async move { store.apply(visitor, 1, &patch, None).await.unwrap() }
        });
        database.until_waiting(3).await;
        holder.rollback().await.unwrap();
        revoke.await.unwrap();
        assert_eq!(create.await.unwrap(), Created::Denied(Denied::Revoked), "{level}");
        let outcome = apply.await.unwrap();
        assert!(matches!(outcome, Outcome::Denied(Denied::Revoked)), "{level}: {outcome:?}");
        assert!(store.list(&principal, None, 1_000).await.unwrap().records.is_empty(), "{level}");
    }
}

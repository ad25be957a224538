//! Sessions in PostgreSQL: many nodes, one database.
//!
//! - `sql/`, [`layout`]: the tables and functions, and how they come there
//! - [`read`], [`create`], [`apply`], [`end`]: an operation of the contract as
//!   one call of a function
//! - [`arg`], [`call`], [`row`]: values → that call, its answer → values
//! - [`run`]: the call on a connection, within the deadline
//! - [`sweeper`]: the task that removes what is due
//! - [`options`], [`failure`]: settings and errors
//!
//! Everything that decides happens in the functions: one statement, and so one
//! round trip and one transaction.

mod apply;
mod arg;
mod call;
mod create;
mod end;
mod failure;
mod layout;
mod options;
mod read;
mod row;
mod run;
mod sweeper;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::oneshot;

pub use self::options::PostgresOptions;
use self::run::Server;
use super::contract::{
    Capabilities, Created, Cursor, EndedBy, Lookup, Page, Revoke, Revoked, SessionStore,
    StoreFuture, Swept, Visit,
};
use super::error::StoreError;
use super::limits::Limits;
use crate::clock::Clock;
use crate::id::SessionId;
use crate::patch::{Outcome, Patch, SignIn};
use crate::record::{Principal, Record};
use crate::token::SecretHash;

/// Sessions in PostgreSQL, version 13 or newer.
///
/// For many nodes that have such a server already. Each operation is one call
/// of a function that the migration creates: one round trip, one transaction.
/// It locks the row of the session, reads the server's wall clock after that,
/// checks everything, and writes. What was acknowledged is as durable as the
/// server's `synchronous_commit` says. The tables can be looked at with `psql`.
///
/// Clones share one pool of connections. The task that sweeps ends with the
/// last clone.
///
/// ```no_run
/// # async fn open() -> Result<(), session_runtime::store::StoreError> {
/// use session_runtime::store::PostgresStore;
///
/// let store = PostgresStore::connect("postgres://web@db.internal/shop").await?;
/// // or, with settings:
/// let store = PostgresStore::options()
///     .schema("web")
///     .migrate(false)
///     .connect("postgres://web@pgbouncer.internal:6432/shop?pgbouncer=true")
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct PostgresStore(Arc<Inner>);

struct Inner {
    clock: Clock,
    limits: Limits,
    server: Server,
    /// Ends the sweeper when it is dropped.
    sweeper: OnceLock<oneshot::Sender<()>>,
}

impl PostgresStore {
    /// Connects with the default [options](Self::options), and creates the
    /// tables if they are not there.
    ///
    /// # Errors
    ///
    /// As [`PostgresOptions::connect`].
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::options().connect(url).await
    }

    /// Uses a pool that is there already, with the default options.
    ///
    /// # Errors
    ///
    /// As [`PostgresOptions::with_pool`].
    pub async fn with_pool(pool: sqlx::PgPool) -> Result<Self, StoreError> {
        Self::options().with_pool(pool).await
    }

    /// Settings to [connect](PostgresOptions::connect) with.
    pub fn options() -> PostgresOptions {
        PostgresOptions::new()
    }

    /// The script that creates the tables and functions, for `psql` or for a
    /// tool that runs migrations. Run again it changes nothing.
    ///
    /// # Errors
    ///
    /// If the schema or the prefix is refused.
    pub fn migration_sql(options: &PostgresOptions) -> Result<String, StoreError> {
        Ok(format!("BEGIN;\n{}COMMIT;\n", options.layout()?.script()))
    }

    /// Creates the tables and functions that are missing, in one transaction.
    /// [`connect`](Self::connect) does so by default.
    ///
    /// # Errors
    ///
    /// If the role may not, or the tables belong to a newer program.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        Ok(self.0.server.layout.migrate(&self.0.server.pool).await?)
    }

    fn new(clock: Clock, limits: Limits, server: Server, sweep: Option<Duration>) -> Self {
        let inner = Arc::new(Inner { clock, limits, server, sweeper: OnceLock::new() });
        if let Some(every) = sweep {
            inner.sweeper.get_or_init(|| sweeper::start(&inner, every));
        }
        Self(inner)
    }
}

impl SessionStore for PostgresStore {
    fn clock(&self) -> &Clock {
        &self.0.clock
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::FULL.with_limits(self.0.limits)
    }

    fn load<'a>(
        &'a self,
        id: SessionId,
        secrets: &'a [SecretHash],
        visit: Visit,
    ) -> StoreFuture<'a, Result<Lookup, StoreError>> {
        StoreFuture::new(self.0.load(id, secrets, visit))
    }

    fn reload(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> StoreFuture<'_, Result<Option<Arc<Record>>, StoreError>> {
        StoreFuture::new(self.0.reload(id, epoch))
    }

    fn create(
        &self,
        record: Record,
        sign_in: SignIn,
    ) -> StoreFuture<'_, Result<Created, StoreError>> {
        StoreFuture::new(async move { self.0.create(&record, sign_in).await })
    }

    fn apply<'a>(
        &'a self,
        id: SessionId,
        epoch: u64,
        patch: &'a Patch,
        _: Option<&'a Arc<Record>>,
    ) -> StoreFuture<'a, Result<Outcome, StoreError>> {
        StoreFuture::new(self.0.apply(id, epoch, patch))
    }

    fn delete(&self, id: SessionId, by: EndedBy) -> StoreFuture<'_, Result<bool, StoreError>> {
        StoreFuture::new(self.0.delete(id, by))
    }

    fn list<'a>(
        &'a self,
        principal: &'a Principal,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        StoreFuture::new(self.0.list(principal, from, limit))
    }

    fn revoke<'a>(
        &'a self,
        principal: &'a Principal,
        which: Revoke,
        from: Option<&'a Cursor>,
    ) -> StoreFuture<'a, Result<Revoked, StoreError>> {
        StoreFuture::new(self.0.revoke(principal, which, from))
    }

    fn count(&self) -> StoreFuture<'_, Result<u64, StoreError>> {
        StoreFuture::new(self.0.count())
    }

    fn sweep(&self, limit: usize) -> StoreFuture<'_, Result<Swept, StoreError>> {
        StoreFuture::new(self.0.sweep(limit))
    }

    fn scan<'a>(
        &'a self,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        StoreFuture::new(self.0.scan(from, limit))
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("clock", &self.0.clock).finish_non_exhaustive()
    }
}

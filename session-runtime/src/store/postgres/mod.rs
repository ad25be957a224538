//! Sessions in PostgreSQL: many nodes, one database. The store is shared by all SQL servers, see
//! [`sql`](super::sql); this module contains what is specific to PostgreSQL.
//!
//! - [`layout`]: the tables, and how they are created
//! - [`dialect`]: statements and answers; [`literal`]: arguments as text, for a pooler
//! - [`options`], [`failure`]: settings and errors
//! - [`push`]: hints to the other nodes that a session has changed

mod dialect;
mod failure;
mod layout;
mod literal;
mod options;
mod push;

use std::fmt;
use std::sync::Arc;

use self::dialect::PostgreSql;
pub use self::options::PostgresOptions;
use self::push::Push;
use super::error::StoreError;
use super::session_store::SessionStore;
use super::sql::Store;
use super::watchers::Watchers;
use crate::forward_store;

/// A store in PostgreSQL 13 or later.
///
/// For services with several nodes that already run such a server. A load is one statement, and so
/// is a change of a session without a concurrent one. Everything else locks the row of the session,
/// then reads the server's clock, decides by the rules shared by all stores, and writes.
/// Acknowledged writes are as durable as the server's `synchronous_commit` makes them. The tables
/// can be inspected with `psql`.
///
/// Clones share one pool of connections. The task that removes expired sessions ends when the last
/// clone is dropped.
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
pub struct PostgresStore {
    store: Store<PostgreSql>,
    push: Option<Arc<Push>>,
}

impl PostgresStore {
    /// Connects with the default [options](Self::options), and creates the tables if they are
    /// missing.
    ///
    /// # Errors
    ///
    /// Same as [`PostgresOptions::connect`].
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::options().connect(url).await
    }

    /// Uses an existing pool, with the default options.
    ///
    /// # Errors
    ///
    /// Same as [`PostgresOptions::with_pool`].
    pub async fn with_pool(pool: sqlx::PgPool) -> Result<Self, StoreError> {
        Self::options().with_pool(pool).await
    }

    /// Returns the settings to [connect](PostgresOptions::connect) with.
    pub fn options() -> PostgresOptions {
        PostgresOptions::new()
    }

    /// Creates the tables if they are missing, in one transaction. [`connect`](Self::connect) does
    /// so by default.
    ///
    /// # Errors
    ///
    /// If a privilege is missing, or the tables have another layout or belong to another program.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        Ok(self.store.server().prepare(true).await?)
    }
}

#[deny(clippy::missing_trait_methods)]
impl SessionStore for PostgresStore {
    forward_store! { this => this.store;
        clock capabilities load reload create apply delete list revoke count sweep scan cache
    }

    fn watchers(&self) -> Watchers {
        self.push.as_ref().map_or_else(Watchers::default, |push| push.watchers())
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("clock", self.clock()).finish_non_exhaustive()
    }
}

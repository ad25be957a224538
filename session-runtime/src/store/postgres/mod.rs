//! Sessions in PostgreSQL: many nodes, one database. The store is that of all SQL
//! servers, [`sql`](super::sql); here is what PostgreSQL does in its own way.
//!
//! - [`layout`]: the tables, and how they come there
//! - [`dialect`]: words and answers; [`literal`]: arguments as text, for a pooler
//! - [`options`], [`failure`]: settings and errors

mod dialect;
mod failure;
mod layout;
mod literal;
mod options;

use std::fmt;

use self::dialect::PostgreSql;
pub use self::options::PostgresOptions;
use super::error::StoreError;
use super::session_store::SessionStore;
use super::sql::Store;
use crate::forward_store;

/// Sessions in PostgreSQL, version 13 or newer.
///
/// For many nodes that have such a server already. A load is one statement, and so is
/// a change of a session without a concurrent one. Everything else locks the
/// row of the session, reads the server's wall clock after that, decides here by the
/// rules of all stores, and writes. What was acknowledged is as durable as the server's
/// `synchronous_commit` says. The tables can be looked at with `psql`.
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
pub struct PostgresStore(Store<PostgreSql>);

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

    /// Creates the tables if they are missing, in one transaction.
    /// [`connect`](Self::connect) does so by default.
    ///
    /// # Errors
    ///
    /// If a right is missing, or the tables are of another layout or program.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        Ok(self.0.server().prepare(true).await?)
    }
}

#[deny(clippy::missing_trait_methods)]
impl SessionStore for PostgresStore {
    forward_store! { this => this.0;
        clock capabilities load reload create apply delete list revoke count sweep scan cache
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("clock", self.clock()).finish_non_exhaustive()
    }
}

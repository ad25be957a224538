//! Sessions in MySQL 8 or MariaDB. The store is that of all SQL servers,
//! [`sql`](super::sql); here is what these do in their own way.
//!
//! - [`layout`]: the tables, and what is asked of the server before
//! - [`dialect`]: words and answers
//! - [`options`], [`failure`]: settings and errors

mod dialect;
mod failure;
mod layout;
mod options;

use std::fmt;

use self::dialect::MySql;
pub use self::options::MySqlOptions;
use super::error::StoreError;
use super::session_store::SessionStore;
use super::sql::Store;
use crate::forward_store;

/// Sessions in MySQL 8 or MariaDB (from 10.6 on).
///
/// For those who have one already: any number of nodes share the sessions. A load is
/// one statement, and so is a change of a session without a concurrent one.
/// Everything else locks the row of the session, reads the server's clock after that,
/// decides here by the rules of all stores, and writes. `docs/mysql.md` describes the
/// tables and the settings.
///
/// Clones share one pool of connections. The task that sweeps ends with the last clone.
///
/// ```no_run
/// # async fn open() -> Result<(), session_runtime::store::StoreError> {
/// use session_runtime::store::MySqlStore;
///
/// let store = MySqlStore::connect("mysql://app:secret@localhost/app").await?;
/// // or, with settings:
/// let options = MySqlStore::options().prefix("shop_").connections(20);
/// let store = options.connect("mariadb://app:secret@localhost/app").await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct MySqlStore(Store<MySql>);

impl MySqlStore {
    /// Connects with the default [options](Self::options).
    ///
    /// # Errors
    ///
    /// As [`MySqlOptions::connect`].
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::options().connect(url).await
    }

    /// Uses a pool that is there already, with the default options.
    ///
    /// # Errors
    ///
    /// As [`MySqlOptions::with_pool`].
    pub async fn with_pool(pool: sqlx::MySqlPool) -> Result<Self, StoreError> {
        Self::options().with_pool(pool).await
    }

    /// Settings to [connect](MySqlOptions::connect) with.
    pub fn options() -> MySqlOptions {
        MySqlOptions::new()
    }

    /// Creates the tables if they are missing. [`connect`](Self::connect) does so by
    /// default.
    ///
    /// # Errors
    ///
    /// If a right is missing, or the tables are of another layout or program.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        Ok(self.0.server().prepare(true).await?)
    }
}

#[deny(clippy::missing_trait_methods)]
impl SessionStore for MySqlStore {
    forward_store! { this => this.0;
        clock capabilities load reload create apply delete list revoke count sweep scan cache
    }
}

impl fmt::Debug for MySqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MySqlStore").field("clock", self.clock()).finish_non_exhaustive()
    }
}

//! Sessions in MySQL 8 or MariaDB. The store is shared by all SQL servers, see [`sql`](super::sql);
//! this module contains what is specific to these.
//!
//! - [`layout`]: the tables, and the checks of the server
//! - [`dialect`]: statements and answers
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

/// A store in MySQL 8 or MariaDB (10.6 or later).
///
/// For services that already run such a server: any number of nodes share the sessions. A load is
/// one statement, and so is a change of a session without a concurrent one. Everything else locks
/// the row of the session, then reads the server's clock, decides by the rules shared by all
/// stores, and writes. `docs/mysql.md` describes the tables and the settings.
///
/// Clones share one pool of connections. The task that removes expired sessions ends when the last
/// clone is dropped.
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
    /// Same as [`MySqlOptions::connect`].
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::options().connect(url).await
    }

    /// Uses an existing pool, with the default options.
    ///
    /// # Errors
    ///
    /// Same as [`MySqlOptions::with_pool`].
    pub async fn with_pool(pool: sqlx::MySqlPool) -> Result<Self, StoreError> {
        Self::options().with_pool(pool).await
    }

    /// Returns the settings to [connect](MySqlOptions::connect) with.
    pub fn options() -> MySqlOptions {
        MySqlOptions::new()
    }

    /// Creates the tables if they are missing. [`connect`](Self::connect) does so by default.
    ///
    /// # Errors
    ///
    /// If a privilege is missing, or the tables have another layout or belong to another program.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        Ok(self.0.server().prepare(true).await?)
    }
}

#[deny(clippy::missing_trait_methods)]
impl SessionStore for MySqlStore {
    forward_store! { this => this.0;
        clock capabilities load reload create apply delete list revoke count sweep scan cache watchers
    }
}

impl fmt::Debug for MySqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MySqlStore").field("clock", self.clock()).finish_non_exhaustive()
    }
}

//! The settings of a [`MySqlStore`].

use std::str::FromStr as _;

use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions, MySqlSslMode};
use sqlx::{ConnectOptions as _, Executor as _, MySqlPool};

use super::MySqlStore;
use super::dialect::{MySql, set_up};
use super::failure::fault;
use super::layout::Tables;
use crate::clock::FAR;
use crate::store::engine::{Failure, Tls};
use crate::store::error::StoreError;
use crate::store::sql::{Settings, parameters, shared_settings};

/// The settings of a [`MySqlStore`], from [`MySqlStore::options`].
///
/// ```no_run
/// # async fn open() -> Result<(), session_runtime::store::StoreError> {
/// use std::time::Duration;
/// use session_runtime::store::MySqlStore;
///
/// let store = MySqlStore::options()
///     .prefix("shop_")
///     .connections(20)
///     .deadline(Duration::from_secs(1))
///     .connect("mysql://app:secret@localhost/app")
///     .await?;
/// # let _ = store; Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "options do nothing until `connect` or `with_pool`"]
pub struct MySqlOptions {
    prefix: String,
    settings: Settings,
}

impl MySqlOptions {
    pub(super) fn new() -> Self {
        Self { prefix: String::new(), settings: Settings::default() }
    }

    shared_settings!();

    /// Returns the statements that create the tables, for an administrator to run in the database
    /// of the sessions. Running them again changes nothing.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::store::StoreErrorKind::Config) if the prefix is invalid.
    pub fn migration_sql(&self) -> Result<String, StoreError> {
        let tables = Tables::new(&self.prefix)?;
        Ok(tables.migration().map(|statement| statement + ";\n").concat())
    }

    /// Connects to `mysql://user:password@host:3306/database` (or `mariadb://`; `?socket=/path` for
    /// a socket), and creates the tables if they are missing.
    ///
    /// If TLS is requested, it is verified: `ssl-mode=REQUIRED` means `VERIFY_IDENTITY` here. With
    /// a weaker mode, such as the client's default `PREFERRED`, a server on another machine is
    /// reported at WARN. An unknown parameter is refused.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::store::StoreErrorKind::Unavailable), immediately, if nothing answers
    /// at that address. [`Config`](crate::store::StoreErrorKind::Config) if the database, its
    /// tables or a privilege is missing, the server is too old, or a setting is invalid. The source
    /// says which, and never repeats the URL.
    pub async fn connect(self, url: &str) -> Result<MySqlStore, StoreError> {
        let tables = self.check()?;
        let settings = settings(url)?;
        let deadline = self.settings.deadline;
        self.settings.probe(&settings, fault).await?;
        let set_up = format!(
            "{}; SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE",
            set_up(deadline)
        );
        let pool = MySqlPoolOptions::new()
            .max_connections(self.settings.connections)
            .acquire_timeout(deadline.min(FAR))
            // A call notices a dead connection, and tries another one.
            .test_before_acquire(false)
            .after_connect(move |connection, _| {
                let set_up = set_up.clone();
                Box::pin(async move {
                    connection.execute(sqlx::raw_sql(&set_up)).await?;
                    Ok(())
                })
            })
            .connect_lazy_with(settings);
        self.open(pool, tables, None).await
    }

    /// Uses an existing pool, which may have other users. `connections` has no effect.
    ///
    /// No state of its connections is assumed: each call begins with one extra message, which rolls
    /// back a transaction that was left open, and sets `autocommit = 1`, `innodb_lock_wait_timeout`
    /// to the deadline, `sql_select_limit` and `sql_safe_updates` to their defaults; each write is
    /// a transaction of its own. Turn off the pool's statement logging
    /// (`ConnectOptions::disable_statement_logging`).
    ///
    /// # Errors
    ///
    /// Same as [`connect`](Self::connect).
    pub async fn with_pool(self, pool: MySqlPool) -> Result<MySqlStore, StoreError> {
        let tables = self.check()?;
        let set_up = set_up(self.settings.deadline);
        self.open(pool, tables, Some(set_up)).await
    }

    async fn open(
        self,
        pool: MySqlPool,
        tables: Tables,
        reset: Option<String>,
    ) -> Result<MySqlStore, StoreError> {
        report(&pool.connect_options());
        let dialect = MySql::new(pool, tables, self.settings.limits, reset);
        Ok(MySqlStore(self.settings.open(dialect).await?))
    }

    fn check(&self) -> Result<Tables, Failure> {
        self.settings.check()?;
        Tables::new(&self.prefix)
    }
}

fn settings(url: &str) -> Result<MySqlConnectOptions, Failure> {
    let malformed = "write the URL as `mysql://user:password@host:3306/database`";
    let rest = url.strip_prefix("mysql:").or_else(|| url.strip_prefix("mariadb:"));
    let rest = rest.filter(|rest| rest.starts_with("//"));
    let rest = rest.ok_or_else(|| Failure::config(malformed))?;
    let (url, _) = parameters(rest, &[], &THEIRS)?;
    // Without the source, which may quote the password.
    let settings = MySqlConnectOptions::from_str(&format!("mysql:{url}"))
        .map_err(|_| Failure::config(malformed))?;
    if settings.get_database().is_none_or(str::is_empty) {
        return Err(Failure::config("the URL names no database: `mysql://host/database`"));
    }
    let settings = match settings.get_ssl_mode() {
        // The client would accept any certificate.
        MySqlSslMode::Required => settings.ssl_mode(MySqlSslMode::VerifyIdentity),
        _ => settings,
    };
    // Statements contain values.
    Ok(settings.disable_statement_logging())
}

/// The client's parameters of a URL.
const THEIRS: [&str; 14] = [
    "sslmode",
    "ssl-mode",
    "sslca",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "charset",
    "collation",
    "statement-cache-capacity",
    "socket",
    "timezone",
    "time-zone",
];

/// Warns of a server on another machine that is reached without verified TLS.
fn report(settings: &MySqlConnectOptions) {
    let tls = match settings.get_ssl_mode() {
        MySqlSslMode::Disabled | MySqlSslMode::Preferred => Tls::No,
        MySqlSslMode::Required | MySqlSslMode::VerifyCa => Tls::Unverified,
        MySqlSslMode::VerifyIdentity => Tls::Verified,
    };
    let host = settings.get_host();
    if settings.get_socket().is_none() && !tls.is_enough_for(host) {
        tls.report(host, "connect with `ssl-mode=VERIFY_IDENTITY` (feature `mysql-tls`)");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::error::StoreErrorKind;

    #[test]
    fn a_url_without_a_database_is_refused_and_not_repeated() {
        for url in ["mysql://root:hunter2@localhost", "mysql:root:hunter2", "postgres://x/hunter2"]
        {
            let failure = settings(url).unwrap_err();
            assert_eq!(failure.kind, StoreErrorKind::Config, "{url}");
            assert!(!failure.to_string().contains("hunter2"), "{failure}");
        }
        assert!(settings("mariadb://root@localhost/app").is_ok());
    }
}

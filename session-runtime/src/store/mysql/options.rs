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

/// The settings of a [`MySqlStore`]: [`MySqlStore::options`], then
/// [`connect`](Self::connect) or [`with_pool`](Self::with_pool).
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

    /// The statements that make the tables, to be run by hand by somebody who
    /// may do that, in the database of the sessions. They change nothing that
    /// is there.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::store::StoreErrorKind::Config) if the prefix is not
    /// valid.
    pub fn migration_sql(&self) -> Result<String, StoreError> {
        let tables = Tables::new(&self.prefix)?;
        Ok(tables.migration().map(|statement| statement + ";\n").concat())
    }

    /// Connects to `mysql://user:password@host:3306/database` (or
    /// `mariadb://`; `?socket=/path` for a socket), and makes the tables where
    /// they are missing.
    ///
    /// TLS that is asked for is verified: `ssl-mode=REQUIRED` means `VERIFY_IDENTITY` here.
    /// With less, such as the client's default `PREFERRED`, a server on another machine is
    /// reported at WARN. A parameter that is unknown is refused.
    ///
    /// # Errors
    ///
    /// At once, if nothing answers there
    /// ([`Unavailable`](crate::store::StoreErrorKind::Unavailable)), or if the
    /// database, its tables or a right is missing, the server is too old, or a
    /// setting makes no sense ([`Config`](crate::store::StoreErrorKind::Config)).
    /// The source says which, and never repeats the URL.
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
            // A dead one is noticed by the call, which tries another one.
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

    /// Uses a pool that is there already, among others. `connections` has no effect.
    ///
    /// Assumes nothing about its connections: each call begins with one extra message,
    /// which rolls back a transaction that was left open, and sets `autocommit = 1`,
    /// `innodb_lock_wait_timeout` to the deadline, `sql_select_limit` and
    /// `sql_safe_updates` to their defaults; each write is a transaction of its own. Turn
    /// off the log of the pool's statements (`ConnectOptions::disable_statement_logging`).
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
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
    // Without the reason: that may quote the password.
    let settings = MySqlConnectOptions::from_str(&format!("mysql:{url}"))
        .map_err(|_| Failure::config(malformed))?;
    if settings.get_database().is_none_or(str::is_empty) {
        return Err(Failure::config("the URL names no database: `mysql://host/database`"));
    }
    let settings = match settings.get_ssl_mode() {
        // The client would take any certificate.
        MySqlSslMode::Required => settings.ssl_mode(MySqlSslMode::VerifyIdentity),
        _ => settings,
    };
    // There are values in them.
    Ok(settings.disable_statement_logging())
}

/// The parameters of a URL.
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

/// Reports a server on another machine that is not reached by verified TLS.
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

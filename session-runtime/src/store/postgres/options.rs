//! The settings of a [`PostgresStore`].

use std::str::FromStr as _;
use std::sync::Arc;

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};

use super::PostgresStore;
use super::dialect::{Pool, PostgreSql, lock_timeout};
use super::failure::fault;
use super::layout::Layout;
use super::push::Push;
use crate::clock::FAR;
use crate::store::engine::{Failure, Tls};
use crate::store::error::StoreError;
use crate::store::sql::{Settings, parameters, shared_settings};

/// The settings of a [`PostgresStore`], from [`PostgresStore::options`].
///
/// ```no_run
/// # async fn open() -> Result<(), session_runtime::store::StoreError> {
/// use std::time::Duration;
/// use session_runtime::store::PostgresStore;
///
/// let store = PostgresStore::options()
///     .schema("web")
///     .connections(20)
///     .deadline(Duration::from_secs(1))
///     .connect("postgres://web@db.internal/shop")
///     .await?;
/// # let _ = store; Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "options do nothing until `connect`"]
pub struct PostgresOptions {
    schema: String,
    prefix: String,
    pooler: bool,
    push: bool,
    settings: Settings,
}

impl PostgresOptions {
    pub(super) fn new() -> Self {
        Self {
            schema: "sessions".to_owned(),
            prefix: String::new(),
            pooler: false,
            push: false,
            settings: Settings::default(),
        }
    }

    /// Sets the schema of the tables: lower-case letters, digits and `_`, not beginning with a
    /// digit. `?schema=…` in the URL takes precedence.
    ///
    /// # Default
    ///
    /// `sessions`, which is created with the tables if it is missing. For that, the role needs
    /// `CREATE` on the database once.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    shared_settings!();

    /// Sets whether there is a pooler, such as PgBouncer in transaction mode, between this program
    /// and the server.
    ///
    /// If so, each statement is sent as one message of text instead of a prepared statement, which
    /// such a pooler may prepare on one connection and execute on another. The text contains the
    /// values: to keep them out of the server's log, set `log_min_error_statement = panic` and do
    /// not set `log_min_duration_statement`. For a pool of your own, turn off its statement logging
    /// too.
    ///
    /// # Default
    ///
    /// `false`; `true` for a URL with `pgbouncer=true`.
    pub const fn pooler(mut self, pooler: bool) -> Self {
        self.pooler = pooler;
        self
    }

    /// Sets whether the nodes tell each other which sessions have changed, by `NOTIFY`. Sockets and
    /// streams that wait for the end or a change of a session
    /// ([`Handle::ended`](crate::Handle::ended)) then learn of it in milliseconds; without it, or if
    /// a message is lost, within the layer's
    /// [`watch_interval`](crate::SessionLayer::watch_interval).
    ///
    /// Takes two more connections, and no further privileges. The messages contain public ids and
    /// unkeyed hashes of principals, for every role that may connect to the database. A change does
    /// not wait for its message; messages are sent at most every 10 ms. Does not work through a
    /// [`pooler`](Self::pooler).
    ///
    /// # Default
    ///
    /// `false`; `true` for a URL with `push=true`.
    pub const fn push(mut self, push: bool) -> Self {
        self.push = push;
        self
    }

    /// Returns the script that creates the tables, for `psql` or a migration tool. Running it again
    /// changes nothing.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::store::StoreErrorKind::Config) if the schema or the prefix is invalid.
    pub fn migration_sql(&self) -> Result<String, StoreError> {
        Ok(format!("BEGIN;\n{}COMMIT;\n", self.layout()?.script(true)))
    }

    /// Connects to `postgres://user:password@host:port/database`, and creates the tables if they
    /// are missing. A directory as host, `postgres:///database?host=/run/postgresql`, means the
    /// socket in it.
    ///
    /// If TLS is requested, it is verified: `sslmode=require` means `verify-full` here. With a
    /// weaker mode, such as the client's default `prefer`, a server on another machine is reported
    /// at WARN. An unknown parameter is refused.
    ///
    /// # Errors
    ///
    /// [`Unavailable`], immediately, if nothing answers at that address. [`Config`] if the login is
    /// refused, or a setting or the tables are invalid. [`Timeout`], after the deadline, if the
    /// server hangs. The source says what to do.
    ///
    /// [`Unavailable`]: crate::store::StoreErrorKind::Unavailable
    /// [`Config`]: crate::store::StoreErrorKind::Config
    /// [`Timeout`]: crate::store::StoreErrorKind::Timeout
    pub async fn connect(mut self, url: &str) -> Result<PostgresStore, StoreError> {
        let (url, ours) = parameters(url, &OURS, &THEIRS)?;
        for (name, value) in ours {
            match name {
                "schema" => value.clone_into(&mut self.schema),
                "push" => self.push |= is_true(name, value)?,
                _ => self.pooler |= is_true(name, value)?,
            }
        }
        self.check()?;
        let deadline = self.settings.deadline;
        let options = PgConnectOptions::from_str(&url)
            // Without the parser's own message, which may repeat a password.
            .map_err(|_| Failure::config("the URL is not like postgres://user@host/database"))?
            // PgBouncer refuses parameters that it does not know.
            .extra_float_digits(None)
            .disable_statement_logging();
        let options = match options.get_application_name() {
            None => options.application_name("session-runtime"),
            Some(_) => options,
        };
        let options = match options.get_ssl_mode() {
            // The client would accept any certificate.
            PgSslMode::Require => options.ssl_mode(PgSslMode::VerifyFull),
            _ => options,
        };
        let options = match self.pooler {
            true => options.statement_cache_capacity(0),
            // Applies to statements outside of a transaction too.
            false => options.options([
                ("default_transaction_isolation", "read\\ committed"),
                ("default_transaction_read_only", "off"),
                ("lock_timeout", &lock_timeout(deadline).to_string()),
            ]),
        };
        self.settings.probe(&options, fault).await?;
        let pool = PgPoolOptions::new()
            .max_connections(self.settings.connections)
            .acquire_timeout(deadline.min(FAR))
            // Testing would make each call two round trips. A call notices a dead connection, and
            // tries another one.
            .test_before_acquire(false)
            .connect_lazy_with(options);
        self.open(pool, Pool::Own).await
    }

    /// Uses an existing pool. `connections` has no effect.
    ///
    /// No state of its connections is assumed: each call begins with one extra message, which rolls
    /// back a transaction that was left open, and each write is a transaction of its own.
    /// `test_before_acquire(false)` on the pool saves another round trip.
    ///
    /// # Errors
    ///
    /// Same as [`connect`](Self::connect).
    pub async fn with_pool(self, pool: PgPool) -> Result<PostgresStore, StoreError> {
        self.check()?;
        self.open(pool, Pool::Lent).await
    }

    async fn open(self, pool: PgPool, whose: Pool) -> Result<PostgresStore, StoreError> {
        report(&pool.connect_options());
        let (layout, wait) = (self.layout()?, self.settings.deadline);
        let topic = layout.name("session");
        let dialect = PostgreSql::new(pool.clone(), whose, layout, wait, self.pooler);
        let store = self.settings.open(dialect).await?;
        let push = match self.push {
            true => Some(Arc::new(Push::start(pool, topic, wait).await?)),
            false => None,
        };
        Ok(PostgresStore { store, push })
    }

    pub(super) fn layout(&self) -> Result<Layout, Failure> {
        Layout::new(&self.schema, &self.prefix)
    }

    fn check(&self) -> Result<(), Failure> {
        self.settings.check()?;
        if self.push && self.pooler {
            let text = "push: connect to the server itself; a pooler does not pass messages on";
            return Err(Failure::config(text));
        }
        self.layout().map(drop)
    }
}

fn is_true(name: &str, value: &str) -> Result<bool, Failure> {
    value.parse().map_err(|_| Failure::config(format!("the URL's `{name}`: true or false")))
}

/// The parameters of a URL that this store reads.
const OURS: [&str; 3] = ["schema", "pgbouncer", "push"];
/// The client's parameters of a URL.
const THEIRS: [&str; 19] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "options[…]",
];

/// Warns of a server on another machine that is reached without verified TLS.
fn report(options: &PgConnectOptions) {
    let tls = match options.get_ssl_mode() {
        PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer => Tls::No,
        PgSslMode::Require | PgSslMode::VerifyCa => Tls::Unverified,
        PgSslMode::VerifyFull => Tls::Verified,
    };
    let host = options.get_host();
    if options.get_socket().is_none() && !tls.is_enough_for(host) {
        tls.report(host, "connect with `sslmode=verify-full` (feature `postgres-tls`)");
    }
}

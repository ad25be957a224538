//! The settings of a [`PostgresStore`].

use std::str::FromStr as _;

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};

use super::PostgresStore;
use super::dialect::{Pool, PostgreSql, lock_timeout};
use super::failure::fault;
use super::layout::Layout;
use crate::clock::FAR;
use crate::store::engine::{Failure, Tls};
use crate::store::error::StoreError;
use crate::store::sql::{Settings, parameters, shared_settings};

/// The settings of a [`PostgresStore`]: [`PostgresStore::options`], then
/// [`connect`](Self::connect) or [`with_pool`](Self::with_pool).
#[derive(Clone, Debug)]
#[must_use = "options do nothing until `connect`"]
pub struct PostgresOptions {
    schema: String,
    prefix: String,
    pooler: bool,
    settings: Settings,
}

impl PostgresOptions {
    pub(super) fn new() -> Self {
        Self {
            schema: "sessions".to_owned(),
            prefix: String::new(),
            pooler: false,
            settings: Settings::default(),
        }
    }

    /// The schema of the tables: lower-case letters, digits and `_`.
    ///
    /// # Default
    ///
    /// `sessions`, which the migration creates if it is missing. For that the role needs
    /// `CREATE` on the database, once. `?schema=…` in the URL wins over this.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    shared_settings!();

    /// Whether there is a pooler, such as pgbouncer in transaction mode,
    /// between this program and the server.
    ///
    /// Then each statement is one message of text instead of a prepared one,
    /// which such a pooler may send to one server and its use to another. The
    /// values are in that text: set `log_min_error_statement = panic` and no
    /// `log_min_duration_statement` where nobody may read them in the server's
    /// log. On a pool of yours, disable the logging of statements too.
    ///
    /// # Default
    ///
    /// `false`; `true` for a URL with `pgbouncer=true`.
    pub const fn pooler(mut self, pooler: bool) -> Self {
        self.pooler = pooler;
        self
    }

    /// The script that creates the tables, for `psql` or for a tool that runs
    /// migrations. Run again it changes nothing.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::store::StoreErrorKind::Config) if the schema or the prefix is not
    /// valid.
    pub fn migration_sql(&self) -> Result<String, StoreError> {
        Ok(format!("BEGIN;\n{}COMMIT;\n", self.layout()?.script(true)))
    }

    /// Connects to `postgres://user:password@host:port/database`. A directory
    /// as host, `postgres:///database?host=/run/postgresql`, is its socket.
    ///
    /// TLS that is asked for is verified: `sslmode=require` means `verify-full` here. With
    /// less, such as the client's default `prefer`, a server on another machine is reported
    /// at WARN. A parameter that is unknown is refused.
    ///
    /// # Errors
    ///
    /// Immediately if nothing answers there ([`Unavailable`]), if the login is
    /// refused, or a setting or the tables make no sense ([`Config`]; the
    /// source says what to do). After the deadline if the server hangs.
    ///
    /// [`Unavailable`]: crate::store::StoreErrorKind::Unavailable
    /// [`Config`]: crate::store::StoreErrorKind::Config
    pub async fn connect(mut self, url: &str) -> Result<PostgresStore, StoreError> {
        let (url, ours) = parameters(url, &OURS, &THEIRS)?;
        for (name, value) in ours {
            match name {
                "schema" => value.clone_into(&mut self.schema),
                _ => self.pooler |= value == "true",
            }
        }
        self.check()?;
        let deadline = self.settings.deadline;
        let options = PgConnectOptions::from_str(&url)
            // Not the parser's own words: those may repeat a password.
            .map_err(|_| Failure::config("the URL is not like postgres://user@host/database"))?
            // pgbouncer refuses what it does not know.
            .extra_float_digits(None)
            .disable_statement_logging();
        let options = match options.get_application_name() {
            None => options.application_name("session-runtime"),
            Some(_) => options,
        };
        let options = match options.get_ssl_mode() {
            // The client would take any certificate.
            PgSslMode::Require => options.ssl_mode(PgSslMode::VerifyFull),
            _ => options,
        };
        let options = match self.pooler {
            true => options.statement_cache_capacity(0),
            // A statement outside of a transaction runs like that, too.
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
            // Each call would be two round trips. A dead connection is noticed
            // by the call, which tries another one.
            .test_before_acquire(false)
            .connect_lazy_with(options);
        self.open(pool, Pool::Own).await
    }

    /// Uses a pool that is there already. `connections` has no effect.
    ///
    /// Assumes nothing about its connections: each call begins with one extra message,
    /// which rolls back a transaction that was left open, and each write is a transaction
    /// of its own. `test_before_acquire(false)` on the pool saves a round trip of the
    /// client's.
    ///
    /// # Errors
    ///
    /// If a setting or the tables make no sense, or the server does not answer.
    pub async fn with_pool(self, pool: PgPool) -> Result<PostgresStore, StoreError> {
        self.check()?;
        self.open(pool, Pool::Lent).await
    }

    async fn open(self, pool: PgPool, whose: Pool) -> Result<PostgresStore, StoreError> {
        report(&pool.connect_options());
        let (layout, wait) = (self.layout()?, self.settings.deadline);
        let dialect = PostgreSql::new(pool, whose, layout, wait, self.pooler);
        Ok(PostgresStore(self.settings.open(dialect).await?))
    }

    pub(super) fn layout(&self) -> Result<Layout, Failure> {
        Layout::new(&self.schema, &self.prefix)
    }

    fn check(&self) -> Result<(), Failure> {
        self.settings.check()?;
        self.layout().map(drop)
    }
}

/// Parameters of a URL that this store reads.
const OURS: [&str; 2] = ["schema", "pgbouncer"];
/// And those of the client.
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

/// Reports a server on another machine that is not reached by verified TLS.
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

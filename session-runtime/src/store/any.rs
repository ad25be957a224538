//! A store chosen at run time.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::error::StoreError;
use super::limits::Limits;
use super::memory::MemoryStore;
use super::session_store::SessionStore;
use crate::forward_store;

/// A store of any kind, chosen by a URL at run time.
#[derive(Clone)]
pub struct AnyStore {
    store: Arc<dyn SessionStore>,
    /// The store again, if it is one that has a file to close.
    #[cfg(feature = "sqlite")]
    file: Option<super::SqliteStore>,
}

#[cfg(any(feature = "mysql", feature = "postgres", feature = "redis", feature = "sqlite"))]
type Opening<'o, S> = std::pin::Pin<Box<dyn Future<Output = Result<S, StoreError>> + Send + 'o>>;

/// Opens a store if its feature is on; otherwise returns an error that names the feature.
macro_rules! opened {
    ($feature:literal, $store:ident $(.$set:ident($to:expr))*, $open:ident($where:expr)) => {{
        #[cfg(feature = $feature)]
        let opened = {
            let options = super::$store::options()$(.$set($to))*;
            // Boxed, because the clients' futures are deeply nested: awaiting one directly could
            // exceed the compiler's recursion limit in the caller.
            let opening: Opening<'_, super::$store> = Box::pin(options.$open($where));
            opening.await.map(Self::new).map_err(ConnectError::Store)
        };
        #[cfg(not(feature = $feature))]
        let opened = {
            let _ = ($where, $($to),*);
            Err(ConnectError::MissingFeature($feature))
        };
        opened
    }};
}

impl AnyStore {
    /// Wraps a store that is already open.
    #[must_use]
    pub fn new(store: impl SessionStore) -> Self {
        Self {
            #[cfg(feature = "sqlite")]
            file: (&store as &dyn std::any::Any).downcast_ref().cloned(),
            store: Arc::new(store),
        }
    }

    /// Closes the store and all its clones if it is a `SqliteStore`; see `SqliteStore::close`.
    /// Other stores have nothing to close. Call this last, after the server has stopped.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// use session_runtime::{SessionLayer, store::AnyStore};
    ///
    /// let store = AnyStore::connect("memory:").await?;
    /// let layer = SessionLayer::new(store.clone());
    /// // … until the server has stopped:
    /// store.close().await?;
    /// # let _ = layer; Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// If the SQLite file cannot be closed. Other stores have nothing to close.
    // With no store feature on, nothing is awaited.
    #[allow(clippy::unused_async)]
    pub async fn close(&self) -> Result<(), StoreError> {
        #[cfg(feature = "sqlite")]
        if let Some(file) = &self.file {
            return file.close().await;
        }
        Ok(())
    }

    /// Opens the store that `url` names:
    ///
    /// | URL | store | feature |
    /// |---|---|---|
    /// | `memory:` | [`MemoryStore`] | |
    /// | `sqlite:path/to/file.db` | `SqliteStore`; the file is created if it is missing. The path is taken literally: no `file:`, no `?`, no `%20` | `sqlite` |
    /// | `mysql://user:password@host/database`, `mariadb://…` | `MySqlStore`; its tables are created if they are missing | `mysql` |
    /// | `redis://host:6379`, `redis+unix:///path`, `redis+cluster://host,host`, `redis+sentinel://host/name` | `RedisStore` | `redis` |
    /// | `rediss://…`, `rediss+cluster://…`, `rediss+sentinel://…` | the same over TLS | `redis-tls` |
    /// | `postgres://user@host/database` | `PostgresStore`; its tables are created if they are missing | `postgres` |
    ///
    /// # Errors
    ///
    /// If the URL names no known store, or one whose cargo feature is off, or if the store cannot
    /// be opened.
    ///
    /// # Errors
    ///
    /// If the SQLite file cannot be closed. Other stores have nothing to close.
    // With no store feature on, nothing is awaited.
    #[allow(clippy::unused_async)]
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::connect_with(url, &ConnectOptions::default()).await
    }

    /// Same as [`connect`](Self::connect), with settings that are not part of a URL.
    ///
    /// ```no_run
    /// use session_runtime::store::{AnyStore, ConnectOptions, Limits};
    ///
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut options = ConnectOptions::default();
    /// options.limits = Some(Limits { field: 16 << 10, record: 64 << 10 });
    /// options.prefix = Some("shop".to_owned());
    /// let store = AnyStore::connect_with("redis://localhost", &options).await?;
    /// # let _ = store; Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Same as [`connect`](Self::connect); also if the store does not support a setting.
    pub async fn connect_with(url: &str, options: &ConnectOptions) -> Result<Self, ConnectError> {
        let (scheme, rest) = url.split_once(':').ok_or(ConnectError::UnknownScheme)?;
        if options.prefix.is_some() && scheme == "memory" {
            return Err(ConnectError::Malformed(
                "`memory:` does not support `prefix`: leave `prefix` out, or use a store on a server",
            ));
        }
        if is_server(scheme) && !rest.starts_with("//") {
            return Err(ConnectError::Malformed(
                "a store on a server is written with `//`: `redis://host:6379`, `postgres://user@host/database`, `mysql://user@host/database`",
            ));
        }
        let limits = options.limits.unwrap_or_default();
        match scheme {
            "memory" if matches!(rest, "" | "//") => {
                Ok(Self::new(MemoryStore::new().limits(limits)))
            }
            "memory" => Err(ConnectError::Malformed("`memory:` takes nothing after the colon")),
            "sqlite" => match (file(rest)?, &options.prefix) {
                (path, None) => opened!("sqlite", SqliteStore.limits(limits), open(path)),
                (path, Some(prefix)) => opened!(
                    "sqlite",
                    SqliteStore.limits(limits).shared_file(format!("{prefix}session")),
                    open(path)
                ),
            },
            "postgres" | "postgresql" => match &options.prefix {
                None => opened!("postgres", PostgresStore.limits(limits), connect(url)),
                Some(prefix) => {
                    opened!("postgres", PostgresStore.limits(limits).prefix(prefix), connect(url))
                }
            },
            "mysql" | "mariadb" => match &options.prefix {
                None => opened!("mysql", MySqlStore.limits(limits), connect(url)),
                Some(prefix) => {
                    opened!("mysql", MySqlStore.limits(limits).prefix(prefix), connect(url))
                }
            },
            _ => match (scheme.split('+').next(), &options.prefix) {
                (Some("redis" | "rediss" | "valkey" | "valkeys"), None) => {
                    opened!("redis", RedisStore.limits(limits), connect(url))
                }
                (Some("redis" | "rediss" | "valkey" | "valkeys"), Some(prefix)) => {
                    opened!("redis", RedisStore.limits(limits).prefix(prefix), connect(url))
                }
                _ => Err(ConnectError::UnknownScheme),
            },
        }
    }
}

fn is_server(scheme: &str) -> bool {
    let plain = scheme.split('+').next().unwrap_or_default();
    ["mariadb", "mysql", "postgres", "postgresql", "redis", "rediss", "valkey", "valkeys"]
        .contains(&plain)
}

/// Returns the path in a URL that begins with `sqlite:`.
fn file(rest: &str) -> Result<&str, ConnectError> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    let problem = if path.is_empty() {
        "write the file's path: `sqlite:sessions.db`"
    } else if path.starts_with("file:") {
        "`sqlite:` is followed by the path alone, without `file:`"
    } else if path.contains('?') {
        "`sqlite:` is followed by the path alone: it takes no settings behind a `?`"
    } else if is_escaped(path) {
        "`sqlite:` is followed by the path as it is, without `%20` and the like"
    } else {
        return Ok(path);
    };
    Err(ConnectError::Malformed(problem))
}

fn is_escaped(path: &str) -> bool {
    let mut escapes = path.as_bytes().windows(3).filter(|it| it[0] == b'%');
    escapes.any(|it| it[1..].iter().all(u8::is_ascii_hexdigit))
}

impl fmt::Debug for AnyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyStore")
    }
}

/// Settings of a store that are not part of its URL.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// The largest size of a field and of a record. A write that would exceed it is refused, and
    /// nothing is stored.
    ///
    /// # Default
    ///
    /// 256 KiB a field, 1 MiB a record ([`Limits::default`]).
    pub limits: Option<Limits>,
    /// The prefix of the store's keys or tables, for a server that several applications share.
    ///
    /// With `sqlite:`, the sessions are kept in a file that has other tables too, in a table named
    /// `session` with this prefix: see `SqliteOptions::shared_file`. `memory:` does not support it.
    ///
    /// # Default
    ///
    /// The store's own default.
    pub prefix: Option<String>,
}

/// An error from opening a store by its URL. It does not repeat the URL, which may contain a
/// password.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The part before the first colon names no store.
    UnknownScheme,
    /// The store's cargo feature is off. The value is the feature's name.
    MissingFeature(&'static str),
    /// The rest of the URL is malformed. The value says how to write it.
    Malformed(&'static str),
    /// The store could not be opened.
    Store(StoreError),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownScheme => f.write_str(
                "no such store: write `memory:`, `sqlite:sessions.db`, `postgres://…`, \
                 `mysql://…` or `redis://…`",
            ),
            Self::MissingFeature(feature) => write!(
                f,
                "this store needs the cargo feature `{feature}`: `cargo add session-runtime --features {feature}`",
            ),
            Self::Malformed(problem) => f.write_str(problem),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Store(error) => error.source(),
            _ => None,
        }
    }
}

// Without this lint, a method that is missing here would silently get its default.
#[deny(clippy::missing_trait_methods)]
impl SessionStore for AnyStore {
    forward_store! { this => this.store;
        clock capabilities load reload create apply delete list revoke count sweep scan cache watchers
    }
}

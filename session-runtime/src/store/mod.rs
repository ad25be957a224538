//! The stores that keep the sessions.
//!
//! - For applications: [`MemoryStore`], `SqliteStore`, `RedisStore`, `PostgresStore` and
//!   `MySqlStore` (each behind a cargo feature); [`AnyStore`], which opens the one that a URL
//!   names; [`CachedStore`], a cache in front of another store.
//! - For authors of a store: [`cas`], for a database that can replace a value if it has not changed
//!   since it was read; [`whole`], for a database that loads, saves and deletes bytes under a key;
//!   `conformance`, the tests that every store passes.
//! - For authors of wrappers: [`contract`].

mod any;
mod cache;
pub mod cas;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod contract;
mod engine;
mod error;
mod forward;
mod limits;
mod memory;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
mod session_store;
#[cfg(any(feature = "mysql", feature = "postgres"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
pub(crate) mod watchers;
pub mod whole;

pub use crate::metrics::CacheStats;
pub use any::{AnyStore, ConnectError, ConnectOptions};
pub use cache::{CachedStore, ChangeFeed, ChangeSink, Moment};
pub(crate) use contract::{
    Capabilities, Created, Cursor, EndReason, Ended, Lookup, Page, Replayed, Revoke, Revoked,
    Swept, Touch, Visit,
};
pub use error::{StoreError, StoreErrorKind};
pub use limits::Limits;
pub use memory::MemoryStore;
#[cfg(feature = "mysql")]
pub use mysql::{MySqlOptions, MySqlStore};
#[cfg(feature = "postgres")]
pub use postgres::{PostgresOptions, PostgresStore};
#[cfg(feature = "redis")]
pub use redis::{RedisClient, RedisOptions, RedisStore};
pub use session_store::{SessionStore, StoreFuture};
#[cfg(feature = "sqlite")]
pub use sqlite::{Durability, SqliteOptions, SqliteStore};
pub use watchers::Watchers;

//! Where sessions live: the contract, and the stores that keep it.

mod any;
mod cache;
pub mod cas;
#[cfg(feature = "conformance")]
pub mod conformance;
mod contract;
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
#[cfg(any(feature = "mysql", feature = "postgres"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
pub mod whole;

pub use crate::metrics::CacheStats;
pub use any::{AnyStore, ConnectError, ConnectOptions};
pub use cache::{CachedStore, ChangeFeed, ChangeSink, Moment};
pub use contract::{
    Capabilities, Created, Cursor, Ended, EndedBy, Lookup, Page, Replayed, Revoke, Revoked,
    SessionStore, StoreFuture, Swept, Touch, Visit,
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
#[cfg(feature = "sqlite")]
pub use sqlite::{Durability, SqliteOptions, SqliteStore};

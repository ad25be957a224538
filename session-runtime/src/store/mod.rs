//! Where sessions live: the contract, and the stores that keep it.

mod any;
#[cfg(feature = "conformance")]
pub mod conformance;
mod contract;
mod error;
mod limits;
mod memory;
// Of every store that has columns.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod packed;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
pub mod whole;

pub use any::{AnyStore, ConnectError};
pub use contract::{
    Capabilities, Created, Cursor, Lookup, Page, Revoke, SessionStore, StoreFuture, Swept, Touch,
    Visit,
};
pub use error::{StoreError, StoreErrorKind};
pub use limits::Limits;
pub use memory::MemoryStore;
#[cfg(feature = "postgres")]
pub use postgres::{PostgresOptions, PostgresStore};
#[cfg(feature = "sqlite")]
pub use sqlite::{Durability, SqliteOptions, SqliteStore};

//! Where sessions live: the contract, and the stores that keep it.

mod any;
#[cfg(feature = "conformance")]
pub mod conformance;
mod contract;
mod error;
mod limits;
mod memory;
// Of every store that has columns.
#[cfg(feature = "sqlite")]
mod packed;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "tower-sessions")]
pub mod tower_sessions;
pub mod whole;

pub use any::{AnyStore, ConnectError, ConnectOptions};
pub use contract::{
    Capabilities, Created, Lookup, Revoke, SessionStore, StoreFuture, Swept, Touch, Visit,
};
pub use error::{StoreError, StoreErrorKind};
pub use limits::Limits;
pub use memory::MemoryStore;
#[cfg(feature = "sqlite")]
pub use sqlite::{Durability, SqliteOptions, SqliteStore};

//! Sessions in one SQLite file: no server, and they survive restarts and `kill -9`.
//!
//! - [`store`]: the store, operation by operation
//! - [`path`], [`connect`], [`layout`]: the file, its tables, and the checks at opening
//! - [`read`], [`write`](mod@write), [`sign_in`], [`end`], [`sweep`]: the operations on a
//!   connection; [`db`], [`sql`], [`value`]: their statements
//! - [`step`], [`writer`], [`thread`]: one thread writes, many steps per transaction
//! - [`readers`]: the reading threads
//! - [`queue`]: the queue of a thread
//! - [`watch`]: detects that the file was deleted or replaced
//! - [`options`], [`failure`]: settings and errors
//!
//! All decisions are made inside the write transaction, so several processes may share a file.

mod connect;
mod db;
mod end;
mod failure;
mod layout;
mod options;
mod path;
mod queue;
mod read;
mod readers;
mod sign_in;
mod sql;
mod step;
mod store;
mod sweep;
#[cfg(test)]
mod tests;
mod thread;
mod value;
mod watch;
mod write;
mod writer;

pub use self::options::{Durability, SqliteOptions};
pub use self::store::SqliteStore;

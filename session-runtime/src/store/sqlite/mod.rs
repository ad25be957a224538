//! Sessions in one SQLite file: no server, survives restarts and `kill -9`.
//!
//! - [`store`]: the store, operation by operation
//! - [`path`], [`connect`], [`layout`]: the file, its tables, what is checked at
//!   opening
//! - [`read`], [`write`](mod@write), [`sign_in`], [`end`], [`sweep`]: what is done on a
//!   connection; [`db`], [`sql`], [`value`]: with which statements
//! - [`step`], [`writer`], [`thread`]: one thread writes, many steps in one
//!   transaction
//! - [`readers`]: the threads that read
//! - [`queue`]: the queue of a thread
//! - [`watch`]: whether the file is still there
//! - [`options`], [`failure`]: settings and errors
//!
//! Everything that decides happens inside the write transaction, so several
//! processes may share a file.

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

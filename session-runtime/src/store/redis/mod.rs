//! Sessions in Redis or Valkey: one server, Sentinel or Cluster.
//!
//! - [`layout`]: a record as a hash, and back
//! - `lua/`, [`script`]: everything that decides, as scripts on the server
//! - [`ask`]: a patch as the arguments of `apply.lua`, and its answers
//! - [`load`], [`lately`]: loading, by script or without
//! - [`write`](mod@write): creating a session, and applying a patch
//! - [`sign_in`]: a sign-in where session and index are on different servers
//! - [`principals`], [`walk`], [`scan`]: listing, revoking, counting, sweeping,
//!   walking over all sessions
//! - [`target`], [`link`], [`server`], [`failure`]: URLs, connections, deadlines,
//!   errors
//! - [`feed`], [`line`]: what changes, told by the servers, for a cache
//! - the settings: [`options`]
//!
//! `docs/redis.md` shows what is stored, and how to look at it.

mod ask;
mod failure;
mod feed;
mod lately;
mod layout;
mod line;
mod link;
mod load;
mod options;
mod principals;
mod scan;
mod script;
mod server;
mod sign_in;
mod store;
mod target;
mod walk;
mod write;

pub use self::options::RedisOptions;
pub use self::store::RedisStore;
pub use self::target::RedisClient;

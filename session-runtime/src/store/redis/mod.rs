//! Sessions in Redis or Valkey: one server, Sentinel or Cluster.
//!
//! - [`layout`]: the names of the keys; the values are the forms of `record/`
//! - `lua/`, [`script`]: guards and the maintenance of indexes, as scripts on the server
//! - [`ask`]: steps as arguments of the scripts, and their answers
//! - [`read`], [`write`](mod@write): the store as an engine
//! - [`sign_in`], [`split`]: a sign-in in one step, and one where session and index are on
//!   different servers
//! - [`principals`], [`walk`], [`scan`]: listing, revoking, counting, sweeping, walking over all
//!   sessions
//! - [`target`], [`link`], [`nodes`], [`server`], [`failure`]: URLs, connections, the nodes of a
//!   cluster, deadlines, errors
//! - [`check`], [`rights`]: the checks of `connect`, and the commands that a user must be allowed
//! - [`feed`], [`line`]: change notifications from the servers, for a cache
//! - [`offset`]: the clock of the servers
//! - [`options`]: the settings
//!
//! `docs/redis.md` shows what is stored, and how to look at it.

mod ask;
mod check;
mod failure;
mod feed;
mod layout;
mod line;
mod link;
mod nodes;
mod offset;
mod options;
mod plain;
mod principals;
mod read;
mod rights;
mod scan;
mod script;
mod server;
mod sign_in;
mod split;
mod store;
mod target;
mod walk;
mod write;

pub use self::options::RedisOptions;
pub use self::store::RedisStore;
pub use self::target::RedisClient;

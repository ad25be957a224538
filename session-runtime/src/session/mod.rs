//! One request's view of a session: the typed handle, what changed, and the
//! pure plan of what to store. Nothing here knows a store, a cookie or http.

mod conflict;
mod core;
mod handle;
mod life;
mod migrate;
mod nonce;
mod open;
mod pending;
mod plan;
mod publish;
mod scope;
mod seal;
mod transaction;
mod users;
mod value;

pub use handle::Handle;
pub(crate) use pending::Pending;
pub(crate) use plan::{Plan, Policy, Situation, Write, fork, plan};
pub(crate) use scope::{Attempt, Backend, BoxFuture, CookieChange, Origin, Scope, State};
pub(crate) use seal::{home, seal};
pub(crate) use users::Marked;

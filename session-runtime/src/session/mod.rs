//! One request's view of a session: the typed handle, its changes, and the pure plan of what to
//! store. Nothing here depends on a store or on HTTP; of the cookie it knows only whether it has to
//! change.

mod audit;
mod conflict;
mod core;
mod flash;
mod handle;
mod lend;
mod life;
mod nonce;
mod op;
mod open;
mod pending;
mod plan;
mod publish;
mod scope;
mod transaction;
mod users;
mod value;
mod view;

pub(crate) use audit::Audit;
pub use flash::FlashList;
pub use handle::{Handle, KeepAlive};
pub(crate) use op::PendingOp;
pub(crate) use pending::Pending;
pub(crate) use plan::{Apply, Create, Keep, Plan, Situation, fork, plan};
pub(crate) use scope::{
    Attempt, Backend, BoxFuture, CookieChange, Origin, Over, Scope, State, Why,
};
pub(crate) use users::{Marked, stays_behind};
pub(crate) use value::{form, identifying};
pub(crate) use view::home;

//! Remote stores: an engine stores bytes under a guard, and this module makes a full store of it.
//! `docs/form.md` describes both sides.
//!
//! - [`contract`]: the contract of an engine
//! - [`failure`]: failures of calls, and whether they may have been done
//! - [`load`], [`apply`], [`create`], [`end`]: the operations of a store, each a loop of deciding
//!   by the rules and making one step
//! - [`guard`]: the guard in Rust, for engines with compare-and-swap only
//! - [`index`]: the sessions of principals, for the same engines
//! - [`transport`]: the protection of a connection
//!
//! The stores on SQL servers are not engines, but use some of these functions.

// Some of it is used by one engine only, and some by the SQL servers.
#![cfg_attr(
    not(all(feature = "redis", any(feature = "mysql", feature = "postgres"))),
    allow(dead_code, unused_imports)
)]

mod apply;
mod contract;
mod create;
mod end;
mod failure;
mod guard;
pub(super) mod index;
mod load;
mod pause;
mod transport;

pub(super) use self::apply::{apply, replacement};
pub(super) use self::contract::{
    Append, Bounds, End, Engine, Entombed, Inserted, Joins, Read, Replace, Step, Stepped,
};
pub(super) use self::create::{create, first, is_ours};
pub(super) use self::end::{delete, end_if};
pub(super) use self::failure::{Doubt, Failure};
pub(super) use self::guard::{Decision, decide, entomb, is_over};
pub(super) use self::load::{Found, judge, load, record_of, reload, settled};
pub(super) use self::pause::Pause;
pub(super) use self::transport::Tls;

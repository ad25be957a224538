//! Stores on the other side of a wire: an engine keeps bytes under a guard, and
//! what is here makes a whole store of it. `docs/form.md` describes both sides.
//!
//! - [`contract`]: what an engine does
//! - [`failure`]: a call without an answer, and whether it may have been done
//! - [`load`], [`apply`], [`create`], [`end`]: the operations of a store, each a loop
//!   of deciding by the rules and doing one step
//! - [`guard`]: the guard in Rust, for engines that have compare-and-swap only
//! - [`index`]: who has which sessions, for the same
//! - [`transport`]: what protects a connection
//!
//! The stores on SQL servers are no engines, and take single decisions from here.

// Some of it is for one engine only, and some for the SQL servers.
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

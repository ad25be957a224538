//! Decides what to store, without storing anything: a pure function of the request's state, the
//! policy and the time.
//!
//! - `situation`: the inputs of a plan, and its result
//! - `decide`: chooses the kind of plan
//! - `create`: plans a new record; `apply`: plans a patch for a stored one
//! - `parts`: shared by both
//! - `seal`: encrypts secret fields, last

mod apply;
mod create;
mod decide;
mod parts;
mod seal;
mod situation;
#[cfg(test)]
mod tests;

pub(crate) use self::create::fork;
pub(crate) use self::decide::plan;
pub(crate) use self::situation::{Apply, Create, Keep, Plan, Situation};

//! What to store, decided without storing anything: a pure function of the
//! request's state, the policy and the time.
//!
//! - `situation`: what a plan depends on, and what it comes to
//! - `decide`: which kind of plan it is
//! - `create`: a record that is not there yet; `apply`: a patch for one that is
//! - `parts`: what both have in common
//! - `seal`: secret fields, encrypted last

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

//! Where a visitor who is not signed in is sent, and the way back.
//!
//! - `location`: the login page, with the address that was asked for
//! - `navigation`: whether somebody would see it

mod location;
mod navigation;

pub use location::local_path;
pub(crate) use location::{Asked, location};

//! The redirect to the login page, and the way back.
//!
//! - `location`: the URL of the login page, with the requested address
//! - `navigation`: whether a request is a browser navigation

mod location;
mod navigation;

pub use location::local_path;
pub(crate) use location::{Asked, Why, location};

//! The session cookie: from request headers, and into response headers.

mod build;
mod parse;

pub(crate) use build::{apply_to, vary_on_cookie};
pub(crate) use parse::{Presented, presented, values};

//! The session cookie: from request headers, and into response headers.

mod build;
mod parse;
mod withheld;

pub(crate) use build::{apply_to, vary_on_cookie};
pub(crate) use parse::{Presented, presented, values};
pub(crate) use withheld::may_be_withheld;

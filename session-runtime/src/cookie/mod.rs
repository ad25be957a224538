//! The session cookie: read from request headers, written to response headers.

mod build;
mod parse;
mod plain_http;
mod withheld;

pub(crate) use build::{apply_to, forbid_caching, guard, keep_private, vary_on};
pub(crate) use parse::{Presented, presented, values};
pub(crate) use plain_http::is_over_plain_http;
pub(crate) use withheld::may_be_withheld;

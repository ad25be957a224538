//! What the tests share: a client with a cookie jar, a store that tells what
//! it was asked, and both stores under one clock.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

pub mod client;
pub mod spy;
pub mod stores;
pub mod traced;

pub use client::{Client, Reply};
pub use spy::{Call, Spy};

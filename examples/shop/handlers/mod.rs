//! The handlers. Every change is a POST that ends in a redirect, so that reloading
//! a page repeats nothing. The session's `notice` keeps its message for the next
//! page.

pub(crate) mod account;
pub(crate) mod assets;
pub(crate) mod cart;
pub(crate) mod checkout;
pub(crate) mod devices;
pub(crate) mod home;
pub(crate) mod locale;

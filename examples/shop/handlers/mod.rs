//! What the shop does. Every change is a POST that is answered with a redirect,
//! so that reloading a page repeats nothing; what is to be said about it waits
//! in the session's `notice` for the next page.

pub(crate) mod account;
pub(crate) mod assets;
pub(crate) mod cart;
pub(crate) mod checkout;
pub(crate) mod devices;
pub(crate) mod home;
pub(crate) mod locale;

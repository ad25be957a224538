//! A session store on top of any map that replaces a value only if nobody else did.
//!
//! Implement [`CompareAndSwap`] for the map, two methods, and [`CasStore`] does the rest.

// - `contract`: what that map has to do
// - `store`: the whole of `SessionStore` with it
// - `map`: reading and swapping until a deadline
// - `session`: the values of sessions, as an engine
// - `index`: the values of principals; `sign_in`: sign-ins and what they ask for
// - `principals`: listings and revocations; `walk`: scans, counts and sweeps

mod contract;
mod index;
mod map;
mod principals;
mod session;
mod sign_in;
mod store;
mod walk;

pub use contract::{CompareAndSwap, Keys, ListKeys, Put, Versioned};
pub use store::CasStore;

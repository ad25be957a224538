//! A session store on top of any map with compare-and-swap.
//!
//! Implement the two methods of [`CompareAndSwap`] and a clock for the map; [`CasStore`] does the
//! rest.

// - `contract`: the contract of the map
// - `store`: `SessionStore` on top of it
// - `map`: reads and swaps with a deadline
// - `session`: the values of sessions, as an engine
// - `index`: the values of principals; `sign_in`: sign-ins and their conditions
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

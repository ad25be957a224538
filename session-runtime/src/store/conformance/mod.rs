//! The conformance suite: every rule of the [`SessionStore`] contract as one function.
//!
//! A store runs all of them in its tests with one macro:
//!
//! ```
//! # use session_runtime::store::MemoryStore as MyStore;
//! session_runtime::store_conformance! { my_store, |clock| async move { MyStore::with_clock(clock) } }
//! # fn main() {}
//! ```
//!
//! This creates a module `my_store` with one `#[test]` per rule. The closure is called once per
//! rule and returns a **new, empty** store that reads the time from the given frozen
//! [`Clock`](crate::clock::Clock): the rules move that clock, so nothing sleeps. A store in a file
//! or on a server creates a fresh file, prefix or schema per call; if something must outlive the
//! store, such as a temporary directory, the closure returns both: `(store, directory)`. Attributes
//! in front of the name are added to every test:
//!
//! ```
//! # use session_runtime::store::MemoryStore as MyStore;
//! session_runtime::store_conformance! {
//!     #[ignore = "needs a server"]
//!     my_store, |clock| async move { MyStore::with_clock(clock) }
//! }
//! # fn main() {}
//! ```
//!
//! A rule that needs more than the store's [`capabilities`](super::SessionStore::capabilities) is
//! not checked: its test prints `not promised by this store` (`cargo test -- --show-output`) and
//! passes. [`not_promised`] lists those rules, so that a test can assert the list. The rules on
//! sizes need a store that states limits.
//!
//! Add `session-runtime` with the feature `conformance` to the dev-dependencies; nothing else is
//! needed.
//!
//!
//! [`SessionStore`]: super::SessionStore

mod additions;
mod belonging;
mod caps;
mod endings;
mod expiry;
mod fields;
mod fixture;
mod histories;
mod lifetimes;
mod limits;
mod listings;
mod model;
mod needs;
mod patches;
mod races;
mod reads;
mod records;
mod renewal;
mod repeats;
mod retirement;
mod revocation;
mod rotation;
mod rules;
mod running;
mod scans;
mod secrets;
mod steps;
mod sweeping;
mod tickets;
mod versions;
mod walk;

#[doc(hidden)]
pub use fixture::{Fixture, Opened};
pub use needs::not_promised;
#[doc(hidden)]
pub use running::{check, run};

crate::__store_rules! { [rules::publish] }

//! The conformance suite: every rule of the [`SessionStore`] contract as one
//! function.
//!
//! A store of your own runs all of them with one macro, in its tests:
//!
//! ```
//! # use session_runtime::store::MemoryStore as MyStore;
//! session_runtime::store_conformance! { my_store, |clock| async move { MyStore::with_clock(clock) } }
//! # fn main() {}
//! ```
//!
//! which makes a module `my_store` with one `#[test]` per rule. The closure is
//! called once per rule and returns a **new, empty** store that reads the time
//! from the frozen [`Clock`](crate::clock::Clock) it is given: the rules move
//! that clock, nothing here sleeps. A store that lives in a file or on a
//! server makes a fresh file, prefix or schema per call; where something must
//! outlive the store, such as a temporary directory, the closure returns both:
//! `(store, directory)`. Attributes in front of the name go to every test:
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
//! A rule that needs what the store does not promise, by its
//! [`capabilities`](super::SessionStore::capabilities), is not checked: its
//! test prints `not promised by this store` (`cargo test -- --show-output`) and
//! passes. [`not_promised`] lists those rules, to be asserted in a test. The
//! rules on sizes need a store that states limits.
//!
//! Add `session-runtime` with the feature `conformance` to the
//! dev-dependencies; nothing else is needed.
//!
//! # What is where
//!
//! `rules` lists every rule once; a rule that is not listed there is dead code
//! and does not compile under `-D warnings`. `fixture` and `running` are what
//! the rules work with, `model` is the sequential reference, the other files
//! hold the rules by theme.
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

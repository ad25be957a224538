//! Testing your application: handlers called as functions, visitors with their own cookies, a clock
//! that you move, stores that record their calls or fail on command, and a check that a path is
//! inside a layer.
//!
//! ```
//! use session_runtime::testing::TestSession;
//! use session_runtime::{Session, SessionSchema};
//!
//! #[derive(SessionSchema)]
//! struct Visitor {
//!     #[session(counter)]
//!     visits: u64,
//! }
//!
//! async fn home(mut session: Session<Visitor>) -> String {
//!     session.add_visits(1);
//!     format!("{} visits", session.visits())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let t = TestSession::<Visitor>::new();
//! home(t.session()).await;
//! assert_eq!(t.session().visits(), 1);
//! # }
//! ```
//!
//! | | |
//! |---|---|
//! | [`TestSession`] | one visitor: provides the arguments of handlers, and shows the outcome |
//! | [`frozen_clock`] | a clock that only moves on command |
//! | [`SpyStore`] | records the calls of a store, in order |
//! | [`FaultStore`] | a store that fails, hangs, loses answers or waits |
//! | [`assert_layered`] | checks that a path is inside a session layer |
//!
//! The functions of this module panic where a test should fail. Use them in tests only.

mod arguments;
mod fault;
mod gate;
mod layered;
mod looks;
mod operation;
mod session;
mod spy;
mod visit;
mod wait;

pub use fault::{Fault, FaultStore};
pub use gate::Gate;
pub use layered::{assert_layered, assert_request_layered};
pub use operation::Operation;
pub use session::TestSession;
pub use spy::{Call, SpyStore};

use crate::clock::{Clock, Timestamp};
pub use crate::lock::Locked;

/// Returns a clock that stands still on a day in May 2026 until it is advanced.
///
/// ```
/// use std::time::Duration;
/// use session_runtime::store::MemoryStore;
///
/// let clock = session_runtime::testing::frozen_clock();
/// let store = MemoryStore::with_clock(clock.clone());
/// clock.advance(Duration::from_secs(60)); // for the store and its layer too
/// ```
#[must_use]
pub fn frozen_clock() -> Clock {
    Clock::frozen(Timestamp::from_millis(1_780_000_000_000))
}

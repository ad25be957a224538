//! The index of a principal for engines that only support compare-and-swap: the principal's
//! sessions, and the protocol of sign-ins if index and session cannot change in one step. All of it
//! is pure; a driver reads and swaps the values.
//!
//! The *root* of a principal is one value. It lists every session that may be live: as entries of
//! its own if they are few and recent, and in *buckets* (separate values) beyond that. It is a
//! superset: an entry exists before its session does, and is dropped only when a look at the
//! session has found nothing of this principal.
//!
//! A sign-in has five steps. Each change of the root is one swap.
//!
//! 1. **Reserve**: add an entry that is *under way*. From then on every later sign-in counts it.
//!    Below its cap, nothing else has to be checked.
//! 2. **Look**, at the cap: look at the oldest sessions first, some hundred at a time, and drop
//!    those that have ended. [`Admission`] says when enough is known.
//! 3. **Write** the session.
//! 4. **Evict** the sessions that make room. Sign-ins under way lose their reservation first, so
//!    that they cannot be confirmed.
//! 5. **Confirm**: the entry becomes settled. A sign-in whose reservation was removed by a later
//!    sign-in or by a revocation ends its own session.
//!
//! A sign-in without conditions needs only the first and the third step. One that stops half-way
//! leaves an entry that is under way for [`RESERVATION`]; nothing is written under it in the second
//! half of that time.
//!
//! - [`entry`]: one session in the index
//! - [`root`]: the root and its changes
//! - [`admission`]: whether a cap allows another session, and which sessions have to end
//! - [`survey`]: which entries are looked at for that, and in which order
//! - [`text`]: root and buckets as bytes

mod admission;
mod entry;
mod root;
mod survey;
#[cfg(test)]
mod tests;
mod text;

use std::time::Duration;

use crate::record::COMMIT_LEEWAY;

pub(in crate::store) use self::admission::{Admission, STEP, Verdict};
pub(in crate::store) use self::entry::{Entry, Order, State};
pub(in crate::store) use self::root::{Bucket, Joining, Place, Root, Standing, note};
pub(in crate::store) use self::survey::{Next, Seen, Survey};
pub(in crate::store) use self::text::{InvalidIndex, read_bucket, write_bucket};

/// How long a sign-in may be under way.
pub(in crate::store) const RESERVATION: Duration = Duration::from_secs(30);
/// How much longer entries are kept than their sessions may live.
const MARGIN: Duration = COMMIT_LEEWAY.saturating_mul(2);

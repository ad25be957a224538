//! The index of a principal for engines that can only compare and swap: who has which
//! sessions, and how a sign-in goes about it when index and session cannot change in
//! one step. All of it pure: a driver reads and swaps the values.
//!
//! The *root* of a principal is one value. It names every session that may be live, in
//! entries of its own while they are few and recent, and in *buckets* (values apart)
//! beyond that. It is a superset: an entry is there before its session is, and is
//! dropped only when a look at the session found nothing of this principal.
//!
//! A sign-in goes in five steps. Each change of the root is one swap.
//!
//! 1. **Reserve**: an entry that is *under way*. From now on every later sign-in counts
//!    it. Below its cap, that is all there is to ask.
//! 2. **Look**, at the cap: the oldest sessions first, some hundred at a time. What has
//!    ended is dropped. [`Admission`] says when enough is known.
//! 3. **Write** the session.
//! 4. **Evict** the sessions that make room. Sign-ins under way lose their reservation
//!    first, so that they cannot be confirmed.
//! 5. **Confirm**: the entry counts as settled. Who finds its reservation taken away,
//!    by a later sign-in or by a revocation, ends its own session.
//!
//! A sign-in that asks for nothing needs the first and the third step only. What stops
//! half-way leaves an entry that is under way for [`RESERVATION`], and nothing is
//! written under it in the second half of that time.
//!
//! - [`entry`]: one session in the index
//! - [`root`]: the root and what becomes of it
//! - [`admission`]: whether a cap lets one more in, and who has to go
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
/// Entries are kept a little longer than their sessions may live.
const MARGIN: Duration = COMMIT_LEEWAY.saturating_mul(2);

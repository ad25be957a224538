//! The contract of an engine.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use super::{Doubt, Failure};
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::form::Form;
use crate::record::patch::{Denied, SignIn};
use crate::record::{Ended, MAX_LIFETIME, Principal, Record};
use crate::store::limits::Limits;
use crate::token::PatchId;

/// Stores the forms of sessions, and changes them under a guard.
///
/// Every call is retried until its deadline if that may help, and returns whether an earlier try
/// may have been done.
pub(in crate::store) trait Engine: Send + Sync + 'static {
    /// Whether it writes two values of one session in one atomic step. Only then is the base of a
    /// large form stored separately.
    fn keeps_apart(&self) -> bool;

    /// Whether it appends operations to the stored form. It must not if the client library may
    /// silently repeat a step, because the log of patches is short.
    ///
    /// # Default
    ///
    /// `true`.
    fn appends(&self) -> bool {
        true
    }

    /// Returns the engine's time: that of its last answer, plus the time since.
    fn now(&self) -> Timestamp;

    /// Returns the size limits of sessions.
    fn limits(&self) -> Limits;

    /// Reads a session, both values in one atomic step.
    fn read(
        &self,
        id: SessionId,
        deadline: Instant,
    ) -> impl Future<Output = Result<Read, Failure>> + Send;

    /// Changes a session in one atomic step, or returns why not.
    fn step(
        &self,
        id: SessionId,
        step: &Step<'_>,
        deadline: Instant,
    ) -> impl Future<Output = Result<Stepped, Failure>> + Send;

    /// Stores a new session if nothing is stored, or only what is over.
    fn insert(
        &self,
        id: SessionId,
        form: &Form,
        expires: Timestamp,
        joins: Option<&Joins<'_>>,
        deadline: Instant,
    ) -> impl Future<Output = Result<Inserted, Failure>> + Send;

    /// Turns a session into a tombstone in one atomic step, even if the server is full.
    fn entomb(
        &self,
        id: SessionId,
        end: &End<'_>,
        deadline: Instant,
    ) -> impl Future<Output = Result<Entombed, Failure>> + Send;

    /// Completes the step `patch`, whose answer was lost and which was found to be stored. If
    /// session and index are written separately, completes the rest of the sign-in, or returns that
    /// it is denied.
    ///
    /// # Default
    ///
    /// Nothing: one atomic step cannot be half done.
    fn finish(
        &self,
        id: SessionId,
        patch: PatchId,
        joins: &Joins<'_>,
        deadline: Instant,
    ) -> impl Future<Output = Result<Option<Denied>, Failure>> + Send {
        let _ = (id, patch, joins, deadline);
        std::future::ready(Ok(None))
    }
}

/// What is stored of a session.
#[derive(Clone, Debug, Default)]
pub(in crate::store) struct Read {
    /// Head, meta and what follows them; `None` if nothing is stored.
    pub(in crate::store) value: Option<Vec<u8>>,
    /// The separate base, if there is one.
    pub(in crate::store) base: Option<Vec<u8>>,
    /// The engine's time of the read.
    pub(in crate::store) now: Timestamp,
}

/// A step: the new form, the operations to append, or both as alternatives.
#[derive(Debug)]
pub(in crate::store) struct Step<'s> {
    /// The epoch under which the request was authorised.
    pub(in crate::store) epoch: u64,
    /// Whether it raises the epoch, as a change of privilege does.
    pub(in crate::store) renews: bool,
    /// The id of the patch; `None` for a touch or a confirmation.
    pub(in crate::store) patch: Option<PatchId>,
    /// The stamp of the schema versions that it was made for.
    pub(in crate::store) schemas: [u8; 5],
    /// How long after its expiry time the session still accepts the step.
    pub(in crate::store) leeway: Duration,
    pub(in crate::store) replace: Option<Replace<'s>>,
    pub(in crate::store) append: Option<Append<'s>>,
    /// How it changes the index of principals.
    pub(in crate::store) joins: Option<Joins<'s>>,
}

/// Replaces the form if it has not changed since it was read.
#[derive(Debug)]
pub(in crate::store) struct Replace<'s> {
    /// The head that was read: stamp, epoch, expiry time and patches in one comparison.
    pub(in crate::store) as_read: &'s [u8],
    pub(in crate::store) form: &'s Form,
}

/// Appends operations to the stored form, whatever it is.
#[derive(Debug)]
pub(in crate::store) struct Append<'s> {
    pub(in crate::store) operations: &'s [u8],
    /// Set if these operations are all that the new tail has to hold: they replace the tail if the
    /// fields are still [as they were read](crate::record::form::fields_as_read).
    pub(in crate::store) instead: Option<&'s [u8]>,
    pub(in crate::store) bounds: Bounds,
}

/// Up to which size operations are appended. At a bound, the form has to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Bounds {
    /// The largest size of the first value afterwards.
    pub(in crate::store) most: usize,
    /// The largest size of value and base afterwards, so that limits hold.
    pub(in crate::store) limit: usize,
}

impl Bounds {
    /// Returns the bounds of an engine with these `limits`.
    pub(in crate::store) const fn new(limits: Limits, keeps_apart: bool) -> Self {
        /// Above this, copying the first value costs more than occasionally writing a new base.
        const MOST: usize = 2_048;
        Self { most: if keeps_apart { MOST } else { usize::MAX }, limit: limits.record }
    }

    /// Whether a value may have this length, with a separate base of `base` bytes (0 if there is
    /// none).
    pub(in crate::store) const fn take(self, value: usize, base: usize) -> bool {
        value <= self.most && value + base <= self.limit
    }
}

/// The session belongs to a principal after the write.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Joins<'s> {
    pub(in crate::store) principal: &'s Principal,
    /// The conditions on the principal's other sessions.
    pub(in crate::store) sign_in: SignIn,
    /// Whether the session is new to the principal, or the sign-in has conditions. If not, the
    /// index only has to keep it for longer.
    pub(in crate::store) is_sign_in: bool,
    /// How long the index keeps the session.
    pub(in crate::store) bound: Timestamp,
    /// When the session was last authenticated, and when it was created: the oldest sessions make
    /// room.
    pub(in crate::store) order: (Option<Timestamp>, Timestamp),
}

impl<'s> Joins<'s> {
    /// Creates it for `record` as it is after the write. `is_new` is whether it did not belong to
    /// `principal` before.
    pub(super) fn of(
        record: &Record,
        principal: &'s Principal,
        sign_in: SignIn,
        is_new: bool,
    ) -> Self {
        /// How long an index keeps a session without an absolute timeout.
        const BOUND: Duration = MAX_LIFETIME.saturating_mul(2);
        let meta = &record.meta;
        let bound = meta.absolute.unwrap_or_else(|| meta.last_seen.after(BOUND));
        let is_sign_in = is_new || !sign_in.is_unconditional();
        let order = (meta.authenticated, meta.created);
        Self { principal, sign_in, is_sign_in, bound, order }
    }
}

/// The result of a step.
#[derive(Debug)]
pub(in crate::store) enum Stepped {
    /// The form had not changed and was replaced. The sign-in evicted these sessions.
    Replaced(Vec<SessionId>),
    /// The operations were appended, or have replaced the tail.
    Appended { rev: u64 },
    /// Neither. The form as stored in the same atomic step, and whether an earlier try of the same
    /// step may have been done.
    Refused(Read, Doubt),
    /// The sign-in is not allowed.
    Denied(Denied),
}

/// The result of storing a new session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) enum Inserted {
    /// The session is stored. The sign-in evicted these sessions.
    Stored(Vec<SessionId>),
    /// Something is stored under the id; whether an earlier try may have stored it.
    Exists(Doubt),
    Denied(Denied),
}

/// The end of a session.
#[derive(Debug)]
pub(in crate::store) struct End<'e> {
    pub(in crate::store) ended: Ended,
    /// The id of this end, by which a retry recognises it.
    pub(in crate::store) id: PatchId,
    /// Ends the session only if its head is still this one.
    pub(in crate::store) as_read: Option<&'e [u8]>,
}

/// The result of ending a session.
#[derive(Debug)]
pub(in crate::store) enum Entombed {
    /// It has ended, by this try or an earlier one of the same end.
    Ended { was_live: bool },
    /// Nothing was stored, or only a tombstone.
    Absent,
    /// The head has changed.
    Refused(Read),
}

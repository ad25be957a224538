//! What an engine does.

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

/// Keeps the forms of sessions, and changes them under a guard.
///
/// Every call is tried again until its deadline where that may help, and says whether
/// an earlier try may have been done.
pub(in crate::store) trait Engine: Send + Sync + 'static {
    /// Whether it writes two values of one session in one atomic step: only then a
    /// large form has its base apart.
    fn keeps_apart(&self) -> bool;

    /// Whether it appends operations to the form that is stored. It must not where the
    /// client library may repeat a step without telling, because the log of patches is
    /// short.
    ///
    /// # Default
    ///
    /// It does.
    fn appends(&self) -> bool {
        true
    }

    /// The engine's time: that of its last answer, and how long ago that was.
    fn now(&self) -> Timestamp;

    /// How large sessions may become.
    fn limits(&self) -> Limits;

    /// Reads a session, both values in one atomic step.
    fn read(
        &self,
        id: SessionId,
        deadline: Instant,
    ) -> impl Future<Output = Result<Read, Failure>> + Send;

    /// Changes a session, or says why not, in one atomic step.
    fn step(
        &self,
        id: SessionId,
        step: &Step<'_>,
        deadline: Instant,
    ) -> impl Future<Output = Result<Stepped, Failure>> + Send;

    /// Stores a new session where nothing is, or only what is over.
    fn insert(
        &self,
        id: SessionId,
        form: &Form,
        expires: Timestamp,
        joins: Option<&Joins<'_>>,
        deadline: Instant,
    ) -> impl Future<Output = Result<Inserted, Failure>> + Send;

    /// Makes a tombstone of a session, in one atomic step: also on a full server.
    fn entomb(
        &self,
        id: SessionId,
        end: &End<'_>,
        deadline: Instant,
    ) -> impl Future<Output = Result<Entombed, Failure>> + Send;

    /// The step `patch`, whose answer was lost, is asked for again and found to be
    /// stored. Where session and index are written one after the other, what may be
    /// missing of the sign-in is done now, or it turns out to be denied.
    ///
    /// # Default
    ///
    /// Nothing: one atomic step leaves nothing half-way.
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
    /// Head, meta and what follows them; `None`: nothing is stored.
    pub(in crate::store) value: Option<Vec<u8>>,
    /// The base that is kept apart, if there is one.
    pub(in crate::store) base: Option<Vec<u8>>,
    /// The engine's time of the read.
    pub(in crate::store) now: Timestamp,
}

/// The either-or step: the new form, the operations to append, or both.
#[derive(Debug)]
pub(in crate::store) struct Step<'s> {
    /// The authority.
    pub(in crate::store) epoch: u64,
    /// Whether it raises the epoch: privilege changes hands.
    pub(in crate::store) renews: bool,
    /// The patch that this is; none for a touch or a confirmation.
    pub(in crate::store) patch: Option<PatchId>,
    /// The versions of the schemas that it was made for.
    pub(in crate::store) schemas: [u8; 5],
    /// How long after its expiry the session still takes the step.
    pub(in crate::store) leeway: Duration,
    pub(in crate::store) replace: Option<Replace<'s>>,
    pub(in crate::store) append: Option<Append<'s>>,
    /// What it does to the index of principals.
    pub(in crate::store) joins: Option<Joins<'s>>,
}

/// The form is replaced where it is still the one that was read.
#[derive(Debug)]
pub(in crate::store) struct Replace<'s> {
    /// The head that was read: stamp, epoch, expiry and patches in one comparison.
    pub(in crate::store) as_read: &'s [u8],
    pub(in crate::store) form: &'s Form,
}

/// The operations are appended to whatever form is there.
#[derive(Debug)]
pub(in crate::store) struct Append<'s> {
    pub(in crate::store) operations: &'s [u8],
    /// Where the operations are all that the tail has to hold then: while the fields are
    /// [as they were read](crate::record::form::fields_as_read), they take its place.
    pub(in crate::store) instead: Option<&'s [u8]>,
    pub(in crate::store) bounds: Bounds,
}

/// How far operations are appended. At a bound the form has to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Bounds {
    /// The most bytes that the first value may have then.
    pub(in crate::store) most: usize,
    /// The most bytes that value and base may have then, so that limits hold.
    pub(in crate::store) limit: usize,
}

impl Bounds {
    /// Those of an engine with these `limits`.
    pub(in crate::store) const fn new(limits: Limits, keeps_apart: bool) -> Self {
        /// Beyond this a first value is more to copy than a new base is now and then.
        const MOST: usize = 2_048;
        Self { most: if keeps_apart { MOST } else { usize::MAX }, limit: limits.record }
    }

    /// Whether a value may have become so long, with a base apart or without (0).
    pub(in crate::store) const fn take(self, value: usize, base: usize) -> bool {
        value <= self.most && value + base <= self.limit
    }
}

/// The session belongs to a principal after the write.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Joins<'s> {
    pub(in crate::store) principal: &'s Principal,
    /// What must hold of their other sessions.
    pub(in crate::store) sign_in: SignIn,
    /// Whether it was not theirs before, or the sign-in has conditions: if not, the
    /// index is only to know it for longer.
    pub(in crate::store) is_sign_in: bool,
    /// How long the index knows the session.
    pub(in crate::store) bound: Timestamp,
    /// When the user of this session proved who they are, and when it was created:
    /// the oldest sessions make room.
    pub(in crate::store) order: (Option<Timestamp>, Timestamp),
}

impl<'s> Joins<'s> {
    /// `record`, as it is after the write, belongs to `principal`; `is_new`: and did not
    /// before.
    pub(super) fn of(
        record: &Record,
        principal: &'s Principal,
        sign_in: SignIn,
        is_new: bool,
    ) -> Self {
        /// How long an index knows a session without an absolute timeout.
        const BOUND: Duration = MAX_LIFETIME.saturating_mul(2);
        let meta = &record.meta;
        let bound = meta.absolute.unwrap_or_else(|| meta.last_seen.after(BOUND));
        let is_sign_in = is_new || !sign_in.is_unconditional();
        let order = (meta.authenticated, meta.created);
        Self { principal, sign_in, is_sign_in, bound, order }
    }
}

/// What became of a step.
#[derive(Debug)]
pub(in crate::store) enum Stepped {
    /// The form was as it was read, and is replaced. The sign-in evicted these.
    Replaced(Vec<SessionId>),
    /// The operations are appended, or have taken the place of the tail.
    Appended { rev: u64 },
    /// Neither. The form as it stood in the same atomic step; with it, whether an
    /// earlier try of the same step may have been done.
    Refused(Read, Doubt),
    /// The sign-in is not allowed.
    Denied(Denied),
}

/// What became of a new session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) enum Inserted {
    /// With it, the sessions that the sign-in evicted.
    Stored(Vec<SessionId>),
    /// Something is there. With it, whether an earlier try may have put it there.
    Exists(Doubt),
    Denied(Denied),
}

/// A session is to end.
#[derive(Debug)]
pub(in crate::store) struct End<'e> {
    pub(in crate::store) ended: Ended,
    /// The name of this end, by which a repetition finds it.
    pub(in crate::store) id: PatchId,
    /// Only if the head is still this one.
    pub(in crate::store) as_read: Option<&'e [u8]>,
}

/// What became of an end.
#[derive(Debug)]
pub(in crate::store) enum Entombed {
    /// It has ended, here or by an earlier try of the same end.
    Ended { was_live: bool },
    /// Nothing was there, or only a tombstone.
    Absent,
    /// The head is another one by now.
    Refused(Read),
}

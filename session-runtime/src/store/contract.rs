//! The contract between the session layer and a store, for authors of wrappers.
//!
//! An application needs none of this, nor does a new store: implement
//! [`CompareAndSwap`](super::cas::CompareAndSwap) or
//! [`WholeRecordStore`](super::whole::WholeRecordStore), and the crate keeps the contract. What
//! remains is a store *around* another one, which counts, delays, routes or denies calls: implement
//! the operations it changes, and forward the others with [`forward_store!`](crate::forward_store).
//!
//! The types here show what such a wrapper reads. The other parts of a record and of a patch are
//! internal and may change in any release.

use std::sync::Arc;

use super::error::{StoreError, StoreErrorKind};
use super::limits::Limits;
use crate::id::SessionId;
#[doc(inline)]
pub use crate::record::patch::{
    Applied, Conflict, Denied, Expect, FieldBytes, FieldOp, Gone, Op, Outcome, Patch, Refused,
    SignIn,
};
#[doc(inline)]
pub use crate::record::{EndReason, Ended, Fields, Meta, Principal, Record, Touch, Visit};
#[doc(inline)]
pub use crate::token::SecretHash;

/// A position in a walk over sessions: an opaque text that only its store understands. It stays
/// valid when the program restarts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cursor(Box<str>);

impl Cursor {
    /// Creates the cursor with this text.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// Returns its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the cursor of the page that begins after `id`, for a store that walks by id.
    pub(crate) fn after(id: SessionId) -> Self {
        Self(id.to_string().into())
    }

    /// Parses [`Cursor::after`].
    pub(crate) fn id(&self) -> Result<SessionId, StoreError> {
        let foreign = |_| StoreError::because(StoreErrorKind::Config, "a cursor of another store");
        self.0.parse().map_err(foreign)
    }
}

/// A page of sessions.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Live sessions.
    pub records: Vec<Arc<Record>>,
    /// Where the next page begins; `None` after the last page.
    pub next: Option<Cursor>,
}

/// What a store supports beyond keeping records.
///
/// A schema or a setting that needs an unsupported capability is refused with a
/// [`SetupError`](crate::SetupError) that names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// A patch is one atomic step, even if several processes share the data. Needed by `counter`,
    /// `merge`, `compare`, `write_once` and `nonce` fields, and by transactions.
    pub atomic_patches: bool,
    /// The sessions of a principal can be listed, revoked and capped. If `false`, those calls, and
    /// a sign-in with conditions, fail with [`StoreErrorKind::Unsupported`].
    pub principal_index: bool,
    /// A destroyed session stays destroyed: no copy held by a client revives it.
    pub revocation: bool,
    /// All live sessions can be listed and counted. If `false`,
    /// [`SessionStore::scan`](super::SessionStore::scan) and
    /// [`SessionStore::count`](super::SessionStore::count) fail with
    /// [`StoreErrorKind::Unsupported`].
    pub scan: bool,
    /// The largest size of a field and of a record, if the store limits them.
    pub limits: Option<Limits>,
}

impl Capabilities {
    /// The whole contract, without limits.
    pub const FULL: Self = Self {
        atomic_patches: true,
        principal_index: true,
        revocation: true,
        scan: true,
        limits: None,
    };

    /// Returns these capabilities with `limits`.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }
}

/// The result of a load.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// The live record that the secret belongs to.
    Found(Arc<Record>),
    /// A recent copy of the record, from a [cache](super::CachedStore): only for a visit with
    /// [`stale_ok`](Visit::stale_ok).
    Cached(Arc<Record>),
    /// No session: the id is unknown, the session expired long ago, or the secret is wrong.
    Absent,
    /// The session has expired by this reason, not more than a minute ago.
    Expired(EndReason),
    /// The session was destroyed, or the secret replaced, within the last minute. Tells by whom,
    /// and whether this request was already on its way, so that its response must not undo the
    /// change.
    Ended(Ended),
    /// The secret was replaced by a renewal by age, and its grace period is over: it may be stolen.
    /// It opens nothing; the caller decides what happens to the session.
    Replayed(Replayed),
}

/// The session whose former secret was presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The signed-in principal.
    pub principal: Option<Principal>,
    /// Whether the session is authenticated.
    pub authenticated: bool,
}

impl Replayed {
    /// Returns what a store reveals about the session with this data.
    #[must_use]
    #[doc(hidden)]
    pub fn of(meta: &Meta) -> Self {
        let principal = meta.principal.clone();
        let authenticated = principal.is_some() || meta.authenticated.is_some();
        Self { principal, authenticated }
    }
}

/// The result of storing a new record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// The record is stored. Under a cap that evicts the oldest sessions, some sessions of its
    /// principal ended to make room; unless an answer is lost, each is named by the answer to
    /// exactly one sign-in. The new session may be among them if newer ones were created at the
    /// same time.
    Created {
        /// The sessions that ended to make room.
        evicted: Vec<SessionId>,
    },
    /// A record with this id exists, live or not. Nothing was written.
    Exists,
    /// The sign-in is not allowed. Nothing was written.
    Denied(Denied),
    /// A field or the record is larger than the store's limit. Nothing was
    /// written.
    Refused(Refused),
}

impl Created {
    /// Stored, without evictions.
    pub const ALONE: Self = Self::Created { evicted: Vec::new() };

    /// Whether the record is stored.
    #[must_use]
    pub const fn is_created(&self) -> bool {
        matches!(self, Self::Created { .. })
    }
}

/// Which sessions of a principal to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoke {
    /// This session, if it belongs to the principal.
    One(SessionId),
    /// All sessions except this one.
    Others(SessionId),
    /// All sessions.
    All,
}

impl Revoke {
    /// Whether `id` is to be ended.
    #[must_use]
    #[doc(hidden)]
    pub fn ends(self, id: SessionId) -> bool {
        match self {
            Self::One(one) => one == id,
            Self::Others(kept) => kept != id,
            Self::All => true,
        }
    }
}

/// The result of one step of a revocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Revoked {
    /// How many live sessions it ended.
    pub ended: u64,
    /// Where the next step continues; `None` when the revocation is complete.
    pub next: Option<Cursor>,
}

impl Revoked {
    /// A complete revocation that ended this many sessions.
    #[must_use]
    pub const fn done(ended: u64) -> Self {
        Self { ended, next: None }
    }

    /// Sets where the next step continues.
    #[must_use]
    pub fn and_then(self, next: Option<Cursor>) -> Self {
        Self { next, ..self }
    }
}

/// The result of a sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// How many records were removed.
    pub removed: usize,
    /// Whether more records may already be due.
    pub more: bool,
}

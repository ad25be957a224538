//! The contract between the session layer and a store, for authors of wrappers.
//!
//! An application needs none of this. Nor does a new store: implement
//! [`CompareAndSwap`](super::cas::CompareAndSwap) or
//! [`WholeRecordStore`](super::whole::WholeRecordStore), and the crate keeps the contract.
//! What is left is a store *around* another one, which counts, delays, routes or denies
//! calls: implement the operations that it is about, and pass on the others with
//! [`forward_store!`](crate::forward_store).
//!
//! The types here show what such a wrapper reads. The rest of a record and of a patch is
//! the crate's own business and may change in any release.

use std::sync::Arc;

use super::error::{StoreError, StoreErrorKind};
use super::limits::Limits;
use crate::id::SessionId;
#[doc(inline)]
pub use crate::record::patch::{
    Applied, Conflict, Denied, Expect, FieldOp, Gone, Op, Outcome, Patch, Refused, SignIn,
};
#[doc(inline)]
pub use crate::record::{Ended, EndedBy, Fields, Meta, Principal, Record, Touch, Visit};
#[doc(inline)]
pub use crate::token::SecretHash;

/// A position in a walk over sessions: text whose meaning only its store knows. It stays
/// valid when the program restarts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cursor(Box<str>);

impl Cursor {
    /// The cursor with this text.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The session after which a page begins, for a store that walks by id.
    pub(crate) fn after(id: SessionId) -> Self {
        Self(id.to_string().into())
    }

    /// Reads [`Cursor::after`] back.
    pub(crate) fn id(&self) -> Result<SessionId, StoreError> {
        let foreign = |_| StoreError::because(StoreErrorKind::Config, "a cursor of another store");
        self.0.parse().map_err(foreign)
    }
}

/// Some of the sessions of a store.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Live sessions.
    pub records: Vec<Arc<Record>>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<Cursor>,
}

/// What a store promises beyond keeping records.
///
/// A schema or a setting that needs what is `false` here is refused with a
/// [`SetupError`](crate::SetupError) that names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// A patch is one atomic step against every process that shares the data.
    /// Needed by `counter`, `merge`, `compare`, `write_once` and `nonce`
    /// fields, and by transactions.
    pub atomic_patches: bool,
    /// The sessions of a principal can be listed, revoked and capped. Where not, those
    /// calls, and a sign-in with conditions, are
    /// [`StoreErrorKind::Unsupported`].
    pub principal_index: bool,
    /// What was destroyed is gone: no copy in a client's hands revives it.
    pub revocation: bool,
    /// All live sessions can be walked over and counted. Where not,
    /// [`SessionStore::scan`](super::SessionStore::scan) and
    /// [`SessionStore::count`](super::SessionStore::count) are
    /// [`StoreErrorKind::Unsupported`].
    pub scan: bool,
    /// How large fields and records may become, if the store limits that.
    pub limits: Option<Limits>,
}

impl Capabilities {
    /// The whole contract, and no limits.
    pub const FULL: Self = Self {
        atomic_patches: true,
        principal_index: true,
        revocation: true,
        scan: true,
        limits: None,
    };

    /// The same with these limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }
}

/// What a load found.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// The live record that the secret belongs to.
    Found(Arc<Record>),
    /// The record as it was lately, by a [cache](super::CachedStore): only to a
    /// visit with [`stale_ok`](Visit::stale_ok).
    Cached(Arc<Record>),
    /// Nothing: unknown, expired, or the wrong secret.
    Absent,
    /// A record destroyed, or a secret replaced, within the last minute: by whom, and
    /// whether this request was on its way then, so that its answer must not undo it.
    Ended(Ended),
    /// The secret that a renewal by age replaced, after its grace: it may be
    /// stolen. It opens nothing; the caller decides what becomes of the session.
    Replayed(Replayed),
}

/// Whose session it is whose former secret was presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Who is signed in.
    pub principal: Option<Principal>,
    /// Whether somebody has proved who they are.
    pub authenticated: bool,
}

impl Replayed {
    /// What a store tells of the session with this data.
    #[must_use]
    #[doc(hidden)]
    pub fn of(meta: &Meta) -> Self {
        let principal = meta.principal.clone();
        let authenticated = principal.is_some() || meta.authenticated.is_some();
        Self { principal, authenticated }
    }
}

/// What became of a new record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// It is stored. Under a cap that evicts the oldest, sessions of its principal ended
    /// to make room: each is named by the answer to one sign-in, if that answer is not
    /// lost. The new one may be among them, where newer ones came at the same time.
    Created {
        /// Those sessions.
        evicted: Vec<SessionId>,
    },
    /// A record of this id exists, live or not. Nothing was written.
    Exists,
    /// The sign-in is not allowed. Nothing was written.
    Denied(Denied),
    /// A field or the record is larger than the store's limit. Nothing was
    /// written.
    Refused(Refused),
}

impl Created {
    /// Stored, and nobody was evicted.
    pub const ALONE: Self = Self::Created { evicted: Vec::new() };

    /// Whether the record is stored.
    #[must_use]
    pub const fn is_created(&self) -> bool {
        matches!(self, Self::Created { .. })
    }
}

/// Which sessions of a principal end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoke {
    /// This one, if it is theirs.
    One(SessionId),
    /// All but this one.
    Others(SessionId),
    /// Every one.
    All,
}

impl Revoke {
    /// Whether it ends `id`.
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

/// What one step of a revocation did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Revoked {
    /// How many live sessions it ended.
    pub ended: u64,
    /// Where it goes on; `None` when it is done.
    pub next: Option<Cursor>,
}

impl Revoked {
    /// So many sessions ended, and nothing is left to do.
    #[must_use]
    pub const fn done(ended: u64) -> Self {
        Self { ended, next: None }
    }

    /// The same, to be continued at `next`.
    #[must_use]
    pub fn and_then(self, next: Option<Cursor>) -> Self {
        Self { next, ..self }
    }
}

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// How many records were removed.
    pub removed: usize,
    /// More may be due right now.
    pub more: bool,
}

//! The contract that every store keeps.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::error::{StoreError, StoreErrorKind};
use super::limits::Limits;
use crate::clock::Clock;
use crate::id::SessionId;
use crate::metrics::CacheStats;
use crate::patch::{Denied, Outcome, Patch, Refused, SignIn};
pub use crate::record::{Ended, EndedBy, Touch, Visit};
use crate::record::{Meta, Principal, Record};
use crate::token::SecretHash;

/// Where sessions live.
///
/// # Contract
///
/// Each rule is a function of the conformance suite (`store::conformance`, feature `conformance`).
///
/// 1. **Nothing is upserted.** [`create`](Self::create) never overwrites, and
///    [`apply`](Self::apply) never creates.
/// 2. **A load authenticates.** [`Meta::judge`] is the rule, by the store's own
///    clock and the stored timestamps: the current secret of a record that has not
///    expired opens it; so does its pending next one, which is
///    [confirmed](crate::record::Meta::confirm) before the load answers; so does,
///    within the grace of a renewal by age, the one before. Nothing of any other
///    record leaves the store.
/// 3. **Recently ended sessions are remembered.** For [`TOMBSTONE`] after a record
///    was destroyed, or a secret replaced by a patch with `renew`, a load with that
///    record's id and that secret answers [`Lookup::Ended`], with who ended it and
///    when. [`Tombstone::judge`](crate::record::Tombstone::judge) is the rule.
/// 4. **A patch is one atomic step**, in the order: repeated patch id? →
///    present, not expired for longer than [`COMMIT_LEEWAY`], same epoch →
///    expectations → every operation checked → sizes → conditions of the
///    sign-in → fields → meta → expiry.
///    Whatever is refused leaves no trace. [`Record::apply`] is the rule. An
///    addition is refused by what its writer has read: if another request turned the
///    field into something other than an integer in between, a store may leave the
///    addition out.
/// 5. **A patch touches only what it names.** Fields that it does not name
///    keep their bytes, exactly as they were written.
/// 6. **An acknowledged patch is stored** as durably as the store promises.
///    What cannot be known is [`Outcome::Uncertain`], never a guess.
/// 7. **Destroy wins.** [`delete`](Self::delete) needs no epoch; afterwards no
///    load, reload, patch or listing finds the record.
/// 8. **The principal index is a superset** of the live sessions at all times,
///    and a listing shows only live sessions of exactly that principal.
/// 9. **A sweep removes only what is expired** by more than [`COMMIT_LEEWAY`]
///    at the moment of removal, and never more than `limit` records a step.
/// 10. **An expired record counts as absent** everywhere, swept or not.
/// 11. **A cap is exact.** [`SignIn`] is checked against the live sessions of
///     the principal, this one left out, in the same atomic step as the write:
///     of any number of concurrent sign-ins none comes to be one too many. Where a
///     principal has hundreds more than a cap that was turned on since, sign-ins may
///     end them in steps.
/// 12. **Revoking all is remembered** for [`TICKET_LIFETIME`], whether or not
///     the principal had sessions: a sign-in with `not_revoked_since` at or
///     before it is [`Denied::Revoked`].
/// 13. **Limits are exact.** What would be larger than the
///     [`limits`](Capabilities::limits) that a store states is refused, in the
///     same atomic step as the write. [`Limits`] has the checks.
/// 14. **A walk is complete.** What is live from the first page of a
///     [`scan`](Self::scan), a [`list`](Self::list) or a [`revoke`](Self::revoke) to
///     its last is on one of them, whatever else comes and goes; nothing is that
///     has ended when its page is read.
/// 15. **Nothing that a load wrote is undone.** No patch, and no rewriting of a
///     store's own, brings back a secret that was confirmed or replaced since it
///     was read, or an earlier time of the last activity.
///
/// What a store cannot promise it says in its
/// [`capabilities`](Self::capabilities).
///
/// Methods return a [`StoreFuture`]: `StoreFuture::new(async move { … })`, or
/// [`StoreFuture::ready`] for a store that never waits.
///
/// [`TOMBSTONE`]: crate::record::TOMBSTONE
/// [`COMMIT_LEEWAY`]: crate::record::COMMIT_LEEWAY
/// [`TICKET_LIFETIME`]: crate::record::TICKET_LIFETIME
/// [`Meta::judge`]: crate::record::Meta::judge
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a session store",
    label = "this is no store",
    note = "a store is made first: `MemoryStore::new()`, or from a URL with `AnyStore::connect(\"redis://…\").await?`",
    note = "a store of your own implements `session_runtime::store::SessionStore`"
)]
pub trait SessionStore: Send + Sync + 'static {
    /// The clock that decides expiry. The layer asks it too.
    fn clock(&self) -> &Clock;

    /// What this store promises. A schema or a setting that needs more is
    /// refused when the layer is built.
    ///
    /// # Default
    ///
    /// [`Capabilities::FULL`]: the whole contract.
    fn capabilities(&self) -> Capabilities {
        Capabilities::FULL
    }

    /// Authenticates `id` with the hashes of its secret: one per realm that the
    /// caller accepts.
    ///
    /// When the record's [`touch_is_due`](crate::record::Meta::touch_is_due)
    /// and the visit counts, `last_seen` is set to now, and the record is returned
    /// with the new value. It changes no revision.
    ///
    /// # Errors
    ///
    /// If the store cannot answer. A failed load is never "absent".
    fn load<'a>(
        &'a self,
        id: SessionId,
        secrets: &'a [SecretHash],
        visit: Visit,
    ) -> StoreFuture<'a, Result<Lookup, StoreError>>;

    /// Reads `id` again for a request that was authenticated under `epoch`.
    ///
    /// # Errors
    ///
    /// If the store cannot answer.
    fn reload(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> StoreFuture<'_, Result<Option<Arc<Record>>, StoreError>>;

    /// Stores a new record, and indexes its principal, if `sign_in` allows it.
    ///
    /// # Errors
    ///
    /// If the store cannot answer or is full.
    fn create(
        &self,
        record: Arc<Record>,
        sign_in: SignIn,
    ) -> StoreFuture<'_, Result<Created, StoreError>>;

    /// Applies a patch for a request that was authenticated under `epoch`.
    ///
    /// `read` is the record as the caller read it from this store, unchanged, if it
    /// did: a store may save a round trip by it. It goes by its
    /// [`note`](Record::note), which a record that was made or changed since does not
    /// have, and by nothing else that it cannot compare with what is stored.
    ///
    /// # Errors
    ///
    /// If nothing was written and the store cannot answer. When it may have
    /// been written, the answer is [`Outcome::Uncertain`].
    fn apply<'a>(
        &'a self,
        id: SessionId,
        epoch: u64,
        patch: &'a Patch,
        read: Option<&'a Arc<Record>>,
    ) -> StoreFuture<'a, Result<Outcome, StoreError>>;

    /// Destroys a record, and says whether it was there and live.
    ///
    /// # Errors
    ///
    /// If the store cannot answer.
    fn delete(&self, id: SessionId, by: EndedBy) -> StoreFuture<'_, Result<bool, StoreError>>;

    /// The next page of the live sessions of `principal`, in no particular order:
    /// about `limit` of them, from the beginning without a cursor. As the pages of
    /// a [`scan`](Self::scan).
    ///
    /// # Errors
    ///
    /// If the store cannot answer, or the cursor is not one of its own
    /// ([`StoreErrorKind::Config`](super::StoreErrorKind::Config)).
    fn list<'a>(
        &'a self,
        principal: &'a Principal,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>>;

    /// Destroys sessions of `principal` from elsewhere, and says how many live ones.
    /// A session that belongs to another principal is left alone, whatever its id.
    ///
    /// One call does a bounded part of it, a thousand sessions at most; the caller goes on with
    /// [`Revoked::next`] until there is none. [`Revoke::All`] is remembered by the
    /// first call, the one without a cursor, before anything ends.
    ///
    /// # Errors
    ///
    /// If the store cannot answer, or the cursor is not one of its own
    /// ([`StoreErrorKind::Config`](super::StoreErrorKind::Config)).
    fn revoke<'a>(
        &'a self,
        principal: &'a Principal,
        which: Revoke,
        from: Option<&'a Cursor>,
    ) -> StoreFuture<'a, Result<Revoked, StoreError>>;

    /// The number of live sessions. May walk over all of them.
    ///
    /// # Errors
    ///
    /// If the store cannot answer.
    fn count(&self) -> StoreFuture<'_, Result<u64, StoreError>>;

    /// Removes at most `limit` records (and tombstones) that are due. Stores
    /// run this by themselves; it is here for tests and for other schedulers.
    ///
    /// # Errors
    ///
    /// If the store cannot answer.
    fn sweep(&self, limit: usize) -> StoreFuture<'_, Result<Swept, StoreError>>;

    /// The next page of a walk over all live sessions, in no particular order:
    /// about `limit` of them, from the beginning without a cursor. A page may
    /// be empty and not be the last. A session may be on several pages.
    ///
    /// For reports, and for copying sessions elsewhere; no request waits for it.
    ///
    /// # Default
    ///
    /// [`StoreErrorKind::Unsupported`](super::StoreErrorKind::Unsupported): for
    /// a store whose [`Capabilities::scan`] is `false`.
    ///
    /// # Errors
    ///
    /// If the store cannot answer, or the cursor is not one of its own
    /// ([`StoreErrorKind::Config`](super::StoreErrorKind::Config)).
    fn scan<'a>(
        &'a self,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        let _ = (from, limit);
        StoreFuture::ready(Err(StoreError::new(StoreErrorKind::Unsupported)))
    }

    /// How the memory in front of it has been doing, for the
    /// [metrics](crate::Metrics::cache).
    ///
    /// # Default
    ///
    /// `None`: there is none.
    fn cache(&self) -> Option<CacheStats> {
        None
    }
}

/// Where a walk over all sessions stands: text of the store's own, which may be
/// kept and used again after a restart of this program.
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
/// typed error that names it: [`StoreCannot`](crate::config::StoreCannot) or a
/// [`ConfigError`](crate::config::ConfigError).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// A patch is one atomic step against every process that shares the data.
    /// Needed by `counter`, `merge`, `compare`, `write_once` and `nonce`
    /// fields, and by transactions.
    pub atomic_patches: bool,
    /// The sessions of a principal can be listed, revoked and capped. Where not, those
    /// calls, and a sign-in with conditions, are
    /// [`StoreErrorKind::Unsupported`](super::StoreErrorKind::Unsupported).
    pub principal_index: bool,
    /// What was destroyed is gone: no copy in a client's hands revives it.
    pub revocation: bool,
    /// All live sessions can be walked over and counted. Where not,
    /// [`SessionStore::scan`] and [`SessionStore::count`] are
    /// [`StoreErrorKind::Unsupported`](super::StoreErrorKind::Unsupported).
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

/// The answer of a store: ready at once, or a boxed future.
///
/// A store that never waits allocates nothing for its answers.
#[must_use = "futures do nothing unless polled"]
pub struct StoreFuture<'a, T>(State<'a, T>);

enum State<'a, T> {
    Ready(Option<T>),
    Waiting(Pin<Box<dyn Future<Output = T> + Send + 'a>>),
}

impl<'a, T> StoreFuture<'a, T> {
    /// The answer of `future`.
    pub fn new(future: impl Future<Output = T> + Send + 'a) -> Self {
        Self(State::Waiting(Box::pin(future)))
    }

    /// An answer that is there already.
    pub const fn ready(answer: T) -> Self {
        Self(State::Ready(Some(answer)))
    }

    /// The answer if it is there already, or the future to wait for.
    pub(crate) fn take_ready(self) -> Result<T, Self> {
        match self.0 {
            State::Ready(Some(answer)) => Ok(answer),
            state => Err(Self(state)),
        }
    }
}

impl<T> std::fmt::Debug for StoreFuture<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            State::Ready(_) => "StoreFuture(ready)",
            State::Waiting(_) => "StoreFuture(waiting)",
        })
    }
}

impl<T: Unpin> Future for StoreFuture<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match &mut self.0 {
            // Polled again after its answer: that is never ready, as with `std::future::Ready` it is a bug.
            State::Ready(answer) => answer.take().map_or(Poll::Pending, Poll::Ready),
            State::Waiting(future) => future.as_mut().poll(context),
        }
    }
}

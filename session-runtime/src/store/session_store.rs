//! The trait that every store implements, and what its methods return.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::contract::{
    Capabilities, Created, Cursor, EndReason, Lookup, Outcome, Page, Patch, Principal, Record,
    Revoke, Revoked, SecretHash, SignIn, Swept, Visit,
};
use super::error::{StoreError, StoreErrorKind};
use super::watchers::Watchers;
use crate::clock::Clock;
use crate::id::SessionId;
use crate::metrics::CacheStats;

/// A place where sessions are stored.
///
/// # Contract
///
/// Each rule is checked by functions of the conformance suite (`store::conformance`, feature
/// `conformance`).
///
/// 1. **Nothing is upserted.** [`create`](Self::create) never overwrites, and
///    [`apply`](Self::apply) never creates.
/// 2. **A load authenticates.** By the store's own clock and the stored timestamps, a record that
///    has not expired is opened by its current secret; by a pending next secret, which becomes the
///    current one before the load answers; and, within the grace period of a renewal by age, by the
///    previous secret. The store reveals nothing of any other record.
/// 3. **Recently ended sessions are remembered.** For [`TOMBSTONE`] after a record was destroyed,
///    or a secret replaced by a change of privilege, a load with that record's id and that secret
///    answers [`Lookup::Ended`], with why the session ended and when.
/// 4. **A patch is one atomic step**, checked in this order: repeated patch id → present, not
///    expired for longer than [`COMMIT_LEEWAY`], same epoch → expectations → every operation →
///    sizes → conditions of the sign-in. Then it is applied: fields, meta, expiry. A refused patch
///    leaves no trace. Whether an addition is refused depends on what its writer has read: if
///    another request has since turned the field into something other than an integer, a store may
///    leave the addition out.
/// 5. **A patch touches only what it names.** Fields that it does not name keep their bytes,
///    exactly as they were written.
/// 6. **An acknowledged patch is stored** as durably as the store promises. If the result is
///    unknown, the answer is [`Outcome::Uncertain`], never a guess.
/// 7. **Destroy wins.** [`delete`](Self::delete) needs no epoch; afterwards no load, reload, patch
///    or listing finds the record.
/// 8. **The principal index is a superset** of the live sessions at all times, and a listing shows
///    only live sessions of exactly that principal.
/// 9. **A sweep removes only what expired** more than [`COMMIT_LEEWAY`] before the moment of
///    removal, and at most `limit` records a step.
/// 10. **An expired record counts as absent** everywhere, swept or not. For [`COMMIT_LEEWAY`], a
///     load with its secret answers [`Lookup::Expired`], with the limit that it reached first.
/// 11. **A cap is exact.** [`SignIn`] is checked against the other live sessions of the principal
///     in the same atomic step as the write: concurrent sign-ins never exceed the cap. If a cap is
///     introduced while a principal has hundreds of sessions too many, sign-ins may end the surplus
///     in steps.
/// 12. **Revoking all sessions is remembered** for [`TICKET_LIFETIME`], whether or not the
///     principal had sessions: a sign-in whose `not_revoked_since` is at or before the revocation
///     is [`Denied::Revoked`](super::contract::Denied::Revoked).
/// 13. **Limits are exact.** A write that exceeds the [`limits`](Capabilities::limits) that a store
///     states is refused in the same atomic step.
/// 14. **A walk is complete.** A session that is live from the first page of a
///     [`scan`](Self::scan), a [`list`](Self::list) or a [`revoke`](Self::revoke) to its last is on
///     one of the pages, whatever other sessions come and go; a session that has ended when its
///     page is read is not.
/// 15. **Nothing that a load wrote is undone.** No patch, and no rewriting by the store itself,
///     brings back a secret that was confirmed or replaced since it was read, or an earlier time of
///     the last activity.
///
/// A store that cannot keep all of this declares that in its [`capabilities`](Self::capabilities).
///
/// Methods return a [`StoreFuture`]: `StoreFuture::new(async move { … })`, or
/// [`StoreFuture::ready`] from a store that never waits.
///
/// [`TOMBSTONE`]: crate::record::TOMBSTONE
/// [`COMMIT_LEEWAY`]: crate::record::COMMIT_LEEWAY
/// [`TICKET_LIFETIME`]: crate::record::TICKET_LIFETIME
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a session store",
    label = "not a session store",
    note = "a store is made first: `MemoryStore::new()`, or from a URL with `AnyStore::connect(\"redis://…\").await?`",
    note = "your own store implements `session_runtime::store::cas::CompareAndSwap`, and `CasStore` makes a session store of it"
)]
pub trait SessionStore: Send + Sync + 'static {
    /// Returns the clock that decides expiry. The layer uses it too.
    fn clock(&self) -> &Clock;

    /// Returns what this store supports. A schema or a setting that needs more is refused when the
    /// layer is built.
    ///
    /// # Default
    ///
    /// [`Capabilities::FULL`]: the whole contract.
    fn capabilities(&self) -> Capabilities {
        Capabilities::FULL
    }

    /// Loads and authenticates `id` with the hashes of its secret: one per realm that the caller
    /// accepts.
    ///
    /// If the visit counts as activity, and a tenth of the idle timeout has passed since the last
    /// recorded activity (an hour if there is no idle timeout), `last_seen` is set to now, and the
    /// record is returned with the new value. The revision does not change.
    ///
    /// # Errors
    ///
    /// If the store cannot answer. A failed load is never reported as "absent".
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
    /// `read` is the record as the caller read it from this store, unchanged, if it has read it: it
    /// may save the store a round trip.
    ///
    /// # Errors
    ///
    /// If nothing was written and the store cannot answer. If the patch may have been written, the
    /// answer is [`Outcome::Uncertain`].
    fn apply<'a>(
        &'a self,
        id: SessionId,
        epoch: u64,
        patch: &'a Patch,
        read: Option<&'a Arc<Record>>,
    ) -> StoreFuture<'a, Result<Outcome, StoreError>>;

    /// Destroys a record, and notes the reason; returns whether it existed and was live.
    ///
    /// # Errors
    ///
    /// If the store cannot answer.
    fn delete(
        &self,
        id: SessionId,
        because: EndReason,
    ) -> StoreFuture<'_, Result<bool, StoreError>>;

    /// Returns the next page of the live sessions of `principal`, in no particular order: about
    /// `limit` of them, from the beginning if `from` is `None`. A page may be empty without being
    /// the last, as with [`scan`](Self::scan).
    ///
    /// # Errors
    ///
    /// If the store cannot answer, or the cursor belongs to another store
    /// ([`StoreErrorKind::Config`]).
    fn list<'a>(
        &'a self,
        principal: &'a Principal,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>>;

    /// Destroys sessions of `principal`, and notes the reason; returns how many of them were live. A
    /// session that belongs to another principal is left alone, whatever its id.
    ///
    /// One call ends a bounded number of sessions, at most a thousand; the caller continues with
    /// [`Revoked::next`] until it is `None`. The first call, the one without a cursor, records
    /// [`Revoke::All`] before any session ends.
    ///
    /// # Errors
    ///
    /// If the store cannot answer, or the cursor belongs to another store
    /// ([`StoreErrorKind::Config`]).
    fn revoke<'a>(
        &'a self,
        principal: &'a Principal,
        which: Revoke,
        because: EndReason,
        from: Option<&'a Cursor>,
    ) -> StoreFuture<'a, Result<Revoked, StoreError>>;

    /// Returns the number of live sessions. May read all of them.
    ///
    /// # Errors
    ///
    /// If the store cannot answer.
    fn count(&self) -> StoreFuture<'_, Result<u64, StoreError>>;

    /// Removes at most `limit` records (and tombstones) that are due. Stores do this by themselves;
    /// call it from tests, or from your own scheduler.
    ///
    /// # Errors
    ///
    /// If the store cannot answer.
    fn sweep(&self, limit: usize) -> StoreFuture<'_, Result<Swept, StoreError>>;

    /// Returns the next page of all live sessions, in no particular order: about `limit` of them,
    /// from the beginning if `from` is `None`. A page may be empty without being the last, and a
    /// session may be on several pages.
    ///
    /// For reports, and for copying sessions elsewhere; no request waits for it.
    ///
    /// # Default
    ///
    /// An error of kind [`StoreErrorKind::Unsupported`], for a store whose [`Capabilities::scan`]
    /// is `false`.
    ///
    /// # Errors
    ///
    /// If the store cannot answer, or the cursor belongs to another store
    /// ([`StoreErrorKind::Config`]).
    fn scan<'a>(
        &'a self,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        let _ = (from, limit);
        StoreFuture::ready(Err(StoreError::new(StoreErrorKind::Unsupported)))
    }

    /// Returns the statistics of a cache in front of the store, for the
    /// [metrics](crate::Metrics::cache).
    ///
    /// # Default
    ///
    /// `None`: there is no cache.
    fn cache(&self) -> Option<CacheStats> {
        None
    }

    /// Returns where the layers on this store register the sockets and streams that wait for the end
    /// or a change of their sessions ([`Handle::ended`](crate::Handle::ended)).
    ///
    /// A store that learns of changes by other processes keeps a [`Watchers`], returns clones of it,
    /// and calls [`Watchers::changed`] for each session that has changed. It need not learn of all of
    /// them: every waiting task also looks at the layer's
    /// [`watch_interval`](crate::SessionLayer::watch_interval).
    ///
    /// # Default
    ///
    /// New ones for each layer: what this layer does itself wakes them.
    fn watchers(&self) -> Watchers {
        Watchers::default()
    }
}

/// The answer of a store: either ready, or a boxed future.
///
/// A store that never waits allocates nothing for its answers.
#[must_use = "futures do nothing unless polled"]
pub struct StoreFuture<'a, T>(State<'a, T>);

enum State<'a, T> {
    Ready(Option<T>),
    Waiting(Pin<Box<dyn Future<Output = T> + Send + 'a>>),
}

impl<'a, T> StoreFuture<'a, T> {
    /// Wraps a future.
    pub fn new(future: impl Future<Output = T> + Send + 'a) -> Self {
        Self(State::Waiting(Box::pin(future)))
    }

    /// Wraps an answer that is already known.
    pub const fn ready(answer: T) -> Self {
        Self(State::Ready(Some(answer)))
    }

    /// Returns the answer if it is ready, or else the future to await.
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
            // Never ready when polled again after completion, which is a bug as with
            // `std::future::Ready`.
            State::Ready(answer) => answer.take().map_or(Poll::Pending, Poll::Ready),
            State::Waiting(future) => future.as_mut().poll(context),
        }
    }
}

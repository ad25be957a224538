//! The store itself.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::contract::{CompareAndSwap, Keys, ListKeys};
use super::sign_in::LONGEST;
use crate::clock::{Clock, deadline_after};
use crate::id::SessionId;
use crate::record::patch::{Outcome, Patch, SignIn};
use crate::record::{Principal, Record};
use crate::store::contract::{
    Capabilities, Created, Cursor, EndReason, Lookup, Page, Revoke, Revoked, Swept, Visit,
};
use crate::store::engine::{self, Doubt};
use crate::store::error::StoreError;
use crate::store::limits::Limits;
use crate::store::{SessionStore, StoreFuture};
use crate::token::SecretHash;

/// A session store on top of a [`CompareAndSwap`] map: the whole contract, for any number of
/// processes that share the map.
///
/// A session is one value. A load is one read, plus a read and a swap if it has to write the last
/// activity; a change is a read and a swap. A sign-in also changes the value of its principal: a
/// read and a swap before the write, and again after it if it has conditions (a cap, or that
/// nothing was revoked since it began).
///
/// # Listing keys
///
/// Sessions can be scanned, counted and swept only if the map can list its keys: see
/// [`CasStore::listing`]. Otherwise [`Capabilities::scan`] is `false`, and the map has to remove
/// what is no longer needed.
///
/// Clones share the map.
pub struct CasStore<M> {
    pub(super) map: Arc<M>,
    pub(super) limits: Limits,
    deadline: Duration,
    pub(super) list: Option<List<M>>,
    pub(super) sweeping: Arc<Mutex<Option<Cursor>>>,
}

/// [`ListKeys::keys`] of the map.
pub(super) type List<M> =
    for<'a> fn(&'a M, Option<&'a Cursor>, usize) -> StoreFuture<'a, Result<Keys, StoreError>>;

impl<M: CompareAndSwap> CasStore<M> {
    /// Creates a store over a map that removes by itself what is no longer needed.
    pub fn new(map: M) -> Self {
        Self {
            map: Arc::new(map),
            limits: Limits::default(),
            deadline: Duration::from_secs(2),
            list: None,
            sweeping: Arc::default(),
        }
    }

    /// Creates a store over a map that can list its keys. If the map does not remove what is no
    /// longer needed by itself, call [`sweep`](SessionStore::sweep) regularly, in one of the
    /// processes:
    ///
    /// ```
    /// # use session_runtime::store::{SessionStore, cas::{CasStore, ListKeys}};
    /// # fn started<M: ListKeys>(store: CasStore<M>) {
    /// tokio::spawn(async move {
    ///     loop {
    ///         tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    ///         while store.sweep(500).await.is_ok_and(|swept| swept.more) {}
    ///     }
    /// });
    /// # }
    /// ```
    pub fn listing(map: M) -> Self
    where
        M: ListKeys,
    {
        let list: List<M> = |map, from, limit| StoreFuture::new(map.keys(from, limit));
        Self { list: Some(list), ..Self::new(map) }
    }

    /// Sets the largest size of a field and of a record. A write through this store that would
    /// exceed it is refused, and nothing is stored. Another process may have other limits for the
    /// same data.
    ///
    /// # Default
    ///
    /// 256 KiB a field, 1 MiB a record ([`Limits::default`]).
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how long a call may take, including retries. More than 10 seconds means 10 seconds.
    ///
    /// # Default
    ///
    /// 2 seconds.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline.min(LONGEST);
        self
    }

    /// Returns the map.
    #[must_use]
    pub fn map(&self) -> &M {
        &self.map
    }

    pub(super) fn until(&self) -> Instant {
        deadline_after(self.deadline)
    }
}

impl<M: CompareAndSwap> SessionStore for CasStore<M> {
    fn clock(&self) -> &Clock {
        self.map.clock()
    }

    fn capabilities(&self) -> Capabilities {
        let full = Capabilities { scan: self.list.is_some(), ..Capabilities::FULL };
        full.with_limits(self.limits)
    }

    fn load<'a>(
        &'a self,
        id: SessionId,
        secrets: &'a [SecretHash],
        visit: Visit,
    ) -> StoreFuture<'a, Result<Lookup, StoreError>> {
        StoreFuture::new(
            async move { Ok(engine::load(self, id, secrets, visit, self.until()).await?) },
        )
    }

    fn reload(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> StoreFuture<'_, Result<Option<Arc<Record>>, StoreError>> {
        StoreFuture::new(async move { Ok(engine::reload(self, id, epoch, self.until()).await?) })
    }

    fn create(
        &self,
        record: Arc<Record>,
        sign_in: SignIn,
    ) -> StoreFuture<'_, Result<Created, StoreError>> {
        StoreFuture::new(
            async move { Ok(engine::create(self, &record, sign_in, self.until()).await?) },
        )
    }

    fn apply<'a>(
        &'a self,
        id: SessionId,
        epoch: u64,
        patch: &'a Patch,
        read: Option<&'a Arc<Record>>,
    ) -> StoreFuture<'a, Result<Outcome, StoreError>> {
        StoreFuture::new(async move {
            match engine::apply(self, id, epoch, patch, read, self.until()).await {
                Err(failure) if failure.doubt == Doubt::MaybeDone => {
                    tracing::warn!(session = %id, %failure, "a patch may or may not be stored");
                    Ok(Outcome::Uncertain)
                }
                answer => Ok(answer?),
            }
        })
    }

    fn delete(
        &self,
        id: SessionId,
        because: EndReason,
    ) -> StoreFuture<'_, Result<bool, StoreError>> {
        StoreFuture::new(async move { Ok(engine::delete(self, id, because, self.until()).await?) })
    }

    fn list<'a>(
        &'a self,
        principal: &'a Principal,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        StoreFuture::new(self.page(principal, from, limit))
    }

    fn revoke<'a>(
        &'a self,
        principal: &'a Principal,
        which: Revoke,
        because: EndReason,
        from: Option<&'a Cursor>,
    ) -> StoreFuture<'a, Result<Revoked, StoreError>> {
        StoreFuture::new(self.end_some(principal, which, because, from))
    }

    fn count(&self) -> StoreFuture<'_, Result<u64, StoreError>> {
        StoreFuture::new(self.count_live())
    }

    fn sweep(&self, limit: usize) -> StoreFuture<'_, Result<Swept, StoreError>> {
        StoreFuture::new(self.sweep_some(limit))
    }

    fn scan<'a>(
        &'a self,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        StoreFuture::new(self.scan_some(from, limit))
    }
}

impl<M> Clone for CasStore<M> {
    fn clone(&self) -> Self {
        let Self { map, limits, deadline, list, sweeping } = self;
        let (map, sweeping) = (Arc::clone(map), Arc::clone(sweeping));
        Self { map, limits: *limits, deadline: *deadline, list: *list, sweeping }
    }
}

impl<M> fmt::Debug for CasStore<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CasStore")
            .field("limits", &self.limits)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

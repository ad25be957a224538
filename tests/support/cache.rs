//! Stores around a cache: one that asks it as loosely as anybody may, and one
//! below it whose feed of changes is in the hands of the test.

use std::sync::{Arc, Mutex};

use session_runtime::SessionId;
use session_runtime::clock::Clock;
use session_runtime::patch::{Outcome, Patch, SignIn};
use session_runtime::record::{Principal, Record};
use session_runtime::store::{
    Capabilities, ChangeFeed, ChangeSink, Created, Cursor, Lookup, Page, Revoke, SessionStore,
    StoreError, StoreFuture, Swept, Visit,
};
use session_runtime::token::SecretHash;

/// Every load may be answered by what was true lately, and the answer does not
/// say whether it was.
#[derive(Clone, Debug)]
pub struct Lately<S>(pub S);

#[deny(clippy::missing_trait_methods)]
impl<S: SessionStore> SessionStore for Lately<S> {
    fn clock(&self) -> &Clock {
        self.0.clock()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn load<'a>(
        &'a self,
        id: SessionId,
        secret: &'a SecretHash,
        visit: Visit,
    ) -> StoreFuture<'a, Result<Lookup, StoreError>> {
        let asked = self.0.load(id, secret, Visit { stale_ok: true, ..visit });
        StoreFuture::new(async move {
            Ok(match asked.await? {
                Lookup::Cached(record) => Lookup::Found(record),
                answer => answer,
            })
        })
    }

    fn reload(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> StoreFuture<'_, Result<Option<Arc<Record>>, StoreError>> {
        self.0.reload(id, epoch)
    }

    fn create(
        &self,
        record: Record,
        sign_in: SignIn,
    ) -> StoreFuture<'_, Result<Created, StoreError>> {
        self.0.create(record, sign_in)
    }

    fn apply<'a>(
        &'a self,
        id: SessionId,
        epoch: u64,
        patch: &'a Patch,
    ) -> StoreFuture<'a, Result<Outcome, StoreError>> {
        self.0.apply(id, epoch, patch)
    }

    fn delete(&self, id: SessionId) -> StoreFuture<'_, Result<bool, StoreError>> {
        self.0.delete(id)
    }

    fn list<'a>(
        &'a self,
        principal: &'a Principal,
    ) -> StoreFuture<'a, Result<Vec<Arc<Record>>, StoreError>> {
        self.0.list(principal)
    }

    fn revoke<'a>(
        &'a self,
        principal: &'a Principal,
        which: Revoke,
    ) -> StoreFuture<'a, Result<u64, StoreError>> {
        self.0.revoke(principal, which)
    }

    fn count(&self) -> StoreFuture<'_, Result<u64, StoreError>> {
        self.0.count()
    }

    fn sweep(&self, limit: usize) -> StoreFuture<'_, Result<Swept, StoreError>> {
        self.0.sweep(limit)
    }

    fn scan<'a>(
        &'a self,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        self.0.scan(from, limit)
    }
}

/// A store whose feed says what [`sink`](Self::sink) is told. Clones share it.
#[derive(Clone, Debug)]
pub struct Fed<S>(pub S, Arc<Mutex<Option<ChangeSink>>>);

impl<S> Fed<S> {
    pub fn new(store: S) -> Self {
        Self(store, Arc::default())
    }

    /// What the cache above listens to.
    pub fn sink(&self) -> ChangeSink {
        self.1.lock().unwrap().clone().expect("the first load follows the feed")
    }
}

impl<S: SessionStore> ChangeFeed for Fed<S> {
    fn follow(&self, sink: ChangeSink) -> StoreFuture<'static, ()> {
        *self.1.lock().unwrap() = Some(sink);
        StoreFuture::new(std::future::pending())
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: SessionStore> SessionStore for Fed<S> {
    fn clock(&self) -> &Clock {
        self.0.clock()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn load<'a>(
        &'a self,
        id: SessionId,
        secret: &'a SecretHash,
        visit: Visit,
    ) -> StoreFuture<'a, Result<Lookup, StoreError>> {
        self.0.load(id, secret, visit)
    }

    fn reload(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> StoreFuture<'_, Result<Option<Arc<Record>>, StoreError>> {
        self.0.reload(id, epoch)
    }

    fn create(
        &self,
        record: Record,
        sign_in: SignIn,
    ) -> StoreFuture<'_, Result<Created, StoreError>> {
        self.0.create(record, sign_in)
    }

    fn apply<'a>(
        &'a self,
        id: SessionId,
        epoch: u64,
        patch: &'a Patch,
    ) -> StoreFuture<'a, Result<Outcome, StoreError>> {
        self.0.apply(id, epoch, patch)
    }

    fn delete(&self, id: SessionId) -> StoreFuture<'_, Result<bool, StoreError>> {
        self.0.delete(id)
    }

    fn list<'a>(
        &'a self,
        principal: &'a Principal,
    ) -> StoreFuture<'a, Result<Vec<Arc<Record>>, StoreError>> {
        self.0.list(principal)
    }

    fn revoke<'a>(
        &'a self,
        principal: &'a Principal,
        which: Revoke,
    ) -> StoreFuture<'a, Result<u64, StoreError>> {
        self.0.revoke(principal, which)
    }

    fn count(&self) -> StoreFuture<'_, Result<u64, StoreError>> {
        self.0.count()
    }

    fn sweep(&self, limit: usize) -> StoreFuture<'_, Result<Swept, StoreError>> {
        self.0.sweep(limit)
    }

    fn scan<'a>(
        &'a self,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        self.0.scan(from, limit)
    }
}

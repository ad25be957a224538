//! A store that tells what it was asked, and fails when it is told to.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use session_runtime::__private::patch::{Outcome, Patch, SignIn};
use session_runtime::__private::record::{Principal, Record};
use session_runtime::__private::token::SecretHash;
use session_runtime::SessionId;
use session_runtime::clock::Clock;
use session_runtime::store::{
    MemoryStore, SessionStore, StoreError, StoreErrorKind, StoreFuture,
    contract::{
        Capabilities, Created, Cursor, EndReason, Lookup, Page, Revoke, Revoked, Swept, Visit,
    },
};

#[derive(Clone, Debug)]
pub enum Call {
    Load(SessionId),
    Reload(SessionId),
    Create(Arc<Record>),
    Apply(SessionId, Box<Patch>),
    Delete(SessionId),
    Other,
}

#[derive(Clone)]
pub struct Spy {
    inner: Arc<dyn SessionStore>,
    calls: Arc<Mutex<Vec<Call>>>,
    down: Arc<AtomicBool>,
    hanging: Arc<AtomicBool>,
}

impl Spy {
    pub fn new() -> Self {
        Self::on(MemoryStore::new())
    }

    pub fn on(store: impl SessionStore) -> Self {
        Self {
            inner: Arc::new(store),
            calls: Arc::default(),
            down: Arc::default(),
            hanging: Arc::default(),
        }
    }

    /// The calls since the last time.
    pub fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    /// From now on every call fails, or none.
    pub fn down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// From now on every call never answers, or none.
    pub fn hang(&self, hanging: bool) {
        self.hanging.store(hanging, Ordering::SeqCst);
    }

    fn ask<'a, T: Send + Unpin + 'a>(
        &'a self,
        call: Call,
        answer: impl FnOnce() -> StoreFuture<'a, Result<T, StoreError>>,
    ) -> StoreFuture<'a, Result<T, StoreError>> {
        self.calls.lock().unwrap().push(call);
        if self.down.load(Ordering::SeqCst) {
            return StoreFuture::ready(Err(StoreError::new(StoreErrorKind::Unavailable)));
        }
        if self.hanging.load(Ordering::SeqCst) {
            return StoreFuture::new(std::future::pending());
        }
        answer()
    }
}

impl Default for Spy {
    fn default() -> Self {
        Self::new()
    }
}

#[deny(clippy::missing_trait_methods)]
impl SessionStore for Spy {
    fn clock(&self) -> &Clock {
        self.inner.clock()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    session_runtime::forward_store! { this => this.inner; cache watchers }

    fn load<'a>(
        &'a self,
        id: SessionId,
        secrets: &'a [SecretHash],
        visit: Visit,
    ) -> StoreFuture<'a, Result<Lookup, StoreError>> {
        self.ask(Call::Load(id), || self.inner.load(id, secrets, visit))
    }

    fn reload(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> StoreFuture<'_, Result<Option<Arc<Record>>, StoreError>> {
        self.ask(Call::Reload(id), || self.inner.reload(id, epoch))
    }

    fn create(
        &self,
        record: Arc<Record>,
        sign_in: SignIn,
    ) -> StoreFuture<'_, Result<Created, StoreError>> {
        self.ask(Call::Create(Arc::clone(&record)), || self.inner.create(record, sign_in))
    }

    fn apply<'a>(
        &'a self,
        id: SessionId,
        epoch: u64,
        patch: &'a Patch,
        read: Option<&'a Arc<Record>>,
    ) -> StoreFuture<'a, Result<Outcome, StoreError>> {
        self.ask(Call::Apply(id, Box::new(patch.clone())), || {
            self.inner.apply(id, epoch, patch, read)
        })
    }

    fn delete(
        &self,
        id: SessionId,
        because: EndReason,
    ) -> StoreFuture<'_, Result<bool, StoreError>> {
        self.ask(Call::Delete(id), || self.inner.delete(id, because))
    }

    fn list<'a>(
        &'a self,
        principal: &'a Principal,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        self.ask(Call::Other, || self.inner.list(principal, from, limit))
    }

    fn revoke<'a>(
        &'a self,
        principal: &'a Principal,
        which: Revoke,
        because: EndReason,
        from: Option<&'a Cursor>,
    ) -> StoreFuture<'a, Result<Revoked, StoreError>> {
        self.ask(Call::Other, || self.inner.revoke(principal, which, because, from))
    }

    fn count(&self) -> StoreFuture<'_, Result<u64, StoreError>> {
        self.ask(Call::Other, || self.inner.count())
    }

    fn sweep(&self, limit: usize) -> StoreFuture<'_, Result<Swept, StoreError>> {
        self.ask(Call::Other, || self.inner.sweep(limit))
    }

    fn scan<'a>(
        &'a self,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        self.ask(Call::Other, || self.inner.scan(from, limit))
    }
}

//! A store that records its calls.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Operation, frozen_clock};
use crate::clock::Clock;
use crate::id::SessionId;
use crate::record::patch::{Outcome, Patch, SignIn};
use crate::record::{Principal, Record};
use crate::store::{
    Capabilities, Created, Cursor, EndReason, Lookup, MemoryStore, Page, Revoke, Revoked,
    SessionStore, StoreError, StoreFuture, Swept, Visit,
};
use crate::token::SecretHash;

/// A call of a store, without secrets.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Call {
    /// The session of a request was loaded.
    Load {
        /// Which session.
        id: SessionId,
        /// Whether and how the visit was recorded.
        visit: Visit,
    },
    /// The session of a request was read again.
    Reload {
        /// Which session.
        id: SessionId,
        /// The epoch that the request was authenticated under.
        epoch: u64,
    },
    /// A new session was to be stored.
    Create {
        /// The session.
        record: Arc<Record>,
        /// The conditions of its sign-in.
        sign_in: SignIn,
    },
    /// Changes were to be stored.
    Apply {
        /// Which session.
        id: SessionId,
        /// The epoch that the request was authenticated under.
        epoch: u64,
        /// The changes.
        patch: Box<Patch>,
    },
    /// A session was to be destroyed.
    Delete {
        /// Which session.
        id: SessionId,
        /// Who ended it.
        because: EndReason,
    },
    /// The sessions of a principal were listed.
    List {
        /// Whose sessions.
        principal: Principal,
    },
    /// Sessions of a principal were to be ended.
    Revoke {
        /// Whose sessions.
        principal: Principal,
        /// Which of them.
        which: Revoke,
    },
    /// The sessions were counted.
    Count,
    /// Expired sessions were to be removed.
    Sweep {
        /// The maximum number.
        limit: usize,
    },
    /// All sessions are walked over.
    Scan {
        /// The approximate page size.
        limit: usize,
    },
}

impl Call {
    /// Returns the operation called.
    #[must_use]
    pub const fn operation(&self) -> Operation {
        match self {
            Self::Load { .. } => Operation::Load,
            Self::Reload { .. } => Operation::Reload,
            Self::Create { .. } => Operation::Create,
            Self::Apply { .. } => Operation::Apply,
            Self::Delete { .. } => Operation::Delete,
            Self::List { .. } => Operation::List,
            Self::Revoke { .. } => Operation::Revoke,
            Self::Count => Operation::Count,
            Self::Sweep { .. } => Operation::Sweep,
            Self::Scan { .. } => Operation::Scan,
        }
    }
}

/// A store that records every call and forwards it. Clones share the record.
///
/// Requests that the [`TestSession`](super::TestSession) has not committed yet are not recorded, so
/// call [`last_commit`](super::TestSession::last_commit) before looking.
///
/// ```
/// use session_runtime::testing::{Call, Operation, SpyStore, TestSession};
/// # #[derive(session_runtime::SessionSchema)]
/// # struct Visitor { locale: String, cart: Vec<String> }
///
/// let spy = SpyStore::default();
/// let t = TestSession::<Visitor>::with_store(spy.clone()).with(|s| s.set_locale("de"));
/// spy.take_calls();
///
/// t.session().cart_mut().push("pen".to_owned());
/// t.last_commit().unwrap();
/// let [Call::Load { .. }, Call::Apply { patch, .. }] = &spy.calls()[..] else { panic!() };
/// assert_eq!(patch.ops.len(), 1, "only what changed is written");
/// ```
#[derive(Clone, Debug)]
pub struct SpyStore<S = MemoryStore> {
    inner: Arc<S>,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl<S: SessionStore> SpyStore<S> {
    /// Records the calls of `store`.
    #[must_use]
    pub fn new(store: S) -> Self {
        Self { inner: Arc::new(store), calls: Arc::default() }
    }

    /// Returns every call since the last [`take_calls`](Self::take_calls), in order.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.notes().clone()
    }

    /// Like [`calls`](Self::calls), and clears the record.
    #[allow(clippy::must_use_candidate)] // also called to forget
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut *self.notes())
    }

    /// Returns the operations of [`calls`](Self::calls), to compare with a list.
    #[must_use]
    pub fn operations(&self) -> Vec<Operation> {
        self.notes().iter().map(Call::operation).collect()
    }

    /// Returns the store inside.
    #[must_use]
    pub fn inner(&self) -> &S {
        &self.inner
    }

    fn notes(&self) -> MutexGuard<'_, Vec<Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, call: Call) -> &S {
        self.notes().push(call);
        &self.inner
    }
}

impl Default for SpyStore {
    /// Wraps an empty [`MemoryStore`] on a [`frozen_clock`].
    fn default() -> Self {
        Self::new(MemoryStore::with_clock(frozen_clock()))
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: SessionStore> SessionStore for SpyStore<S> {
    fn clock(&self) -> &Clock {
        self.inner.clock()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    crate::forward_store! { this => this.inner; cache watchers }

    fn load<'a>(
        &'a self,
        id: SessionId,
        secrets: &'a [SecretHash],
        visit: Visit,
    ) -> StoreFuture<'a, Result<Lookup, StoreError>> {
        self.note(Call::Load { id, visit }).load(id, secrets, visit)
    }

    fn reload(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> StoreFuture<'_, Result<Option<Arc<Record>>, StoreError>> {
        self.note(Call::Reload { id, epoch }).reload(id, epoch)
    }

    fn create(
        &self,
        record: Arc<Record>,
        sign_in: SignIn,
    ) -> StoreFuture<'_, Result<Created, StoreError>> {
        let call = Call::Create { record: Arc::clone(&record), sign_in };
        self.note(call).create(record, sign_in)
    }

    fn apply<'a>(
        &'a self,
        id: SessionId,
        epoch: u64,
        patch: &'a Patch,
        read: Option<&'a Arc<Record>>,
    ) -> StoreFuture<'a, Result<Outcome, StoreError>> {
        let call = Call::Apply { id, epoch, patch: Box::new(patch.clone()) };
        self.note(call).apply(id, epoch, patch, read)
    }

    fn delete(
        &self,
        id: SessionId,
        because: EndReason,
    ) -> StoreFuture<'_, Result<bool, StoreError>> {
        self.note(Call::Delete { id, because }).delete(id, because)
    }

    fn list<'a>(
        &'a self,
        principal: &'a Principal,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        self.note(Call::List { principal: principal.clone() }).list(principal, from, limit)
    }

    fn revoke<'a>(
        &'a self,
        principal: &'a Principal,
        which: Revoke,
        because: EndReason,
        from: Option<&'a Cursor>,
    ) -> StoreFuture<'a, Result<Revoked, StoreError>> {
        self.note(Call::Revoke { principal: principal.clone(), which })
            .revoke(principal, which, because, from)
    }

    fn count(&self) -> StoreFuture<'_, Result<u64, StoreError>> {
        self.note(Call::Count).count()
    }

    fn sweep(&self, limit: usize) -> StoreFuture<'_, Result<Swept, StoreError>> {
        self.note(Call::Sweep { limit }).sweep(limit)
    }

    fn scan<'a>(
        &'a self,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        self.note(Call::Scan { limit }).scan(from, limit)
    }
}

//! A store that remembers what it was asked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Operation, frozen_clock};
use crate::clock::Clock;
use crate::id::SessionId;
use crate::record::patch::{Outcome, Patch, SignIn};
use crate::record::{Principal, Record};
use crate::store::{
    Capabilities, Created, Cursor, EndedBy, Lookup, MemoryStore, Page, Revoke, Revoked,
    SessionStore, StoreError, StoreFuture, Swept, Visit,
};
use crate::token::SecretHash;

/// What a store was asked. Never a secret.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Call {
    /// A request's session was loaded.
    Load {
        /// Which session.
        id: SessionId,
        /// Whether the visit counted.
        visit: Visit,
    },
    /// A request's session was read again.
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
        /// What its sign-in was bound to.
        sign_in: SignIn,
    },
    /// Changes were to be stored.
    Apply {
        /// Of which session.
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
        /// Who ends it.
        by: EndedBy,
    },
    /// The sessions of a principal were listed.
    List {
        /// Whose.
        principal: Principal,
    },
    /// Sessions of a principal were to be ended.
    Revoke {
        /// Whose.
        principal: Principal,
        /// Which of them.
        which: Revoke,
    },
    /// The sessions were counted.
    Count,
    /// Expired sessions were to be removed.
    Sweep {
        /// How many at most.
        limit: usize,
    },
    /// All sessions are walked over.
    Scan {
        /// About how many on the page.
        limit: usize,
    },
}

impl Call {
    /// Which operation it was.
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

/// A store that notes every call and hands it on. Clones share the notes.
///
/// It is no part of the visitor: what a [`TestSession`](super::TestSession) has
/// not committed yet has not come here, so look at
/// [`last_commit`](super::TestSession::last_commit) first.
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
    /// Notes what `store` is asked.
    #[must_use]
    pub fn new(store: S) -> Self {
        Self { inner: Arc::new(store), calls: Arc::default() }
    }

    /// Every call since the last [`take_calls`](Self::take_calls), in the order
    /// in which they were made.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.notes().clone()
    }

    /// As [`calls`](Self::calls), and forgets them.
    #[allow(clippy::must_use_candidate)] // also called to forget
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut *self.notes())
    }

    /// The operations of [`calls`](Self::calls), to be compared with a list.
    #[must_use]
    pub fn operations(&self) -> Vec<Operation> {
        self.notes().iter().map(Call::operation).collect()
    }

    /// The store that is asked.
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
    /// Above an empty [`MemoryStore`] on a [`frozen_clock`].
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

    crate::forward_store! { this => this.inner; cache }

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

    fn delete(&self, id: SessionId, by: EndedBy) -> StoreFuture<'_, Result<bool, StoreError>> {
        self.note(Call::Delete { id, by }).delete(id, by)
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
        from: Option<&'a Cursor>,
    ) -> StoreFuture<'a, Result<Revoked, StoreError>> {
        self.note(Call::Revoke { principal: principal.clone(), which })
            .revoke(principal, which, from)
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

//! A store whose single answers come late, fail or get lost, when it is told
//! to.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use session_runtime::__private::patch::{Outcome, Patch, SignIn};
use session_runtime::__private::record::Record;
use session_runtime::__private::token::SecretHash;
use session_runtime::store::{
    MemoryStore, SessionStore, StoreError, StoreErrorKind, StoreFuture,
    contract::{Created, EndReason, Lookup, Visit},
};
use session_runtime::{SessionId, forward_store};
use tokio::sync::Notify;

/// The calls that it can be told about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Load,
    Create,
    Apply,
    Delete,
}

/// What becomes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call arrives once the gate opens.
    AskedLate,
    /// It is done at once, and the answer comes once the gate opens.
    AnsweredLate,
    /// It fails once the gate opens, and nothing is done.
    Fails,
    /// It is done at once, and the answer never comes.
    AnswerLost,
}

/// Where one call waits, so that a test needs no sleep.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    reached: Arc<Notify>,
    open: Arc<Notify>,
}

impl Gate {
    /// Waits until the call waits here. One may wait for it, once.
    pub async fn reached(&self) {
        let reached = tokio::time::timeout(Duration::from_secs(10), self.reached.notified());
        reached.await.expect("nobody made the call");
    }

    /// Lets the call go on, now or when it arrives.
    pub fn open(&self) {
        self.open.notify_one();
    }

    async fn pass(&self) {
        self.reached.notify_one();
        self.open.notified().await;
    }
}

#[derive(Clone)]
pub struct Slow {
    inner: Arc<dyn SessionStore>,
    faults: Arc<Mutex<Vec<(Method, Fault, Gate)>>>,
}

impl Slow {
    pub fn new() -> Self {
        Self::on(MemoryStore::new())
    }

    pub fn on(store: impl SessionStore) -> Self {
        Self { inner: Arc::new(store), faults: Arc::default() }
    }

    /// This happens to the next call of `method`, and to no other.
    pub fn next(&self, method: Method, fault: Fault) -> Gate {
        let gate = Gate::default();
        self.faults.lock().unwrap().push((method, fault, gate.clone()));
        gate
    }

    fn ask<'a, T: Send + Unpin + 'a>(
        &'a self,
        method: Method,
        answer: impl FnOnce() -> StoreFuture<'a, Result<T, StoreError>> + Send + 'a,
    ) -> StoreFuture<'a, Result<T, StoreError>> {
        let mut faults = self.faults.lock().unwrap();
        let Some(index) = faults.iter().position(|(due, ..)| *due == method) else {
            return answer();
        };
        let (_, fault, gate) = faults.remove(index);
        StoreFuture::new(async move {
            match fault {
                Fault::AskedLate => {
                    gate.pass().await;
                    answer().await
                }
                Fault::AnsweredLate => {
                    let answer = answer().await;
                    gate.pass().await;
                    answer
                }
                Fault::Fails => {
                    gate.pass().await;
                    Err(StoreError::new(StoreErrorKind::Unavailable))
                }
                Fault::AnswerLost => {
                    let _ = answer().await;
                    gate.reached.notify_one();
                    std::future::pending().await
                }
            }
        })
    }
}

impl Default for Slow {
    fn default() -> Self {
        Self::new()
    }
}

#[deny(clippy::missing_trait_methods)]
impl SessionStore for Slow {
    forward_store! { this => this.inner;
        clock capabilities reload list revoke count sweep scan cache watchers
    }

    fn load<'a>(
        &'a self,
        id: SessionId,
        secrets: &'a [SecretHash],
        visit: Visit,
    ) -> StoreFuture<'a, Result<Lookup, StoreError>> {
        self.ask(Method::Load, move || self.inner.load(id, secrets, visit))
    }

    fn create(
        &self,
        record: Arc<Record>,
        sign_in: SignIn,
    ) -> StoreFuture<'_, Result<Created, StoreError>> {
        self.ask(Method::Create, move || self.inner.create(record, sign_in))
    }

    fn apply<'a>(
        &'a self,
        id: SessionId,
        epoch: u64,
        patch: &'a Patch,
        read: Option<&'a Arc<Record>>,
    ) -> StoreFuture<'a, Result<Outcome, StoreError>> {
        self.ask(Method::Apply, move || self.inner.apply(id, epoch, patch, read))
    }

    fn delete(
        &self,
        id: SessionId,
        because: EndReason,
    ) -> StoreFuture<'_, Result<bool, StoreError>> {
        self.ask(Method::Delete, move || self.inner.delete(id, because))
    }
}

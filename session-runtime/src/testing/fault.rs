//! A store whose calls fail, hang or get lost on command.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Gate, Operation, frozen_clock};
use crate::clock::Clock;
use crate::id::SessionId;
use crate::record::patch::{Conflict, Gone, Outcome, Patch, SignIn};
use crate::record::{Principal, Record};
use crate::store::{
    Capabilities, Created, Cursor, EndReason, Lookup, MemoryStore, Page, Revoke, Revoked,
    SessionStore, StoreError, StoreErrorKind, StoreFuture, Swept, Visit,
};
use crate::token::SecretHash;

/// What happens to a call.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// The store does nothing and returns this error.
    Fails(StoreErrorKind),
    /// The store does it, but the answer is lost: [`Apply`](Operation::Apply) returns
    /// [`Outcome::Uncertain`], every other operation [`StoreErrorKind::Timeout`].
    AnswerLost,
    /// The store does it, but never answers. The layer waits for its
    /// [`store_timeout`](crate::SessionLayer::store_timeout).
    NeverAnswers,
    /// The store is not called before the gate opens.
    AskedLate(Gate),
    /// The store does it at once and answers when the gate opens.
    AnsweredLate(Gate),
    /// [`Apply`](Operation::Apply) only: the store does nothing and answers that the session is
    /// gone.
    Gone(Gone),
    /// [`Apply`](Operation::Apply) only: the store does nothing and answers that another request
    /// has changed the field of this stored name or, with `None`, the session.
    Conflict(Option<Cow<'static, str>>),
    /// [`Apply`](Operation::Apply) only: the store does nothing and answers that the outcome is
    /// unknown.
    Uncertain,
}

impl Fault {
    fn is_an_answer_to_apply(&self) -> bool {
        matches!(self, Self::Gone(_) | Self::Conflict(_) | Self::Uncertain)
    }
}

#[derive(Debug)]
struct Rule {
    operation: Operation,
    fault: Fault,
    /// How many calls pass first.
    skip: usize,
    /// How many more calls it affects; `None` for all.
    left: Option<usize>,
}

/// A store in which chosen calls fail; all others go to the store inside. Clones share their
/// faults.
///
/// ```
/// use session_runtime::store::StoreErrorKind;
/// use session_runtime::testing::{Fault, FaultStore, Operation, TestSession};
/// # #[derive(session_runtime::SessionSchema)]
/// # struct Visitor { locale: String }
///
/// let faults = FaultStore::default();
/// let t = TestSession::<Visitor>::with_store(faults.clone()).with(|s| s.set_locale("de"));
///
/// faults.next(Operation::Apply, Fault::Fails(StoreErrorKind::Unavailable));
/// t.session().set_locale("fr");
/// assert!(t.last_commit().is_err());
/// assert_eq!(t.session().locale(), "de");
/// ```
#[derive(Clone, Debug)]
pub struct FaultStore<S = MemoryStore> {
    inner: Arc<S>,
    rules: Arc<Mutex<Vec<Rule>>>,
}

/// # Panics
///
/// The methods that take a fault panic if it is an answer to [`Apply`](Operation::Apply) and the
/// operation is another one.
impl<S: SessionStore> FaultStore<S> {
    /// Wraps `store`, without any faults.
    #[must_use]
    pub fn new(store: S) -> Self {
        Self { inner: Arc::new(store), rules: Arc::default() }
    }

    /// Makes the next call of `operation` fail this way. Of several faults for one call, the one
    /// set first applies.
    #[track_caller]
    pub fn next(&self, operation: Operation, fault: Fault) {
        self.after(0, operation, fault);
    }

    /// Makes the call of `operation` after the next `skip` ones fail this way.
    #[track_caller]
    pub fn after(&self, skip: usize, operation: Operation, fault: Fault) {
        self.rule(Rule { operation, fault, skip, left: Some(1) });
    }

    /// Makes the next `calls` calls of `operation` fail this way.
    #[track_caller]
    pub fn times(&self, calls: usize, operation: Operation, fault: Fault) {
        self.rule(Rule { operation, fault, skip: 0, left: Some(calls) });
    }

    /// Makes every call of `operation` fail this way, until [`clear`](Self::clear).
    #[track_caller]
    pub fn each(&self, operation: Operation, fault: Fault) {
        self.rule(Rule { operation, fault, skip: 0, left: None });
    }

    /// Makes every call of every operation fail, until [`clear`](Self::clear).
    pub fn fail_all(&self, kind: StoreErrorKind) {
        for operation in Operation::ALL {
            self.each(operation, Fault::Fails(kind));
        }
    }

    /// Removes all faults. Calls that wait at a gate keep waiting.
    pub fn clear(&self) {
        self.rules().clear();
    }

    /// Returns how many faults from [`next`](Self::next), [`after`](Self::after) and
    /// [`times`](Self::times) are still to come: zero at the end of a test means that all of them
    /// happened.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.rules().iter().filter_map(|rule| rule.left).sum()
    }

    /// Returns the store inside.
    #[must_use]
    pub fn inner(&self) -> &S {
        &self.inner
    }

    #[track_caller]
    fn rule(&self, rule: Rule) {
        assert!(
            rule.operation == Operation::Apply || !rule.fault.is_an_answer_to_apply(),
            "{:?} is an answer to `Operation::Apply`, not to `Operation::{:?}`",
            rule.fault,
            rule.operation,
        );
        self.rules().push(rule);
    }

    fn rules(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the fault of this call of `operation`, and counts the call.
    fn due(&self, operation: Operation) -> Option<Fault> {
        let mut rules = self.rules();
        let mut hit = None;
        for rule in rules.iter_mut().filter(|rule| rule.operation == operation) {
            if let Some(skip) = rule.skip.checked_sub(1) {
                rule.skip = skip;
            } else if hit.is_none() && rule.left != Some(0) {
                rule.left = rule.left.map(|left| left - 1);
                hit = Some(rule.fault.clone());
            }
        }
        rules.retain(|rule| rule.left != Some(0));
        hit
    }

    fn ask<'a, T: Send + Unpin + 'a>(
        &self,
        operation: Operation,
        answer: impl FnOnce() -> Answer<'a, T> + Send + 'a,
    ) -> Answer<'a, T> {
        match self.due(operation) {
            None => answer(),
            Some(fault) => meet(fault, answer, Err(StoreError::new(StoreErrorKind::Timeout))),
        }
    }
}

type Answer<'a, T> = StoreFuture<'a, Result<T, StoreError>>;

fn meet<'a, T: Send + Unpin + 'a>(
    fault: Fault,
    answer: impl FnOnce() -> Answer<'a, T> + Send + 'a,
    lost: Result<T, StoreError>,
) -> Answer<'a, T> {
    match fault {
        Fault::Fails(kind) => StoreFuture::ready(Err(StoreError::new(kind))),
        // Ready if the store is, so that tests need no runtime.
        Fault::AnswerLost => match answer().take_ready() {
            Ok(_) => StoreFuture::ready(lost),
            Err(waiting) => StoreFuture::new(async move {
                let _ = waiting.await;
                lost
            }),
        },
        Fault::NeverAnswers => StoreFuture::new(async move {
            let _ = answer().await;
            std::future::pending().await
        }),
        Fault::AskedLate(gate) => StoreFuture::new(async move {
            gate.pass().await;
            answer().await
        }),
        Fault::AnsweredLate(gate) => StoreFuture::new(async move {
            let answer = answer().await;
            gate.pass().await;
            answer
        }),
        // `rule` rejects these for other operations, and `apply` handles them.
        Fault::Gone(_) | Fault::Conflict(_) | Fault::Uncertain => answer(),
    }
}

impl Default for FaultStore {
    /// Wraps an empty [`MemoryStore`] on a [`frozen_clock`].
    fn default() -> Self {
        Self::new(MemoryStore::with_clock(frozen_clock()))
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: SessionStore> SessionStore for FaultStore<S> {
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
    ) -> Answer<'a, Lookup> {
        self.ask(Operation::Load, move || self.inner.load(id, secrets, visit))
    }

    fn reload(&self, id: SessionId, epoch: u64) -> Answer<'_, Option<Arc<Record>>> {
        self.ask(Operation::Reload, move || self.inner.reload(id, epoch))
    }

    fn create(&self, record: Arc<Record>, sign_in: SignIn) -> Answer<'_, Created> {
        self.ask(Operation::Create, move || self.inner.create(record, sign_in))
    }

    fn apply<'a>(
        &'a self,
        id: SessionId,
        epoch: u64,
        patch: &'a Patch,
        read: Option<&'a Arc<Record>>,
    ) -> Answer<'a, Outcome> {
        let answer = move || self.inner.apply(id, epoch, patch, read);
        match self.due(Operation::Apply) {
            None => answer(),
            Some(Fault::Gone(gone)) => StoreFuture::ready(Ok(Outcome::Gone(gone))),
            Some(Fault::Uncertain) => StoreFuture::ready(Ok(Outcome::Uncertain)),
            Some(Fault::Conflict(field)) => conflict(field, self.inner.reload(id, epoch)),
            Some(fault) => meet(fault, answer, Ok(Outcome::Uncertain)),
        }
    }

    fn delete(&self, id: SessionId, because: EndReason) -> Answer<'_, bool> {
        self.ask(Operation::Delete, move || self.inner.delete(id, because))
    }

    fn list<'a>(
        &'a self,
        principal: &'a Principal,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> Answer<'a, Page> {
        self.ask(Operation::List, move || self.inner.list(principal, from, limit))
    }

    fn revoke<'a>(
        &'a self,
        principal: &'a Principal,
        which: Revoke,
        because: EndReason,
        from: Option<&'a Cursor>,
    ) -> Answer<'a, Revoked> {
        self.ask(Operation::Revoke, move || self.inner.revoke(principal, which, because, from))
    }

    fn count(&self) -> Answer<'_, u64> {
        self.ask(Operation::Count, move || self.inner.count())
    }

    fn sweep(&self, limit: usize) -> Answer<'_, Swept> {
        self.ask(Operation::Sweep, move || self.inner.sweep(limit))
    }

    fn scan<'a>(
        &'a self,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        self.ask(Operation::Scan, move || self.inner.scan(from, limit))
    }
}

/// Answers with a conflict that carries the record as stored now.
fn conflict<'a>(
    field: Option<Cow<'static, str>>,
    current: Answer<'a, Option<Arc<Record>>>,
) -> Answer<'a, Outcome> {
    let outcome = |current: Result<Option<Arc<Record>>, StoreError>| {
        Ok(match current? {
            Some(current) => Outcome::Conflict(Conflict { field, current }),
            None => Outcome::Gone(Gone::Absent),
        })
    };
    match current.take_ready() {
        Ok(current) => StoreFuture::ready(outcome(current)),
        Err(waiting) => StoreFuture::new(async move { outcome(waiting.await) }),
    }
}

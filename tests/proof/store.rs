//! A store whose every call is a point where another client may come first,
//! and a step of the plain model.

use std::future::pending;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

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
use shuttle::future::yield_now;

use crate::world::{Fault, Kind, World};

#[derive(Clone)]
pub(crate) struct Watched {
    pub(crate) inner: MemoryStore,
    pub(crate) world: Arc<Mutex<World>>,
    /// What happens to which call of the program, counted in the order in
    /// which they are made.
    pub(crate) fault: Option<(usize, Fault)>,
}

pub(crate) fn locked(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The clients are the tasks after the first, which waits for them.
pub(crate) fn client() -> usize {
    usize::from(shuttle::current::me()) - 1
}

/// Keeps the first thing that is not as it must be.
pub(crate) fn judge(
    world: &Mutex<World>,
    what: impl FnOnce() -> String,
    judge: impl FnOnce(&mut World) -> Result<(), String>,
) {
    let mut world = locked(world);
    if world.verbose {
        let said = format!("{}: {}", usize::from(shuttle::current::me()), what());
        world.history.push(said);
    }
    if let Err(failure) = judge(&mut world)
        && world.failure.is_none()
    {
        world.failure = Some(format!("{failure}\n    after {:#?}", world.history));
    }
}

impl Watched {
    /// Whether a client waits for this call, and not nobody.
    fn is_client(&self) -> bool {
        let me = usize::from(shuttle::current::me());
        (1..=locked(&self.world).runs.len()).contains(&me)
    }

    /// Lets others go first, then says what happens to this call.
    async fn turn(&self, kind: Kind) -> Option<Fault> {
        yield_now().await;
        let mut world = locked(&self.world);
        let call = world.calls;
        world.calls += 1;
        let fault = self.fault.filter(|(due, _)| *due == call).map(|(_, fault)| fault);
        drop(world);
        if fault == Some(Fault::Failed) {
            judge(&self.world, || format!("{kind:?} fails"), |world| world.failed(client(), kind));
        }
        fault
    }

    fn judge(
        &self,
        what: impl FnOnce() -> String,
        verdict: impl FnOnce(&mut World) -> Result<(), String>,
    ) {
        judge(&self.world, what, |world| {
            verdict(world)?;
            // After every step everything stored is what it must be.
            for (index, rec) in world.records.iter().enumerate() {
                let stored = self.inner.reload(rec.id, rec.epoch);
                let stored = now(stored).ok().flatten();
                match stored {
                    Some(stored) if rec.is_live(world.now) => world.same(index, &stored)?,
                    None if !rec.is_live(world.now) => {}
                    _ => return Err(format!("{stored:?} is stored, must be {rec:?}")),
                }
            }
            Ok(())
        });
    }
}

/// The answer of a store that never waits.
pub(crate) fn now<T: Unpin>(answer: StoreFuture<'_, T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(answer).poll(&mut context) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the memory store answers at once"),
    }
}

fn lost<T>(fault: Option<Fault>, answer: T) -> Result<T, StoreError> {
    match fault {
        None => Ok(answer),
        Some(_) => Err(StoreError::new(StoreErrorKind::Timeout)),
    }
}

fn failing<T>() -> Result<T, StoreError> {
    Err(StoreError::new(StoreErrorKind::Unavailable))
}

#[deny(clippy::missing_trait_methods)]
impl SessionStore for Watched {
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
        StoreFuture::new(async move {
            if !self.is_client() {
                return self.inner.load(id, secrets, visit).await;
            }
            let fault = self.turn(Kind::Load).await;
            if fault == Some(Fault::Failed) {
                return failing();
            }
            let answer = self.inner.load(id, secrets, visit).await?;
            self.judge(
                || format!("load {fault:?}"),
                |world| world.loaded(client(), &answer, fault),
            );
            lost(fault, answer)
        })
    }

    fn reload(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> StoreFuture<'_, Result<Option<Arc<Record>>, StoreError>> {
        StoreFuture::new(async move {
            let fault = self.turn(Kind::Reload).await;
            if fault == Some(Fault::Failed) {
                return failing();
            }
            let answer = self.inner.reload(id, epoch).await?;
            self.judge(
                || format!("reload {fault:?}"),
                |world| world.reloaded(client(), id, answer.as_deref(), fault),
            );
            lost(fault, answer)
        })
    }

    fn create(
        &self,
        record: Arc<Record>,
        sign_in: SignIn,
    ) -> StoreFuture<'_, Result<Created, StoreError>> {
        StoreFuture::new(async move {
            let fault = self.turn(Kind::Create).await;
            if fault == Some(Fault::Failed) {
                return failing();
            }
            let stored = record.clone();
            let answer = self.inner.create(record, sign_in).await?;
            self.judge(
                || format!("create {:?} → {answer:?} {fault:?}", stored.fields),
                |world| world.created(client(), &stored, &answer, fault),
            );
            if fault.is_some() {
                locked(&self.world).nobody_knows(client());
                return pending().await;
            }
            Ok(answer)
        })
    }

    fn apply<'a>(
        &'a self,
        id: SessionId,
        epoch: u64,
        patch: &'a Patch,
        read: Option<&'a Arc<Record>>,
    ) -> StoreFuture<'a, Result<Outcome, StoreError>> {
        StoreFuture::new(async move {
            let fault = self.turn(Kind::Apply).await;
            if fault == Some(Fault::Failed) {
                return failing();
            }
            let outcome = self.inner.apply(id, epoch, patch, read).await?;
            self.judge(
                || format!("apply {:?} → {outcome:?} {fault:?}", patch.ops),
                |world| world.applied(client(), id, patch, &outcome, fault),
            );
            Ok(if fault.is_some() { Outcome::Uncertain } else { outcome })
        })
    }

    fn delete(
        &self,
        id: SessionId,
        because: EndReason,
    ) -> StoreFuture<'_, Result<bool, StoreError>> {
        StoreFuture::new(async move {
            if !self.is_client() {
                let answer = self.inner.delete(id, because).await?;
                self.judge(|| format!("removed → {answer}"), |world| world.removed(id));
                return Ok(answer);
            }
            let fault = self.turn(Kind::Delete).await;
            if fault == Some(Fault::Failed) {
                return failing();
            }
            let answer = self.inner.delete(id, because).await?;
            self.judge(
                || format!("delete → {answer} {fault:?}"),
                |world| world.deleted(client(), id, answer, fault),
            );
            lost(fault, answer)
        })
    }

    fn list<'a>(
        &'a self,
        principal: &'a Principal,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        self.inner.list(principal, from, limit)
    }

    fn revoke<'a>(
        &'a self,
        principal: &'a Principal,
        which: Revoke,
        because: EndReason,
        from: Option<&'a Cursor>,
    ) -> StoreFuture<'a, Result<Revoked, StoreError>> {
        self.inner.revoke(principal, which, because, from)
    }

    fn count(&self) -> StoreFuture<'_, Result<u64, StoreError>> {
        self.inner.count()
    }

    fn sweep(&self, limit: usize) -> StoreFuture<'_, Result<Swept, StoreError>> {
        self.inner.sweep(limit)
    }

    fn scan<'a>(
        &'a self,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        self.inner.scan(from, limit)
    }
}

//! A `MemoryStore` with one defect.

mod apply;
mod load;
mod owners;
mod rewrite;
mod rotation;
mod sign_in;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use session_runtime::__private::patch::{Applied, Outcome, Patch, SignIn};
use session_runtime::__private::record::{COMMIT_LEEWAY, Principal, Record};
use session_runtime::__private::token::{PatchId, SecretHash};
use session_runtime::SessionId;
use session_runtime::clock::{Clock, Timestamp};
use session_runtime::store::{
    Limits, MemoryStore, SessionStore, StoreError, StoreFuture,
    contract::{
        Capabilities, Created, Cursor, EndReason, Lookup, Page, Revoke, Revoked, Swept, Visit,
    },
};

use crate::defect::Defect;

/// Behaves like the store it wraps but for its defect.
pub(crate) struct Mutant {
    inner: MemoryStore,
    /// The clock of the rules; that of `inner` follows it, more or less.
    clock: Clock,
    inner_clock: Clock,
    defect: Defect,
    /// What it says that its limits are.
    limits: Limits,
    seen: Mutex<Seen>,
}

/// What a mutant remembers beside the store.
#[derive(Default)]
struct Seen {
    created: HashMap<SessionId, Arc<Record>>,
    /// All secrets, newest last.
    secrets: HashMap<SessionId, Vec<SecretHash>>,
    deleted: HashSet<SessionId>,
    revoked: HashSet<SessionId>,
    answers: HashMap<PatchId, Applied>,
    last: HashMap<SessionId, (PatchId, PatchId)>,
    refused: HashSet<PatchId>,
    swept: bool,
    /// All secrets that ever were pending, and since when.
    pending: Vec<(SecretHash, Timestamp)>,
    revocations: Vec<Revocation>,
    /// Who signed out last.
    signed_out: HashMap<SessionId, Principal>,
    /// What the caller of the last patch had read.
    read: HashMap<SessionId, Arc<Record>>,
    ended_by: HashMap<SessionId, EndReason>,
}

/// One call of `revoke`.
struct Revocation {
    principal: Principal,
    all: bool,
    ended: u64,
    at: Timestamp,
}

impl Mutant {
    pub(crate) fn new(clock: Clock, defect: Defect) -> Self {
        let inner_clock = Clock::frozen(clock.now());
        let small = Limits { field: 1_000, record: 4_000 };
        let (limits, kept) = match defect {
            Defect::IgnoresLimits | Defect::LimitsInTwoSteps => (small, Limits::NONE),
            Defect::LimitsForgetNames => {
                (small, Limits { field: small.field + "field".len(), ..small })
            }
            Defect::LimitsOfFieldsOnly => (small, Limits { record: usize::MAX, ..small }),
            _ => (Limits::default(), Limits::default()),
        };
        let inner = MemoryStore::with_clock(inner_clock.clone()).limits(kept);
        Self { inner, clock, inner_clock, defect, limits, seen: Mutex::default() }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    fn has(&self, defect: Defect) -> bool {
        self.defect == defect
    }

    /// Sets the clock of the store below.
    fn sync(&self) {
        let now = self.clock.now().as_millis();
        let now = match self.defect {
            Defect::ExpiresLate => now - 1,
            Defect::ExpiresEarly => now + 1,
            Defect::ClockOfSeconds => now / 1_000 * 1_000,
            _ => now,
        };
        self.inner_clock.set(Timestamp::from_millis(now));
    }

    /// Shows the store below another time, until the next `sync`.
    fn shift(&self, by: Duration, back: bool) {
        let now = self.clock.now();
        let by = by.as_millis() as u64;
        let now = if back { now.as_millis() - by } else { now.as_millis() + by };
        self.inner_clock.set(Timestamp::from_millis(now));
    }

    /// The record under whatever epoch.
    async fn peek(&self, id: SessionId) -> Result<Option<Arc<Record>>, StoreError> {
        for epoch in 0..12 {
            if let Some(record) = self.inner.reload(id, epoch).await? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    async fn sweeping(&self, limit: usize) -> Result<Swept, StoreError> {
        let ids: Vec<_> = self.seen().created.values().cloned().collect();
        let now = self.clock.now();
        match self.defect {
            Defect::SweepsNothing => return Ok(Swept::default()),
            Defect::SweepsBeyondLimit => return self.inner.sweep(usize::MAX).await,
            Defect::SweepsLeeway => self.shift(COMMIT_LEEWAY, false),
            Defect::SweepForgetsTombstones => self.seen().swept = true,
            Defect::SweepsByFirstExpiry => {
                for record in ids.iter().filter(|record| record.meta.is_removable(now)) {
                    self.inner.delete(record.id, EndReason::OtherDevice).await?;
                }
            }
            Defect::SweepsInTwoSteps => {
                let mut due = Vec::new();
                for record in &ids {
                    let gone = self.peek(record.id).await?.is_none();
                    due.extend(gone.then_some(record.id));
                }
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
                for id in due {
                    if self.peek(id).await?.is_some() {
                        self.inner.delete(id, EndReason::OtherDevice).await?;
                    }
                }
            }
            Defect::SweepsBackwards => {
                for record in ids.iter().filter(|record| record.meta.last_seen > now) {
                    self.inner.delete(record.id, EndReason::OtherDevice).await?;
                }
            }
            _ => {}
        }
        self.inner.sweep(limit).await
    }

    async fn scanning(&self, from: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        match self.defect {
            Defect::WalksFirstPageOnly => {
                Ok(Page { next: None, ..self.inner.scan(from, limit).await? })
            }
            Defect::WalksSignedInOnly => {
                let mut page = self.inner.scan(from, limit).await?;
                page.records.retain(|record| record.meta.principal.is_some());
                Ok(page)
            }
            Defect::WalksEnded => {
                let mut page = self.inner.scan(from, limit).await?;
                let created: Vec<_> = self.seen().created.values().cloned().collect();
                for record in created {
                    if self.peek(record.id).await?.is_none() {
                        page.records.push(record);
                    }
                }
                Ok(page)
            }
            Defect::WalksByCounting => {
                let skip = from.map_or(0, |cursor| cursor.as_str().parse().unwrap());
                let mut all = self.inner.scan(None, usize::MAX).await?.records;
                let mut page = all.split_off(all.len().min(skip));
                page.truncate(limit);
                let next = (!page.is_empty()).then(|| Cursor::new((skip + limit).to_string()));
                Ok(Page { records: page, next })
            }
            Defect::WalkForgetsLast => {
                let mut page = self.inner.scan(from, limit).await?;
                let records = page.records.iter_mut();
                records.for_each(|record| Arc::make_mut(record).meta.last_principal = None);
                Ok(page)
            }
            Defect::WalksFromTheStart => {
                let page = self.inner.scan(None, limit).await?;
                let seen = from.is_some();
                Ok(Page { next: page.next.filter(|_| !seen), ..page })
            }
            _ => self.inner.scan(from, limit).await,
        }
    }

    async fn deleting(&self, id: SessionId, because: EndReason) -> Result<bool, StoreError> {
        self.seen().ended_by.insert(id, because);
        let live = self.peek(id).await?;
        let live_now = live.is_some();
        match self.defect {
            Defect::DeleteSparesExpired if !live_now => return Ok(false),
            Defect::DeleteNeedsEpoch if live.is_some_and(|record| record.meta.epoch > 1) => {
                return Ok(false);
            }
            Defect::DeleteHides => return Ok(live_now),
            Defect::DeletesInTwoSteps => {
                tokio::task::yield_now().await;
                self.inner.delete(id, because).await?;
                return Ok(live_now);
            }
            Defect::RevivesByWriting => {
                return Ok(live_now && self.seen().deleted.insert(id));
            }
            _ => {}
        }
        let deleted = self.inner.delete(id, because).await?;
        self.seen().deleted.insert(id);
        Ok(deleted || self.has(Defect::DeleteSaysTrue))
    }
}

#[deny(clippy::missing_trait_methods)]
impl SessionStore for Mutant {
    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities().with_limits(self.limits)
    }

    session_runtime::forward_store! { this => this.inner; cache watchers }

    fn load<'a>(
        &'a self,
        id: SessionId,
        secrets: &'a [SecretHash],
        visit: Visit,
    ) -> StoreFuture<'a, Result<Lookup, StoreError>> {
        self.sync();
        StoreFuture::new(self.loading(id, secrets, visit))
    }

    fn reload(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> StoreFuture<'_, Result<Option<Arc<Record>>, StoreError>> {
        self.sync();
        StoreFuture::new(self.reloading(id, epoch))
    }

    fn create(
        &self,
        record: Arc<Record>,
        sign_in: SignIn,
    ) -> StoreFuture<'_, Result<Created, StoreError>> {
        self.sync();
        StoreFuture::new(async move {
            let record = self.rewritten_record(Arc::unwrap_or_clone(record));
            let created = self.signing_in(record.clone(), sign_in).await?;
            if created.is_created() {
                let mut seen = self.seen();
                seen.secrets.insert(record.id, vec![record.meta.secret]);
                seen.created.insert(record.id, Arc::new(record));
            }
            Ok(if self.has(Defect::CreateSaysCreated) { Created::ALONE } else { created })
        })
    }

    fn apply<'a>(
        &'a self,
        id: SessionId,
        epoch: u64,
        patch: &'a Patch,
        read: Option<&'a Arc<Record>>,
    ) -> StoreFuture<'a, Result<Outcome, StoreError>> {
        self.sync();
        StoreFuture::new(self.applying(id, epoch, patch, read))
    }

    fn delete(
        &self,
        id: SessionId,
        because: EndReason,
    ) -> StoreFuture<'_, Result<bool, StoreError>> {
        self.sync();
        StoreFuture::new(self.deleting(id, because))
    }

    fn list<'a>(
        &'a self,
        principal: &'a Principal,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        self.sync();
        StoreFuture::new(self.listing(principal, from, limit))
    }

    fn revoke<'a>(
        &'a self,
        principal: &'a Principal,
        which: Revoke,
        because: EndReason,
        from: Option<&'a Cursor>,
    ) -> StoreFuture<'a, Result<Revoked, StoreError>> {
        self.sync();
        StoreFuture::new(self.revoking(principal, which, because, from))
    }

    fn count(&self) -> StoreFuture<'_, Result<u64, StoreError>> {
        self.sync();
        match self.defect {
            Defect::CountsEverything => StoreFuture::ready(Ok(self.seen().created.len() as u64)),
            _ => self.inner.count(),
        }
    }

    fn sweep(&self, limit: usize) -> StoreFuture<'_, Result<Swept, StoreError>> {
        self.sync();
        StoreFuture::new(self.sweeping(limit))
    }

    fn scan<'a>(
        &'a self,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        self.sync();
        StoreFuture::new(self.scanning(from, limit))
    }
}

//! What a rule works with: a store, its frozen clock, and helpers to call it.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::needs::Need;
use crate::clock::{Clock, Timestamp};
use crate::id::SessionId;
use crate::realm::Realm;
use crate::record::patch::{Applied, FieldOp, Lifetime, Op, Outcome, Patch, SignIn};
use crate::record::{Fields, Meta, Principal, Record};
use crate::store::{
    Capabilities, Created, Cursor, EndReason, Lookup, Page, Revoke, Revoked, SessionStore,
    StoreError, Swept, Touch, Visit,
};
use crate::token::{SecretHash, SessionToken};

/// A new, empty store and the frozen clock that it uses.
///
/// Clones share both.
pub struct Fixture<S> {
    store: Arc<S>,
    pub(super) clock: Clock,
    /// Declared after the store, so that it is dropped after it.
    kept: Arc<dyn Any + Send + Sync>,
}

impl<S> Clone for Fixture<S> {
    fn clone(&self) -> Self {
        let Self { store, clock, kept } = self;
        Self { store: store.clone(), clock: clock.clone(), kept: kept.clone() }
    }
}

impl<S> fmt::Debug for Fixture<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixture").field("now", &self.clock.now()).finish_non_exhaustive()
    }
}

/// What a factory returns: a store, or a store and something that must outlive it, such as the
/// temporary directory of its file.
pub trait Opened {
    /// The store.
    type Store: SessionStore;

    /// Returns the store, and what is dropped after it.
    fn split(self) -> (Self::Store, Arc<dyn Any + Send + Sync>);
}

impl<S: SessionStore> Opened for S {
    type Store = S;

    fn split(self) -> (S, Arc<dyn Any + Send + Sync>) {
        (self, Arc::new(()))
    }
}

impl<S: SessionStore, K: Any + Send + Sync> Opened for (S, K) {
    type Store = S;

    fn split(self) -> (S, Arc<dyn Any + Send + Sync>) {
        (self.0, Arc::new(self.1))
    }
}

/// The initial time of the frozen clock: far enough from zero to jump backwards.
const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

pub(super) const IDLE: Duration = Duration::from_secs(30 * 60);
pub(super) const ABSOLUTE: Duration = Duration::from_secs(12 * 60 * 60);
pub(super) const MS: Duration = Duration::from_millis(1);
/// How late a sweep may be: stores check what is due in coarse steps.
pub(super) const SLACK: Duration = Duration::from_secs(60);
/// More steps than any listing or revocation of a rule needs.
const STEPS: usize = 10_000;
pub(super) const LIFETIME: Lifetime =
    Lifetime { idle: Some(IDLE), absolute: Some(ABSOLUTE), remember: false };

impl<S: SessionStore> Fixture<S> {
    /// Opens a store with `make`, which must return a new, empty one that uses the given clock.
    ///
    /// # Panics
    ///
    /// If the store uses another clock, or is not empty.
    pub async fn open<O, F>(make: impl FnOnce(Clock) -> F) -> Self
    where
        O: Opened<Store = S>,
        F: Future<Output = O>,
    {
        let clock = Clock::frozen(START);
        let (store, kept) = make(clock.clone()).await.split();
        let fixture = Self { store: Arc::new(store), clock, kept };
        fixture.clock.advance(MS);
        let (given, used) = (fixture.clock.now(), fixture.store.clock().now());
        assert_eq!(used, given, "the store does not read the clock that it was given");
        let what = "the suite needs an empty store per rule, this one has sessions";
        fixture.assert_count(0, what).await;
        fixture
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    /// Whether the store supports `need`, for what a rule checks besides its subject.
    pub(super) fn promises(&self, need: Need) -> bool {
        need.is_met(&self.capabilities())
    }

    /// Asserts that the listing of `principal` shows exactly these, if listings are supported.
    pub(super) async fn assert_listed(
        &self,
        principal: &Principal,
        expected: &[SessionId],
        what: &str,
    ) {
        if self.promises(Need::principal_index) {
            let mut expected = expected.to_vec();
            expected.sort_unstable();
            assert_eq!(self.listed(principal).await, expected, "{what}");
        }
    }

    /// Asserts that this many sessions are live, if counting is supported.
    pub(super) async fn assert_count(&self, expected: u64, what: &str) {
        if self.promises(Need::scan) {
            assert_eq!(self.count().await, expected, "{what}");
        }
    }

    /// Asserts that this many sessions of `principal` are revoked, if revoking is supported.
    pub(super) async fn assert_revokes(&self, principal: &Principal, expected: u64, what: &str) {
        if self.promises(Need::principal_index) {
            assert_eq!(self.revoke(principal, Revoke::All).await, expected, "{what}");
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns a record that is not stored yet, as a sign-in would create it.
    pub(super) fn record(&self) -> Record {
        self.lasting(LIFETIME)
    }

    pub(super) fn lasting(&self, lifetime: Lifetime) -> Record {
        let Ok(token) = SessionToken::generate() else { panic!("no random bytes for a token") };
        let meta = Meta::new(token.secret_hash(&Realm::default()), self.now(), lifetime);
        Record::new(token.id(), meta, Fields::new())
    }

    /// Returns a record of `principal` that is not stored yet.
    pub(super) fn of(&self, principal: &Principal) -> Record {
        let mut record = self.record();
        record.meta.principal = Some(principal.clone());
        record
    }

    /// Returns a record with these fields that is not stored yet.
    pub(super) fn with(&self, fields: &[(&str, &str)]) -> Record {
        Record { fields: fields.iter().copied().collect(), ..self.record() }
    }

    /// Returns another record with that id, which is not stored yet.
    pub(super) fn with_id(&self, id: SessionId) -> Record {
        Record { id, ..self.record() }
    }

    /// Stores `record`.
    pub(super) async fn insert(&self, record: Record) -> Record {
        let created = self.create(record.clone()).await;
        assert_eq!(created, Created::ALONE, "a record with a new id must be created");
        record
    }

    pub(super) async fn create(&self, record: Record) -> Created {
        self.sign_in(record, SignIn::default()).await
    }

    /// Stores `record` under the conditions of `sign_in`.
    pub(super) async fn sign_in(&self, record: Record, sign_in: SignIn) -> Created {
        answered("create", self.store.create(record.into(), sign_in).await)
    }

    /// Loads for a request with this time of arrival.
    pub(super) async fn load_of(
        &self,
        id: SessionId,
        secret: &SecretHash,
        arrived: Timestamp,
    ) -> Lookup {
        let waited = self.now().since(arrived);
        let visit = Visit { waited, ..Touch::Never.into() };
        self.visit(id, &[*secret], visit).await
    }

    pub(super) async fn load(&self, id: SessionId, secret: &SecretHash, touch: Touch) -> Lookup {
        self.visit(id, &[*secret], touch.into()).await
    }

    /// Loads with the hashes of one secret in several realms.
    pub(super) async fn load_by(&self, id: SessionId, secrets: &[SecretHash]) -> Lookup {
        self.visit(id, secrets, Touch::Never.into()).await
    }

    pub(super) async fn visit(
        &self,
        id: SessionId,
        secrets: &[SecretHash],
        visit: Visit,
    ) -> Lookup {
        let seen = answered("load", self.store.load(id, secrets, visit).await);
        let cached = matches!(seen, Lookup::Cached(_));
        assert!(!cached, "who does not say `stale_ok` is never answered from a cache: {seen:?}");
        seen
    }

    /// Loads `record` by its secret, without a touch.
    pub(super) async fn look(&self, record: &Record) -> Lookup {
        self.load(record.id, &record.meta.secret, Touch::Never).await
    }

    /// Same as [`look`](Self::look), for a record that must be found.
    pub(super) async fn found(&self, record: &Record) -> Arc<Record> {
        match self.look(record).await {
            Lookup::Found(found) => found,
            other => panic!("a live session with the right secret must be found, but: {other:?}"),
        }
    }

    pub(super) async fn reload(&self, id: SessionId, epoch: u64) -> Option<Arc<Record>> {
        answered("reload", self.store.reload(id, epoch).await)
    }

    pub(super) async fn apply(&self, id: SessionId, epoch: u64, patch: &Patch) -> Outcome {
        answered("apply", self.store.apply(id, epoch, patch, None).await)
    }

    /// Applies a patch for a caller that has read `read`.
    pub(super) async fn apply_to(
        &self,
        read: &Arc<Record>,
        id: SessionId,
        epoch: u64,
        patch: &Patch,
    ) -> Outcome {
        answered("apply", self.store.apply(id, epoch, patch, Some(read)).await)
    }

    /// Applies a patch under the first epoch, which must succeed, for a caller that has read what
    /// is stored, as a request does.
    pub(super) async fn applied(&self, id: SessionId, patch: &Patch) -> Applied {
        self.applied_under(id, 1, patch).await
    }

    pub(super) async fn applied_under(&self, id: SessionId, epoch: u64, patch: &Patch) -> Applied {
        let read = self.reload(id, epoch).await;
        let outcome = self.store.apply(id, epoch, patch, read.as_ref()).await;
        match answered("apply", outcome) {
            Outcome::Applied(applied) => applied,
            other => panic!("a patch that fits must be applied, but: {other:?}"),
        }
    }

    pub(super) async fn delete(&self, id: SessionId) -> bool {
        self.end(id, EndReason::SignedOut).await
    }

    /// Destroys a record; returns whether it existed and was live.
    pub(super) async fn end(&self, id: SessionId, because: EndReason) -> bool {
        answered("delete", self.store.delete(id, because).await)
    }

    /// Returns all pages of a listing; each session as on its last page.
    pub(super) async fn list(&self, principal: &Principal) -> Vec<Arc<Record>> {
        let (mut all, mut from) = (BTreeMap::new(), None);
        for _ in 0..STEPS {
            let page = self.page(principal, from.as_ref(), 100).await;
            all.extend(page.records.into_iter().map(|record| (record.id, record)));
            match page.next {
                None => return all.into_values().collect(),
                next => from = next,
            }
        }
        panic!("{STEPS} pages of one listing, and always one more")
    }

    /// Returns one page of a listing.
    pub(super) async fn page(
        &self,
        principal: &Principal,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Page {
        answered("list", self.store.list(principal, from, limit).await)
    }

    /// Returns the ids of a listing, in order.
    pub(super) async fn listed(&self, principal: &Principal) -> Vec<SessionId> {
        self.list(principal).await.iter().map(|record| record.id).collect()
    }

    /// Makes all steps of a revocation; returns how many sessions they ended.
    pub(super) async fn revoke(&self, principal: &Principal, which: Revoke) -> u64 {
        self.revoke_because(principal, which, EndReason::OtherDevice).await
    }

    /// The same for a reason.
    pub(super) async fn revoke_because(
        &self,
        principal: &Principal,
        which: Revoke,
        because: EndReason,
    ) -> u64 {
        let (mut ended, mut from) = (0, None);
        for _ in 0..STEPS {
            let step = self.revoke_step(principal, which, because, from.as_ref()).await;
            ended += step.ended;
            match step.next {
                None => return ended,
                next => from = next,
            }
        }
        panic!("{STEPS} steps of one revocation, and always one more")
    }

    /// Makes one step of a revocation.
    pub(super) async fn revoke_step(
        &self,
        principal: &Principal,
        which: Revoke,
        because: EndReason,
        from: Option<&Cursor>,
    ) -> Revoked {
        answered("revoke", self.store.revoke(principal, which, because, from).await)
    }

    pub(super) async fn count(&self) -> u64 {
        answered("count", self.store.count().await)
    }

    pub(super) async fn sweep(&self, limit: usize) -> Swept {
        answered("sweep", self.store.sweep(limit).await)
    }

    /// Returns a page of all sessions, and where the next one begins.
    pub(super) async fn scan(
        &self,
        from: Option<&Cursor>,
        limit: usize,
    ) -> (Vec<Record>, Option<Cursor>) {
        let page = answered("scan", self.store.scan(from, limit).await);
        (page.records.into_iter().map(Arc::unwrap_or_clone).collect(), page.next)
    }

    /// Sweeps in steps of `limit` until nothing more is due.
    pub(super) async fn sweep_all(&self, limit: usize) {
        for _ in 0..10_000 {
            let swept = self.sweep(limit).await;
            assert!(swept.removed <= limit, "a sweep of at most {limit} removed {}", swept.removed);
            if !swept.more {
                return;
            }
        }
        panic!("ten thousand sweeps of {limit} and always more: `more` never becomes false");
    }
}

/// Returns the value of a field as text, for readable comparisons.
pub(super) fn text<'r>(record: &'r Record, name: &str) -> Option<&'r str> {
    record.fields.get(name).map(|bytes| {
        std::str::from_utf8(bytes).unwrap_or("(the store returned bytes that are not UTF-8)")
    })
}

pub(super) fn set(name: &'static str, json: &str) -> FieldOp {
    FieldOp::new(name, Op::set(json))
}

/// Returns a new secret for the record `id`.
pub(super) fn new_secret(id: SessionId) -> SecretHash {
    let Ok(token) = SessionToken::renew(id) else { panic!("no random bytes for a secret") };
    token.secret_hash(&Realm::default())
}

/// Returns a patch that renews the token, and its new secret.
pub(super) fn renewal(id: SessionId) -> (Patch, SecretHash) {
    let mut patch = Patch::new();
    let secret = new_secret(id);
    patch.meta.renew = Some(secret);
    (patch, secret)
}

fn answered<T>(operation: &str, answer: Result<T, StoreError>) -> T {
    answer.unwrap_or_else(|error| {
        panic!("{operation} failed, where the contract wants an answer: {error} ({error:?})")
    })
}

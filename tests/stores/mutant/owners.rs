//! Broken listings and revocations.

use std::sync::Arc;

use session_runtime::__private::record::{Principal, Record, TOMBSTONE};
use session_runtime::SessionId;
use session_runtime::store::{
    SessionStore, StoreError,
    contract::{Cursor, EndReason, Page, Revoke, Revoked},
};

use super::{Mutant, Revocation};
use crate::defect::Defect;

impl Mutant {
    pub(super) async fn listing(
        &self,
        principal: &Principal,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        if self.has(Defect::ListsExpired) {
            self.shift(TOMBSTONE, true);
        }
        let now = self.clock.now();
        let principal = &self.rewritten_principal(principal);
        let mut all = match self.defect {
            Defect::MixesNamespaces
            | Defect::ListsOldData
            | Defect::ListsFormer
            | Defect::PrunesByFirstExpiry => self.all_of(principal).await?,
            Defect::ListsEverything => self.all_of(principal).await?,
            Defect::ListsFromTheStart => return self.inner.list(principal, None, limit).await,
            Defect::ListsOnePage => {
                return Ok(Page { next: None, ..self.inner.list(principal, from, limit).await? });
            }
            _ => return self.inner.list(principal, from, limit).await,
        };
        match self.defect {
            Defect::MixesNamespaces => {
                for namespace in ["customer", "admin"] {
                    let other = Principal::new(namespace, principal.json());
                    if other != *principal {
                        all.extend(self.all_of(&other).await?);
                    }
                }
            }
            Defect::ListsOldData => {
                let seen = self.seen();
                let old = |record: &Arc<Record>| seen.created.get(&record.id).cloned();
                all = all.iter().filter_map(old).collect();
            }
            Defect::ListsFormer => {
                let former: Vec<_> = self.seen().created.values().cloned().collect();
                for record in former {
                    let known = all.iter().any(|listed| listed.id == record.id);
                    let theirs = record.meta.principal.as_ref() == Some(principal);
                    if theirs && !known && self.peek(record.id).await?.is_none() {
                        all.push(record);
                    }
                }
            }
            Defect::PrunesByFirstExpiry => {
                let seen = self.seen();
                let first = |record: &Arc<Record>| seen.created.get(&record.id);
                all.retain(|listed| first(listed).is_some_and(|r| !r.meta.is_expired(now)));
            }
            _ => {}
        }
        Ok(Page { records: all, next: None })
    }

    /// All their sessions, as the store below lists them.
    pub(super) async fn all_of(
        &self,
        principal: &Principal,
    ) -> Result<Vec<Arc<Record>>, StoreError> {
        Ok(self.inner.list(principal, None, 1_000_000).await?.records)
    }

    pub(super) async fn revoking(
        &self,
        principal: &Principal,
        which: Revoke,
        because: EndReason,
        from: Option<&Cursor>,
    ) -> Result<Revoked, StoreError> {
        let principal = &self.rewritten_principal(principal);
        let theirs = self.all_of(principal).await?;
        let ended = theirs.iter().map(|record| record.id).filter(|id| which.ends(*id));
        self.seen().revoked.extend(ended.clone());
        let revocation = Revocation {
            principal: principal.clone(),
            all: which == Revoke::All,
            ended: ended.clone().count() as u64,
            at: self.clock.now(),
        };
        if self.has(Defect::NotesRevocationsLast) {
            let done = self.one_by_one(principal, ended).await?;
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            self.seen().revocations.push(revocation);
            return Ok(done);
        }
        self.seen().revocations.push(revocation);
        match (self.defect, which) {
            (Defect::RevokesAnybody, Revoke::One(id)) => {
                let ended = self.inner.delete(id, EndReason::OtherDevice).await?;
                Ok(Revoked::done(u64::from(ended)))
            }
            (Defect::RevokesTheKeptOne, Revoke::Others(_)) => {
                self.inner.revoke(principal, Revoke::All, because, from).await
            }
            (Defect::RevokesOne, Revoke::All) => self.one_by_one(principal, ended.take(1)).await,
            (Defect::RevokesOneStep, _) => {
                Ok(self.inner.revoke(principal, which, because, from).await?.and_then(None))
            }
            (Defect::RevokesForEver, _) if from.is_some() => {
                let done = self.one_by_one(principal, ended.take(1)).await?;
                let next = from.cloned().filter(|_| done.ended > 0);
                Ok(done.and_then(next))
            }
            (Defect::RevokesAtOnce, _) => {
                let first = self.inner.revoke(principal, which, because, from).await?.ended;
                let rest = self.one_by_one(principal, ended).await?.ended;
                Ok(Revoked::done(first + rest))
            }
            (Defect::RevokesMarkingEachStep, Revoke::All) => {
                self.inner.revoke(principal, which, because, None).await
            }
            (Defect::RevokesForOneReason, _) => {
                self.inner.revoke(principal, which, EndReason::OtherDevice, from).await
            }
            (Defect::RevokesListedOnly, _) => self.one_by_one(principal, ended).await,
            _ => self.inner.revoke(principal, which, because, from).await,
        }
    }

    async fn one_by_one(
        &self,
        principal: &Principal,
        ids: impl Iterator<Item = SessionId>,
    ) -> Result<Revoked, StoreError> {
        let mut count = 0;
        for id in ids {
            count += self
                .inner
                .revoke(principal, Revoke::One(id), EndReason::OtherDevice, None)
                .await?
                .ended;
        }
        Ok(Revoked::done(count))
    }
}

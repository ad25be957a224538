//! Broken listings and revocations.

use std::sync::Arc;

use session_runtime::record::{Principal, Record, TOMBSTONE};
use session_runtime::store::{Revoke, SessionStore, StoreError};

use super::{Mutant, Revocation};
use crate::defect::Defect;

impl Mutant {
    pub(super) async fn listing(
        &self,
        principal: &Principal,
    ) -> Result<Vec<Arc<Record>>, StoreError> {
        if self.has(Defect::ListsExpired) {
            self.shift(TOMBSTONE, true);
        }
        let now = self.clock.now();
        let mut all = self.inner.list(&self.rewritten_principal(principal)).await?;
        match self.defect {
            Defect::MixesNamespaces => {
                let (_, json) = principal.as_str().split_once(':').unwrap_or_default();
                for namespace in ["customer", "admin"] {
                    let other = Principal::new(namespace, json);
                    if other != *principal {
                        all.extend(self.inner.list(&other).await?);
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
            Defect::ListsOnePage => all.truncate(100),
            _ => {}
        }
        Ok(all)
    }

    pub(super) async fn revoking(
        &self,
        principal: &Principal,
        which: Revoke,
    ) -> Result<u64, StoreError> {
        let principal = &self.rewritten_principal(principal);
        let theirs = self.inner.list(principal).await?;
        let ended = theirs.iter().map(|record| record.id).filter(|id| which.ends(*id));
        self.seen().revoked.extend(ended.clone());
        let revocation = Revocation {
            principal: principal.clone(),
            all: which == Revoke::All,
            ended: ended.clone().count() as u64,
            at: self.clock.now(),
        };
        if self.has(Defect::NotesRevocationsLast) {
            let mut count = 0;
            for id in ended.clone() {
                count += self.inner.revoke(principal, Revoke::One(id)).await?;
            }
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            self.seen().revocations.push(revocation);
            return Ok(count);
        }
        self.seen().revocations.push(revocation);
        match (self.defect, which) {
            (Defect::RevokesAnybody, Revoke::One(id)) => {
                Ok(u64::from(self.inner.delete(id).await?))
            }
            (Defect::RevokesTheKeptOne, Revoke::Others(_)) => {
                self.inner.revoke(principal, Revoke::All).await
            }
            (Defect::RevokesOne, Revoke::All) => match ended.clone().next() {
                Some(id) => self.inner.revoke(principal, Revoke::One(id)).await,
                None => Ok(0),
            },
            (Defect::RevokesListedOnly, _) => {
                let mut count = 0;
                for id in ended {
                    count += self.inner.revoke(principal, Revoke::One(id)).await?;
                }
                Ok(count)
            }
            _ => self.inner.revoke(principal, which).await,
        }
    }
}

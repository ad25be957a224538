//! Broken caps, tickets and limits.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use session_runtime::__private::patch::{AtLimit, Cap, Denied, Patch, Refused, SignIn};
use session_runtime::__private::record::{Applying, Principal, Record, TOMBSTONE};
use session_runtime::SessionId;
use session_runtime::clock::Timestamp;
use session_runtime::store::{
    SessionStore, StoreError,
    contract::{Created, EndReason},
};

use super::Mutant;
use crate::defect::Defect;

impl Mutant {
    pub(super) async fn signing_in(
        &self,
        record: Record,
        sign_in: SignIn,
    ) -> Result<Created, StoreError> {
        let principal = record.meta.principal.clone();
        let conditions = self.conditions(record.id, principal.as_ref(), None, sign_in);
        let (mut sign_in, ended) = match conditions.await? {
            Ok(conditions) => conditions,
            Err(denied) => return Ok(Created::Denied(denied)),
        };
        if self.has(Defect::IgnoresCapsOfCreates) {
            sign_in.cap = None;
        }
        let theirs = self.theirs(principal.as_ref(), sign_in).await?;
        let mut created = self.inner.create(record.into(), sign_in).await?;
        self.note_evicted(theirs).await?;
        if let Created::Created { evicted } = &mut created {
            self.tell_of(evicted, ended);
        }
        Ok(created)
    }

    /// The sessions that may be evicted.
    pub(super) async fn theirs(
        &self,
        principal: Option<&Principal>,
        sign_in: SignIn,
    ) -> Result<Vec<Arc<Record>>, StoreError> {
        match (principal, sign_in.cap) {
            (Some(principal), Some(_)) => self.all_of(principal).await,
            _ => Ok(Vec::new()),
        }
    }

    /// Remembers which of them were.
    pub(super) async fn note_evicted(&self, theirs: Vec<Arc<Record>>) -> Result<(), StoreError> {
        for record in theirs {
            if self.peek(record.id).await?.is_none() {
                self.seen().revoked.insert(record.id);
            }
        }
        Ok(())
    }

    /// Which evictions a broken store tells of; `ended`: those by its defect.
    pub(super) fn tell_of(&self, evicted: &mut Vec<SessionId>, ended: Vec<SessionId>) {
        evicted.extend(ended);
        if self.has(Defect::TellsOfNoEviction) {
            evicted.clear();
        }
    }

    /// What a broken store makes of the conditions of a sign-in, and whom it evicts before.
    pub(super) async fn conditions(
        &self,
        id: SessionId,
        principal: Option<&Principal>,
        before: Option<&Arc<Record>>,
        mut sign_in: SignIn,
    ) -> Result<Result<(SignIn, Vec<SessionId>), Denied>, StoreError> {
        let mut ended = Vec::new();
        let Some(principal) = principal else { return Ok(Ok((sign_in, ended))) };
        if let Some(since) = sign_in.not_revoked_since {
            match self.revoked_since(principal, since) {
                Some(true) => return Ok(Err(Denied::Revoked)),
                Some(false) => sign_in.not_revoked_since = None,
                None => {}
            }
            if self.has(Defect::SameMillisecondIsLater) {
                sign_in.not_revoked_since = Some(since.after(Duration::from_millis(1)));
            }
        }
        let Some(cap) = sign_in.cap else { return Ok(Ok((sign_in, ended))) };
        let mut others = self.all_of(principal).await?;
        others.retain(|record| record.id != id);
        let stays = before.is_some_and(|record| record.meta.principal.as_ref() == Some(principal));
        let less = match self.defect {
            Defect::CapCountsExpired => self.expired(principal),
            Defect::CapCountsItself => usize::from(stays),
            _ => 0,
        };
        match NonZeroU32::new(cap.max.get().saturating_sub(less as u32)) {
            Some(max) => sign_in.cap = Some(Cap { max, ..cap }),
            None => return Ok(Err(Denied::AtLimit)),
        }
        let full = others.len() >= cap.max.get() as usize;
        let ignored = match self.defect {
            Defect::IgnoresCaps => true,
            Defect::IgnoresCapsOfPatches => before.is_some(),
            Defect::CapSparesMovers => !stays,
            Defect::CapSparesStayers => stays,
            Defect::CapBeforeRepeats if full && cap.at_limit == AtLimit::Reject => {
                return Ok(Err(Denied::AtLimit));
            }
            Defect::EvictsAtOnce if cap.at_limit == AtLimit::EvictOldest && !others.is_empty() => {
                ended = self.evict(others, usize::MAX).await?;
                true
            }
            Defect::CapInTwoSteps if cap.at_limit == AtLimit::Reject => {
                tokio::task::yield_now().await;
                if full {
                    return Ok(Err(Denied::AtLimit));
                }
                true
            }
            Defect::EvictsNewest
            | Defect::EvictsByCreation
            | Defect::EvictsOne
            | Defect::EvictsInTwoSteps
                if cap.at_limit == AtLimit::EvictOldest =>
            {
                let surplus = (others.len() + 1).saturating_sub(cap.max.get() as usize);
                others.sort_by_key(|it| (it.meta.authenticated, it.meta.created, it.id));
                match self.defect {
                    Defect::EvictsNewest => others.reverse(),
                    Defect::EvictsByCreation => others.sort_by_key(|it| it.meta.created),
                    Defect::EvictsInTwoSteps => tokio::task::yield_now().await,
                    _ => {}
                }
                let one = self.has(Defect::EvictsOne);
                ended = self.evict(others, if one { surplus.min(1) } else { surplus }).await?;
                true
            }
            _ => false,
        };
        if ignored {
            sign_in.cap = None;
        }
        Ok(Ok((sign_in, ended)))
    }

    async fn evict(
        &self,
        records: Vec<Arc<Record>>,
        count: usize,
    ) -> Result<Vec<SessionId>, StoreError> {
        let mut ended = Vec::new();
        for record in records.into_iter().take(count) {
            if self.inner.delete(record.id, EndReason::OtherDevice).await? {
                ended.push(record.id);
            }
        }
        Ok(ended)
    }

    /// How many of their sessions have expired, by what was created.
    fn expired(&self, principal: &Principal) -> usize {
        let (seen, now) = (self.seen(), self.clock.now());
        let theirs = seen.created.values().filter(|record| {
            record.meta.principal.as_ref() == Some(principal) && record.meta.is_expired(now)
        });
        theirs.count()
    }

    /// What a broken store remembers of revocations; `None`: what the store
    /// below does.
    fn revoked_since(&self, principal: &Principal, since: Timestamp) -> Option<bool> {
        let (seen, now) = (self.seen(), self.clock.now());
        let theirs = seen.revocations.iter().filter(|revoked| revoked.principal == *principal);
        let mut theirs = theirs.filter(|revoked| since <= revoked.at);
        match self.defect {
            Defect::ForgetsRevocations => Some(false),
            Defect::NotesRevocationsLast => Some(theirs.any(|revoked| revoked.all)),
            Defect::RevocationsNeedSessions => {
                Some(theirs.any(|revoked| revoked.all && revoked.ended > 0))
            }
            Defect::AnyRevocationStopsLogins => Some(theirs.next().is_some()),
            Defect::NeverForgetsRevocations => Some(theirs.any(|revoked| revoked.all)),
            Defect::ForgetsRevocationsEarly => {
                Some(theirs.any(|revoked| revoked.all && now.since(revoked.at) < TOMBSTONE))
            }
            _ => None,
        }
    }

    /// Checks the size of a record apart from writing it.
    pub(super) fn too_large_apart(
        &self,
        patch: &Patch,
        record: Option<&Arc<Record>>,
    ) -> Option<Refused> {
        let record = record.filter(|_| self.has(Defect::LimitsInTwoSteps))?;
        let Applying::Stored(after, _) = record.apply(record.meta.epoch, patch, self.clock.now())
        else {
            return None;
        };
        let field = patch.ops.first()?.name.clone().into_owned();
        let limit = self.limits.record;
        (after.fields.byte_len() > limit).then_some(Refused::TooLarge { field, limit })
    }
}

//! Broken loads and reloads.

use std::sync::Arc;
use std::time::Duration;

use session_runtime::__private::patch::{Lifetime, Patch};
use session_runtime::__private::record::{Record, TOMBSTONE};
use session_runtime::__private::token::SecretHash;
use session_runtime::store::{
    SessionStore, StoreError,
    contract::{EndReason, Ended, Lookup, Touch, Visit},
};
use session_runtime::{Realm, SessionId};

use super::Mutant;
use crate::defect::Defect;

impl Mutant {
    pub(super) async fn loading(
        &self,
        id: SessionId,
        secrets: &[SecretHash],
        visit: Visit,
    ) -> Result<Lookup, StoreError> {
        let [secret, ..] = secrets else { return Ok(Lookup::Absent) };
        let secrets = if self.has(Defect::LooksAtFirstSecret) { &secrets[..1] } else { secrets };
        if self.has(Defect::FirstKnownSecretCounts) {
            for one in secrets {
                let lookup = self.inner.load(id, &[*one], visit).await?;
                if !matches!(lookup, Lookup::Absent) {
                    return Ok(lookup);
                }
            }
        }
        let touch = visit.touch;
        let ignored = self.has(Defect::GraceIgnoresArrival);
        let waited = if ignored { Duration::ZERO } else { visit.waited };
        let touch = match self.defect {
            Defect::NeverTouches | Defect::TouchIsNotStored => Touch::Never,
            Defect::TouchesUnasked => Touch::IfDue,
            _ => touch,
        };
        self.before_load(id, secret, touch).await?;
        let before = self.peek(id).await?;
        if self.has(Defect::TouchRollsBack) {
            tokio::task::yield_now().await;
        }
        if let Some(lookup) = self.before_rotation(secret, touch, before.as_ref()) {
            return Ok(lookup);
        }
        let lookup = self.inner.load(id, secrets, Visit { touch, waited, ..visit }).await?;
        let lookup = self.after_rotation(id, secret, before.as_ref(), lookup).await?;
        match lookup {
            Lookup::Found(found) => self.after_found(found, before, touch).await,
            other => self.after_miss(id, secret, other).await,
        }
    }

    async fn before_load(
        &self,
        id: SessionId,
        secret: &SecretHash,
        touch: Touch,
    ) -> Result<(), StoreError> {
        let newest = self.newest_secret(id);
        match self.defect {
            Defect::NeverForgetsTombstones => self.shift(TOMBSTONE, true),
            Defect::TouchesForAnybody => {
                self.inner.load(id, &[newest.unwrap_or(*secret)], touch.into()).await?;
            }
            Defect::TouchRevives if touch == Touch::IfDue => {
                self.shift(TOMBSTONE * 45, true);
                if let Some(record) = self.peek(id).await? {
                    let mut patch = Patch::new();
                    patch.meta.lifetime = Some(lifetime(&record));
                    self.sync();
                    self.inner.apply(id, record.meta.epoch, &patch, None).await?;
                }
                self.sync();
            }
            _ => {}
        }
        Ok(())
    }

    async fn after_found(
        &self,
        found: Arc<Record>,
        before: Option<Arc<Record>>,
        touch: Touch,
    ) -> Result<Lookup, StoreError> {
        let (id, now) = (found.id, self.clock.now());
        let asked = touch == Touch::IfDue;
        let touched =
            asked && before.is_some_and(|before| before.meta.last_seen < found.meta.last_seen);
        let mut patch = Patch::new();
        let mut found = found;
        match self.defect {
            Defect::TouchIsNotStored if found.meta.touch_is_due(now) => {
                Arc::make_mut(&mut found).meta.last_seen = now;
            }
            Defect::TouchesEveryTime if asked => Arc::make_mut(&mut found).meta.last_seen = now,
            Defect::TouchGoesBack if now < found.meta.last_seen => {
                Arc::make_mut(&mut found).meta.last_seen = now;
            }
            Defect::TouchRaisesRev if touched => {
                self.inner.apply(id, found.meta.epoch, &patch, None).await?;
            }
            Defect::TouchRestarts if touched => {
                patch.meta.lifetime = Some(lifetime(&found));
                self.inner.apply(id, found.meta.epoch, &patch, None).await?;
            }
            Defect::TouchRollsBack if touched => {
                patch = Patch::of(super::rewrite::every_field(&found));
                tokio::task::yield_now().await;
                self.inner.apply(id, found.meta.epoch, &patch, None).await?;
            }
            Defect::LoadForgetsLast => Arc::make_mut(&mut found).meta.last_principal = None,
            Defect::SignOutForgetsLast if self.seen().signed_out.contains_key(&id) => {
                Arc::make_mut(&mut found).meta.last_principal = None;
            }
            Defect::LastOutlivesSignIn => {
                if let Some(last) = self.seen().signed_out.get(&id) {
                    Arc::make_mut(&mut found).meta.last_principal = Some(Arc::new(last.hash()));
                }
            }
            Defect::PatchUndoesTouch => {
                if let Some(read) = self.seen().read.get(&id) {
                    Arc::make_mut(&mut found).meta.last_seen = read.meta.last_seen;
                }
            }
            Defect::PatchUndoesConfirmation => {
                if let Some(read) = self.seen().read.get(&id) {
                    let meta = &mut Arc::make_mut(&mut found).meta;
                    (meta.secret, meta.renewal) = (read.meta.secret, read.meta.renewal.clone());
                }
            }
            Defect::LoadsFromCache => {
                let cached = self.seen().created.get(&id).cloned();
                found = cached.unwrap_or(found);
            }
            Defect::DeleteHides | Defect::RevivesByWriting if self.seen().deleted.contains(&id) => {
                return Ok(Lookup::Ended(self.just_now()));
            }
            _ => {}
        }
        Ok(Lookup::Found(found))
    }

    async fn after_miss(
        &self,
        id: SessionId,
        secret: &SecretHash,
        mut lookup: Lookup,
    ) -> Result<Lookup, StoreError> {
        if let Lookup::Ended(ended) = &mut lookup {
            match self.defect {
                Defect::EndsByBrowser => ended.because = EndReason::SignedOut,
                Defect::EndsElsewhere => ended.because = EndReason::OtherDevice,
                Defect::EndedJustNow => *ended = Ended::new(ended.because, self.clock.now()),
                Defect::NobodyIsLate => ended.late = false,
                Defect::EverybodyIsLate => ended.late = ended.because != EndReason::OtherDevice,
                Defect::ForgetsSignIn => ended.sign_in = None,
                Defect::AnyRenewalIsSignIn => {
                    ended.sign_in = self.peek(id).await?.map(|record| record.meta.epoch);
                }
                Defect::LastToEndCounts => {
                    ended.because = self.seen().ended_by.get(&id).copied().unwrap_or(ended.because);
                }
                Defect::EvictsAsBrowser if self.seen().revoked.contains(&id) => {
                    let revoked = self.seen().revocations.iter().any(|it| it.at == ended.at);
                    ended.because = if revoked { ended.because } else { EndReason::SignedOut };
                }
                _ => {}
            }
        }
        let retired = matches!(lookup, Lookup::Ended(_));
        let (deleted, revoked, swept) = {
            let seen = self.seen();
            (seen.deleted.contains(&id), seen.revoked.contains(&id), seen.swept)
        };
        let newest = self.newest_secret(id) == Some(*secret);
        Ok(match self.defect {
            Defect::OpensForAnySecret => self.peek(id).await?.map_or(lookup, Lookup::Found),
            Defect::OpensForRetiredSecrets if retired => {
                self.peek(id).await?.map_or(lookup, Lookup::Found)
            }
            Defect::ExpiresWithoutReason if matches!(lookup, Lookup::Expired(_)) => Lookup::Absent,
            Defect::ExpiresByOneReason if matches!(lookup, Lookup::Expired(_)) => {
                Lookup::Expired(EndReason::Idle)
            }
            Defect::ForgetsTombstones if retired => Lookup::Absent,
            Defect::RetiresAnything => Lookup::Ended(self.just_now()),
            Defect::RemembersOneRetired if retired && !deleted => {
                let seen = self.seen();
                let secrets = seen.secrets.get(&id);
                let last = secrets.and_then(|all| all.iter().rev().nth(1)) == Some(secret);
                if last { lookup } else { Lookup::Absent }
            }
            Defect::ForgetsRetiredOnDelete if deleted && !newest => Lookup::Absent,
            Defect::ForgetsRevoked if revoked => Lookup::Absent,
            Defect::SweepForgetsTombstones if swept => Lookup::Absent,
            _ => lookup,
        })
    }

    pub(super) async fn reloading(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        match self.defect {
            Defect::ReloadsAnyEpoch => self.peek(id).await,
            Defect::ReloadsExpired => {
                self.shift(TOMBSTONE, true);
                self.inner.reload(id, epoch).await
            }
            Defect::ReloadsFromCache => {
                let found = self.inner.reload(id, epoch).await?;
                Ok(found.and_then(|_| self.seen().created.get(&id).cloned()))
            }
            Defect::RevivesByWriting if self.seen().deleted.contains(&id) => Ok(None),
            Defect::ReloadForgetsLast | Defect::ReloadForgetsRealm => {
                let mut found = self.inner.reload(id, epoch).await?;
                if let Some(found) = found.as_mut().map(Arc::make_mut) {
                    match self.defect {
                        Defect::ReloadForgetsLast => found.meta.last_principal = None,
                        _ => found.meta.realm = Realm::default(),
                    }
                }
                Ok(found)
            }
            _ => self.inner.reload(id, epoch).await,
        }
    }

    fn just_now(&self) -> Ended {
        Ended::new(EndReason::SignedOut, self.clock.now())
    }

    pub(super) fn newest_secret(&self, id: SessionId) -> Option<SecretHash> {
        self.seen().secrets.get(&id).and_then(|all| all.last().copied())
    }
}

/// The limits of a record, to begin anew.
fn lifetime(record: &Record) -> Lifetime {
    let meta = &record.meta;
    Lifetime {
        idle: meta.idle.map(Duration::from),
        absolute: meta.absolute.map(|end| end.since(meta.created)),
        remember: meta.remember.is_some(),
    }
}

//! Broken renewals by age.

use std::sync::Arc;

use session_runtime::__private::patch::{Outcome, Patch};
use session_runtime::__private::record::{ROTATION_GRACE, Record};
use session_runtime::__private::token::SecretHash;
use session_runtime::SessionId;
use session_runtime::store::{
    SessionStore, StoreError,
    contract::{Lookup, Replayed, Touch},
};

use super::Mutant;
use crate::defect::Defect;

fn is_pending(record: Option<&Arc<Record>>, secret: &SecretHash) -> bool {
    let pending = record.and_then(|record| record.meta.renewal.pending());
    pending.is_some_and(|rotation| rotation.next == *secret)
}

impl Mutant {
    /// An answer that does not come from the store below.
    pub(super) fn before_rotation(
        &self,
        secret: &SecretHash,
        touch: Touch,
        record: Option<&Arc<Record>>,
    ) -> Option<Lookup> {
        let (pending, now) = (is_pending(record, secret), self.clock.now());
        let record = record?;
        let forgets = match self.defect {
            Defect::NeverConfirms => pending,
            Defect::ConfirmsVisitsOnly => pending && touch == Touch::Never,
            Defect::ConfirmIsNotStored if pending => {
                let mut confirmed = Arc::clone(record);
                Arc::make_mut(&mut confirmed).meta.confirm(secret, now);
                return Some(Lookup::Found(confirmed));
            }
            Defect::OldSecretEndsAlone if record.meta.secret == *secret => {
                let next = record.meta.renewal.pending()?.next;
                let seen = self.seen();
                let (_, since) = seen.pending.iter().find(|(known, _)| *known == next)?;
                return (now.since(*since) >= ROTATION_GRACE).then_some(Lookup::Absent);
            }
            _ => false,
        };
        forgets.then(|| Lookup::Found(Arc::clone(record)))
    }

    /// What becomes of the answer of the store below.
    pub(super) async fn after_rotation(
        &self,
        id: SessionId,
        secret: &SecretHash,
        before: Option<&Arc<Record>>,
        lookup: Lookup,
    ) -> Result<Lookup, StoreError> {
        let confirmed = is_pending(before, secret);
        let previous = before.and_then(|record| record.meta.renewal.previous());
        let previous = previous.is_some_and(|old| old.secret == *secret);
        let was_pending = self.seen().pending.iter().any(|(known, _)| known == secret);
        Ok(match (self.defect, lookup) {
            (Defect::ConfirmRaisesEpoch, Lookup::Found(found)) if confirmed => {
                let mut patch = Patch::new();
                patch.meta.renew = Some(*secret);
                self.inner.apply(id, found.meta.epoch, &patch, None).await?;
                Lookup::Found(found)
            }
            (Defect::ConfirmRaisesRev, Lookup::Found(found)) if confirmed => {
                self.inner.apply(id, found.meta.epoch, &Patch::new(), None).await?;
                Lookup::Found(found)
            }
            (Defect::NoGrace, Lookup::Found(found)) if previous => {
                Lookup::Replayed(Replayed::of(&found.meta))
            }
            (Defect::EndlessGrace, Lookup::Replayed(replayed)) => {
                self.peek(id).await?.map_or(Lookup::Replayed(replayed), Lookup::Found)
            }
            (Defect::ReplayIsAbsent, Lookup::Replayed(_)) => Lookup::Absent,
            (Defect::ReplayIsNobodys, Lookup::Replayed(_)) => {
                Lookup::Replayed(Replayed { principal: None, authenticated: false })
            }
            (Defect::ReplayTouches, Lookup::Replayed(replayed)) => {
                if let Some(record) = before {
                    self.inner.load(id, &[record.meta.secret], Touch::IfDue.into()).await?;
                }
                Lookup::Replayed(replayed)
            }
            (Defect::PendingOutlivesRenewal, Lookup::Ended(ended)) if was_pending => {
                self.peek(id).await?.map_or(Lookup::Ended(ended), Lookup::Found)
            }
            (Defect::ForgetsPending, Lookup::Ended(_)) if was_pending => Lookup::Absent,
            (_, lookup) => lookup,
        })
    }

    pub(super) fn after_rotating(&self, patch: &Patch, mut outcome: Outcome) -> Outcome {
        if let (Some(rotate), Outcome::Applied(applied)) = (&patch.meta.rotate, &mut outcome) {
            let rotation = rotate.rotation;
            let now = self.clock.now();
            self.seen().pending.push((rotation.next, now));
            match self.defect {
                Defect::RepeatForgetsNonce if applied.repeated => applied.rotation = None,
                Defect::RotationsIgnorePending => applied.rotation = Some(rotation.nonce),
                _ => {}
            }
        }
        outcome
    }
}

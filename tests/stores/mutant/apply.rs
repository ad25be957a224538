//! Broken patches.

use std::sync::Arc;

use session_runtime::__private::patch::{
    Applied, Expect, FieldOp, Gone, Lifetime, Op, Outcome, Patch, Taken,
};
use session_runtime::__private::record::{Applying, Record};
use session_runtime::__private::token::PatchId;
use session_runtime::SessionId;
use session_runtime::store::{SessionStore, StoreError, contract::EndReason};

use super::Mutant;
use crate::defect::Defect;

impl Mutant {
    pub(super) async fn applying(
        &self,
        id: SessionId,
        epoch: u64,
        patch: &Patch,
        read: Option<&Arc<Record>>,
    ) -> Result<Outcome, StoreError> {
        let current = self.peek(id).await?;
        self.note(id, patch, current.as_ref(), read);
        let mut patch = self.rewritten_patch(patch);
        match (self.defect, read) {
            (Defect::BelievesRead, Some(read)) => {
                if let Applying::Answer(outcome) = read.apply(epoch, &patch, self.clock.now()) {
                    return Ok(outcome);
                }
            }
            (Defect::AgainIsUncertain, _) if patch.again.is_some() => {
                return Ok(Outcome::Uncertain);
            }
            (Defect::AgainAfterEpoch, _)
                if current.as_ref().is_some_and(|record| record.meta.epoch != epoch) =>
            {
                return Ok(Outcome::Gone(Gone::Superseded));
            }
            _ => {}
        }
        self.rename(id, &mut patch);
        if let (Defect::RotatesAnySecret, Some(rotate), Some(now)) =
            (self.defect, &mut patch.meta.rotate, &current)
        {
            rotate.from = now.meta.secret;
        }
        if let Some(outcome) = self.before(id, epoch, &mut patch, current.as_ref()).await? {
            return Ok(outcome);
        }
        let after = match &patch.meta.principal {
            Some(principal) => principal.clone(),
            None => current.as_ref().and_then(|record| record.meta.principal.clone()),
        };
        let ended;
        match self.conditions(id, after.as_ref(), current.as_ref(), patch.meta.sign_in).await? {
            Ok(conditions) => (patch.meta.sign_in, ended) = conditions,
            Err(denied) => return Ok(Outcome::Denied(denied)),
        }
        if let Some(refused) = self.too_large_apart(&patch, current.as_ref()) {
            return Ok(Outcome::Refused(refused));
        }
        if self.has(Defect::LimitsInTwoSteps) {
            tokio::task::yield_now().await;
        }
        let theirs = self.theirs(after.as_ref(), patch.meta.sign_in).await?;
        let mut outcome = match (self.defect, &current) {
            (Defect::TakesTwice, Some(record)) => self.in_two_steps(epoch, &patch, record).await?,
            (
                Defect::AddsInTwoSteps
                | Defect::AddsAsDouble
                | Defect::AddsWrapping
                | Defect::AddsToAnything,
                Some(record),
            ) => self.adding(epoch, &patch, record).await?,
            (Defect::AddsToRead, Some(record)) => {
                self.adding(epoch, &patch, read.unwrap_or(record)).await?
            }
            (Defect::WritesWholeRecords, Some(record)) => {
                tokio::task::yield_now().await;
                let mut ops = super::rewrite::every_field(record);
                ops.retain(|old| patch.ops.iter().all(|new| new.name != old.name));
                patch.ops.extend(ops);
                self.inner.apply(id, epoch, &patch, None).await?
            }
            (Defect::RenewsInTwoSteps | Defect::IndexesLater, _) => {
                self.renewing(id, epoch, &patch).await?
            }
            _ => self.inner.apply(id, epoch, &patch, read).await?,
        };
        self.note_evicted(theirs).await?;
        if let Outcome::Applied(applied) = &mut outcome {
            self.tell_of(&mut applied.evicted, ended);
        }
        self.after(id, epoch, &patch, outcome, current).await
    }

    /// Remembers what goes by.
    fn note(
        &self,
        id: SessionId,
        patch: &Patch,
        current: Option<&Arc<Record>>,
        read: Option<&Arc<Record>>,
    ) {
        let mut seen = self.seen();
        let principal = current.and_then(|record| record.meta.principal.clone());
        if let (Some(None), Some(principal)) = (&patch.meta.principal, principal) {
            seen.signed_out.insert(id, principal);
        }
        if let Some(read) = read {
            seen.read.insert(id, Arc::clone(read));
        }
    }

    /// What a broken store does with the name of a patch.
    fn rename(&self, id: SessionId, patch: &mut Patch) {
        let adds = patch.ops.iter().any(|op| matches!(op.op, Op::Add(_)));
        match self.defect {
            Defect::AppliesRepeats => patch.id = PatchId::next(),
            Defect::IgnoresAgain => patch.again = None,
            Defect::AddsRepeats if adds => patch.id = PatchId::next(),
            Defect::PatchIdsAsFloats => {
                patch.id = PatchId::from_u64(patch.id.as_u64() as f32 as u64);
            }
            Defect::RemembersOnePatch => {
                let mut seen = self.seen();
                let last = seen.last.entry(id).or_insert((patch.id, patch.id));
                if last.0 != patch.id {
                    *last = (patch.id, PatchId::next());
                }
                patch.id = last.1;
            }
            _ => {}
        }
    }

    async fn before(
        &self,
        id: SessionId,
        epoch: u64,
        patch: &mut Patch,
        current: Option<&Arc<Record>>,
    ) -> Result<Option<Outcome>, StoreError> {
        let superseded = current.is_some_and(|record| record.meta.epoch != epoch);
        match self.defect {
            Defect::JoinIsLost => patch.meta.join = None,
            Defect::JoinRenews if patch.meta.join.is_some() => {
                patch.meta.renew = patch.meta.join.take().map(|secret| *secret);
            }
            Defect::OneJoins
                if current.is_some_and(|it| it.meta.renewal.converging().next().is_some()) =>
            {
                patch.meta.join = None;
            }
            Defect::RemembersRefused if self.seen().refused.contains(&patch.id) => {
                return Ok(Some(repeated(current, epoch)));
            }
            Defect::RepeatsRace => {
                let known = self.seen().answers.contains_key(&patch.id);
                tokio::task::yield_now().await;
                if known {
                    return Ok(Some(repeated(current, epoch)));
                }
                self.seen().answers.insert(patch.id, Applied::default());
                patch.id = PatchId::next();
            }
            Defect::RepeatsAfterEpoch if superseded => {
                return Ok(Some(Outcome::Gone(Gone::Superseded)));
            }
            Defect::RepeatsAfterExpectations | Defect::GuardsLast | Defect::ChecksApart => {
                let mut probe = Patch::of(Vec::new());
                probe.expect.clone_from(&patch.expect);
                let under = current.map_or(epoch, |record| record.meta.epoch);
                // Never holds, so that nothing is written.
                probe.expect.push(Expect::Rev(u64::MAX));
                let outcome = self.inner.apply(id, under, &probe, None).await?;
                if let Outcome::Conflict(conflict) = &outcome
                    && current.is_some_and(|record| {
                        patch.expect.iter().any(|expect| match expect {
                            Expect::Rev(rev) => record.meta.rev != *rev,
                            Expect::Field { name, value } => {
                                record.fields.get(name) != value.as_deref()
                            }
                            Expect::Version { namespace, version } => {
                                record.meta.versions.get(namespace) != *version
                            }
                        })
                    })
                {
                    return Ok(Some(Outcome::Conflict(conflict.clone())));
                }
                if self.has(Defect::ChecksApart) {
                    tokio::task::yield_now().await;
                    patch.expect.clear();
                }
            }
            Defect::WritesBeforeChecking => {
                let early = |op: &FieldOp| matches!(op.op, Op::Set(_) | Op::Remove);
                let first = patch.ops.iter().filter(|op| early(op)).cloned().collect();
                self.inner.apply(id, epoch, &Patch::of(first), None).await?;
            }
            Defect::NoLeeway if current.is_none() => return Ok(Some(Outcome::Gone(Gone::Absent))),
            Defect::LeewayIsRemoved if current.is_none() => {
                self.inner.delete(id, EndReason::OtherDevice).await?;
            }
            Defect::EndlessLeeway => {
                self.shift(session_runtime::__private::record::COMMIT_LEEWAY, true)
            }
            Defect::LeewayRevives if current.is_none() => {
                patch.meta.lifetime = Some(LIFETIME);
            }
            Defect::PatchIsActivity => patch.meta.lifetime = patch.meta.lifetime.or(Some(LIFETIME)),
            Defect::RevivesByWriting => {
                self.seen().deleted.remove(&id);
            }
            _ => {}
        }
        Ok(None)
    }

    async fn after(
        &self,
        id: SessionId,
        epoch: u64,
        patch: &Patch,
        outcome: Outcome,
        before: Option<Arc<Record>>,
    ) -> Result<Outcome, StoreError> {
        let renews = patch.meta.renew.is_some();
        if let (Outcome::Applied(applied), Some(secret)) = (&outcome, patch.meta.renew)
            && !applied.repeated
        {
            self.seen().secrets.entry(id).or_default().push(secret);
        }
        let outcome = self.after_rotating(patch, outcome);
        Ok(match (self.defect, outcome) {
            (Defect::Upserts, Outcome::Gone(Gone::Absent)) => {
                Outcome::Applied(Applied { rev: 1, epoch, repeated: false, ..Applied::default() })
            }
            (Defect::SignInUpserts, Outcome::Gone(Gone::Absent)) if renews => {
                Outcome::Applied(Applied { rev: 1, epoch, repeated: false, ..Applied::default() })
            }
            (Defect::IgnoresEpoch, Outcome::Gone(Gone::Superseded)) => {
                let under = before.map_or(epoch, |record| record.meta.epoch);
                self.inner.apply(id, under, patch, None).await?
            }
            (Defect::SupersedesNobody, Outcome::Gone(Gone::Superseded)) => {
                Outcome::Gone(Gone::Absent)
            }
            (Defect::RenewalsAllSucceed, Outcome::Gone(Gone::Superseded)) if renews => {
                Outcome::Applied(Applied {
                    rev: 2,
                    epoch: 2,
                    repeated: false,
                    ..Applied::default()
                })
            }
            (Defect::AnswersOldRev, Outcome::Applied(mut applied)) => {
                applied.rev = before.map_or(0, |record| record.meta.rev);
                Outcome::Applied(applied)
            }
            (Defect::RewritesFields, Outcome::Applied(applied)) => {
                let extra = Patch::of(before.map_or(Vec::new(), |old| {
                    let rest = super::rewrite::every_field(&old).into_iter();
                    rest.filter(|old| patch.ops.iter().all(|new| new.name != old.name)).collect()
                }));
                self.inner.apply(id, applied.epoch, &extra, None).await?;
                Outcome::Applied(applied)
            }
            (Defect::ConflictsWithOldRecord, Outcome::Conflict(mut conflict)) => {
                if let Some(old) = self.seen().created.get(&id) {
                    conflict.current = old.clone();
                }
                Outcome::Conflict(conflict)
            }
            (Defect::DeniedWrites, outcome @ Outcome::Denied(_)) => {
                self.inner.apply(id, epoch, &Patch::of(patch.ops.clone()), None).await?;
                outcome
            }
            (
                Defect::RemembersRefused,
                outcome @ (Outcome::Refused(_) | Outcome::Conflict(_) | Outcome::Denied(_)),
            ) => {
                self.seen().refused.insert(patch.id);
                outcome
            }
            (Defect::KeepsTaken, Outcome::Applied(mut applied)) => {
                applied.taken.iter_mut().for_each(|taken| taken.value = None);
                Outcome::Applied(applied)
            }
            (Defect::RepeatsHandOut, Outcome::Applied(mut applied)) => {
                let mut seen = self.seen();
                let first = seen.answers.entry(patch.id).or_insert_with(|| applied.clone());
                applied.taken.clone_from(&first.taken);
                Outcome::Applied(applied)
            }
            (Defect::DropsEmptyRecords, Outcome::Applied(applied)) => {
                let had = before.is_some_and(|record| !record.fields.is_empty());
                let found = self.peek(id).await?;
                if had && found.is_some_and(|record| record.fields.is_empty()) {
                    self.inner.delete(id, EndReason::OtherDevice).await?;
                }
                Outcome::Applied(applied)
            }
            (_, outcome) => outcome,
        })
    }

    /// Looks at what is taken, then removes it.
    async fn in_two_steps(
        &self,
        epoch: u64,
        patch: &Patch,
        record: &Record,
    ) -> Result<Outcome, StoreError> {
        tokio::task::yield_now().await;
        let mut taken = Vec::new();
        let mut removing = patch.clone();
        for op in removing.ops.iter_mut().filter(|op| op.op == Op::Take) {
            let value = record.fields.get(&op.name).map(<[u8]>::to_vec);
            taken.push(Taken { name: op.name.clone(), value });
            op.op = Op::Remove;
        }
        let mut outcome = self.inner.apply(record.id, epoch, &removing, None).await?;
        if let Outcome::Applied(applied) = &mut outcome
            && !applied.repeated
        {
            applied.taken = taken;
        }
        Ok(outcome)
    }

    /// Computes sums apart from writing them.
    async fn adding(
        &self,
        epoch: u64,
        patch: &Patch,
        record: &Record,
    ) -> Result<Outcome, StoreError> {
        let mut setting = patch.clone();
        for op in &mut setting.ops {
            let Op::Add(add) = &op.op else { continue };
            let stored = record.fields.get(&op.name);
            let text = stored.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            let sum = match (add.sum(&op.name, stored), self.defect) {
                (Ok(sum), Defect::AddsInTwoSteps | Defect::AddsToRead) => sum.to_string(),
                (Ok(sum), Defect::AddsAsDouble) => (sum as f64 as i128).to_string(),
                (Ok(_), Defect::AddsWrapping) => {
                    let base = text.map_or(add.absent.wide(), |text| text.parse().unwrap());
                    (base + i128::from(add.delta)).to_string()
                }
                (Err(_), Defect::AddsToAnything) => add.delta.to_string(),
                _ => continue,
            };
            op.op = Op::set(sum);
        }
        tokio::task::yield_now().await;
        self.inner.apply(record.id, epoch, &setting, None).await
    }

    /// Renews first; the rest of the patch comes afterwards, or not at all.
    async fn renewing(
        &self,
        id: SessionId,
        epoch: u64,
        patch: &Patch,
    ) -> Result<Outcome, StoreError> {
        if patch.meta.renew.is_none() {
            return self.inner.apply(id, epoch, patch, None).await;
        }
        let mut first = patch.clone();
        first.ops.clear();
        first.meta.principal = None;
        let outcome = self.inner.apply(id, epoch, &first, None).await?;
        tokio::task::yield_now().await;
        if let Outcome::Applied(applied) = &outcome
            && self.has(Defect::IndexesLater)
        {
            let mut rest = Patch::of(patch.ops.clone());
            rest.meta.principal.clone_from(&patch.meta.principal);
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            self.inner.apply(id, applied.epoch, &rest, None).await?;
        }
        Ok(outcome)
    }
}

const LIFETIME: Lifetime = Lifetime {
    idle: Some(std::time::Duration::from_secs(30 * 60)),
    absolute: Some(std::time::Duration::from_secs(12 * 60 * 60)),
    remember: false,
};

fn repeated(current: Option<&Arc<Record>>, epoch: u64) -> Outcome {
    let rev = current.map_or(1, |record| record.meta.rev);
    Outcome::Applied(Applied { rev, epoch, repeated: true, ..Applied::default() })
}

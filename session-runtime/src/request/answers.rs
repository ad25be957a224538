//! The calls of the store, and the handling of its answers.
//!
//! The usual answers are handled inline; the handling of all others is boxed, because it would
//! enlarge every commit's future.

use std::borrow::Cow;
use std::sync::Arc;

use super::Committed;
use super::attempts::{Attempts, Basis, Step, Work};
use crate::error::SessionError;
use crate::event::{Happening, SecurityEventKind};
use crate::id::SessionId;
use crate::record::patch::{Applied, Conflict, Denied, Gone, Op, Outcome, Patch, Refused};
use crate::record::{Principal, Record};
use crate::session::{Apply, CookieChange, Create, Origin};
use crate::store::{Created, StoreError, StoreFuture};

impl Attempts<'_> {
    pub(super) async fn create(&mut self, create: &Create) -> Result<Step, SessionError> {
        self.needs_head()?;
        if create.ends.is_some() || self.kin.may_repeat() {
            let before = Box::pin(self.before_create(create));
            if let Some(instead) = before.await? {
                return Ok(instead);
            }
        }
        if self.is_external() {
            Box::pin(self.note_new(&create.record)).await?;
        }
        let engine = &self.request.engine;
        let answer = engine.store.create(Arc::clone(&create.record), create.sign_in);
        let answer = engine.in_time(answer).await;
        self.on_created(create, answer).await
    }

    /// Prepares a new record that takes the place of another session.
    async fn before_create(&mut self, create: &Create) -> Result<Option<Step>, SessionError> {
        if create.ends.is_some()
            && let Some(current) = self.changed_before_succession().await?
        {
            return Ok(Some(Step::Done(Committed::Outdated(current))));
        }
        self.kin.will_end(create.ends);
        let joined = self.kin.may_repeat() && self.joins_first_sign_in(&create.record).await?;
        Ok(joined.then_some(Step::Again))
    }

    fn on_created<'s>(
        &'s mut self,
        create: &'s Create,
        answer: Option<Result<Created, StoreError>>,
    ) -> StoreFuture<'s, Result<Step, SessionError>> {
        let record = &create.record;
        StoreFuture::ready(match answer {
            Some(Ok(Created::Created { evicted })) => {
                if self.kin.ends_others() {
                    return StoreFuture::new(self.ends_others_with(create, evicted));
                }
                Ok(self.became(create, &evicted))
            }
            Some(Ok(Created::Exists)) => {
                self.left -= 1;
                return StoreFuture::new(self.on_taken(record, create.follows));
            }
            Some(Ok(Created::Denied(denied))) => {
                Err(self.denied(denied, record.meta.principal.as_ref()))
            }
            Some(Ok(Created::Refused(refused))) => Err(SessionError::Refused(refused)),
            lost => {
                // It may have been stored nevertheless.
                self.request.remove_unused(record);
                Err(lost.and_then(Result::err).map_or(SessionError::Uncertain, Into::into))
            }
        })
    }

    async fn ends_others_with(
        &mut self,
        create: &Create,
        evicted: Vec<SessionId>,
    ) -> Result<Step, SessionError> {
        if let Err(error) = self.end_kin(create.record.id).await {
            self.request.remove_unused(&create.record);
            return Err(error);
        }
        Ok(self.became(create, &evicted))
    }

    fn became(&self, create: &Create, evicted: &[SessionId]) -> Step {
        self.report_created(&create.record, evicted);
        let (record, cookie) = (Arc::clone(&create.record), create.cookie.clone());
        self.request.became(record, cookie, self.generation);
        Step::Done(Committed::Stored)
    }

    pub(super) async fn apply(&mut self, apply: &mut Apply) -> Result<Step, SessionError> {
        // A commit that takes privileges away goes through even if the client can no longer be
        // told.
        if apply.cookie.is_some() && self.keeps_everything() {
            self.needs_head()?;
        }
        if self.is_external() || apply.patch.meta.lifetime.is_some() {
            Box::pin(self.note_changed(apply.id, &apply.patch)).await?;
        }
        if let Some(record) = self.basis.origin().record()
            && record.meta.is_acted()
        {
            // If it has ended, the store answers that below.
            Box::pin(self.request.vouch_for_actor(record, false)).await?;
        }
        let (engine, read) = (&self.request.engine, self.basis.origin().record());
        let answer = engine.store.apply(apply.id, apply.epoch, &apply.patch, read);
        let answer = engine.in_time(answer).await;
        self.on_answer(apply, answer).await
    }

    /// Applies the patch again if the first answer was lost: the store recognizes it by its id and
    /// answers without applying it twice.
    fn on_answer<'s>(
        &'s mut self,
        apply: &'s mut Apply,
        answer: Option<Result<Outcome, StoreError>>,
    ) -> StoreFuture<'s, Result<Step, SessionError>> {
        match answer {
            None | Some(Ok(Outcome::Uncertain)) => StoreFuture::new(async move {
                let outcome = self.apply_again(apply).await;
                self.on_outcome(apply, outcome).await
            }),
            Some(Ok(outcome)) => self.on_outcome(apply, outcome),
            Some(Err(error)) => StoreFuture::ready(Err(error.into())),
        }
    }

    async fn apply_again(&self, apply: &Apply) -> Outcome {
        let read = self.basis.origin().record();
        let again = read.map(|record| record.meta.rev);
        let patch = Patch { again, ..apply.patch.clone() };
        let engine = &self.request.engine;
        match engine.in_time(engine.store.apply(apply.id, apply.epoch, &patch, read)).await {
            Some(Ok(outcome)) => outcome,
            // The first call may have been applied nevertheless.
            None | Some(Err(_)) => Outcome::Uncertain,
        }
    }

    fn on_outcome<'s>(
        &'s mut self,
        apply: &'s mut Apply,
        outcome: Outcome,
    ) -> StoreFuture<'s, Result<Step, SessionError>> {
        let id = apply.id;
        StoreFuture::ready(match outcome {
            Outcome::Applied(applied) => {
                if self.kin.ends_others() {
                    return StoreFuture::new(async move {
                        self.end_kin(id).await?;
                        self.on_applied(id, &apply.patch, applied, apply.cookie.take())
                    });
                }
                self.on_applied(id, &apply.patch, applied, apply.cookie.take())
            }
            Outcome::Gone(gone) if apply.signs_in => {
                return StoreFuture::new(self.on_gone_before_sign_in(id, gone));
            }
            Outcome::Gone(gone) => Ok(self.on_gone(id, gone, apply.explicit)),
            Outcome::Refused(refused) => self.on_refused(refused),
            Outcome::Conflict(conflict) => {
                return StoreFuture::new(self.on_conflict(id, apply.epoch, conflict));
            }
            Outcome::Denied(denied) => {
                let comes = apply.patch.meta.principal.clone().flatten();
                let known = self.basis.origin().record();
                let known = known.and_then(|record| record.meta.principal.as_ref());
                Err(self.denied(denied, comes.as_ref().or(known)))
            }
            Outcome::Uncertain => {
                self.request.engine.metrics.uncertain.one();
                Err(SessionError::Uncertain)
            }
        })
    }

    /// Returns the session that is to end, if it has changed since a transaction read it.
    async fn changed_before_succession(&self) -> Result<Option<Arc<Record>>, SessionError> {
        let is_transaction = match &self.work {
            Work::Published { pending, .. } => pending.unchanged,
            Work::Take { .. } => false,
        };
        match self.basis.origin() {
            Origin::Stored(read) if is_transaction => self.request.outdated(read).await,
            _ => Ok(None),
        }
    }

    fn on_applied(
        &mut self,
        id: SessionId,
        patch: &Patch,
        mut applied: Applied,
        cookie: Option<CookieChange>,
    ) -> Result<Step, SessionError> {
        if let Work::Take { taken, .. } = &mut self.work {
            if applied.repeated {
                // It was taken, but the answer with the value is lost.
                return Err(SessionError::Uncertain);
            }
            **taken = std::mem::take(&mut applied.taken);
        }
        self.report_applied(id, patch, &applied);
        self.request.applied(self.basis.origin(), patch, &applied, cookie, self.generation);
        Ok(Step::Done(Committed::Stored))
    }

    /// A sign-in does not depend on the session that it found.
    async fn on_gone_before_sign_in(
        &mut self,
        id: SessionId,
        gone: Gone,
    ) -> Result<Step, SessionError> {
        self.left -= 1;
        let seen = self.kin.part().unwrap_or_else(|| self.basis.origin().clone());
        let from = match &seen {
            Origin::Stored(record) if gone == Gone::Superseded && record.id == id => {
                if let Some(now) = self.look_for_sign_in(id).await? {
                    return Ok(self.continues_with(Arc::clone(record), now));
                }
                Some(Arc::clone(record))
            }
            _ => None,
        };
        self.basis = Basis::Fork { seen, from };
        Ok(Step::Again)
    }

    /// Continues with the presented session, which a job has changed: what
    /// the request saw may include a privilege that was taken away.
    fn continues_with(&mut self, seen: Arc<Record>, now: Arc<Record>) -> Step {
        if self.is_transaction() {
            return Step::Done(Committed::Outdated(now));
        }
        self.basis = Basis::Changed { seen, now: Origin::Stored(now) };
        Step::Again
    }

    fn on_gone(&self, id: SessionId, gone: Gone, explicit: bool) -> Step {
        self.request.engine.metrics.gone.one();
        tracing::debug!(session = %id, ?gone, "the session of a request is gone");
        self.request.ended(id, self.generation);
        Step::Done(self.lost(explicit))
    }

    /// Reports changes that have no session to be stored in.
    pub(super) fn lost(&self, explicit: bool) -> Committed {
        let fields: Vec<_> = match &self.work {
            Work::Published { pending, .. } => pending.ops.iter().map(|op| op.field.name).collect(),
            Work::Take { .. } => Vec::new(),
        };
        self.request.lost(&fields, explicit)
    }

    /// Leaves out a refused addition: the field holds another type, the request goes on, and the
    /// stored bytes stay. Everything else is an error.
    fn on_refused(&mut self, refused: Refused) -> Result<Step, SessionError> {
        let Work::Published { pending, .. } = &mut self.work else {
            return Err(SessionError::Refused(refused));
        };
        let before = pending.ops.len();
        if matches!(refused, Refused::NotAnInteger { .. }) {
            pending.ops.retain(|op| !matches!(op.op, Op::Add(_)) || op.name() != refused.field());
        }
        if pending.ops.len() == before {
            return Err(SessionError::Refused(refused));
        }
        tracing::warn!(field = refused.field(), "a counter was not changed: {refused}");
        self.left -= 1;
        Ok(Step::Again)
    }

    async fn on_conflict(
        &mut self,
        id: SessionId,
        epoch: u64,
        conflict: Conflict,
    ) -> Result<Step, SessionError> {
        self.request.engine.metrics.conflicts.one();
        if let Work::Published { pending, .. } = &self.work
            && pending.unchanged
        {
            return Ok(Step::Done(Committed::Outdated(conflict.current)));
        }
        let Some(now) = self.wait(id, epoch, conflict.current).await? else {
            let field = conflict.field.map(Cow::into_owned);
            return Err(SessionError::Conflict { field });
        };
        let seen = match &self.basis {
            Basis::Changed { seen, .. } => Arc::clone(seen),
            Basis::Seen(Origin::Stored(record)) => Arc::clone(record),
            // Only a stored record has conflicts.
            Basis::Seen(_) | Basis::Fork { .. } => Arc::clone(&now),
        };
        self.basis = Basis::Changed { seen, now: Origin::Stored(now) };
        Ok(Step::Again)
    }

    /// Waits for the turn to retry and returns the record to retry on: `current`, or a later one.
    /// `None` if the deadline has passed.
    async fn wait(
        &mut self,
        id: SessionId,
        epoch: u64,
        current: Arc<Record>,
    ) -> Result<Option<Arc<Record>>, SessionError> {
        let engine = &self.request.engine;
        engine.metrics.retries.one();
        if let Some(retry) = &mut self.retry {
            return Ok(retry.pause().await.then_some(current));
        }
        let limit = engine.config.conflict_timeout;
        let Some(mut turn) = engine.queues.join(id, limit).await else { return Ok(None) };
        let in_time = turn.pause().await;
        self.retry = Some(Box::new(turn));
        // The requests ahead in the queue have changed it again.
        let stored = engine.within(engine.store.reload(id, epoch)).await?;
        Ok(in_time.then(|| stored.unwrap_or(current)))
    }

    fn denied(&self, denied: Denied, principal: Option<&Principal>) -> SessionError {
        let event = Happening::new(SecurityEventKind::Denied).by(principal);
        self.request.engine.happened(&event);
        SessionError::SignInDenied(denied)
    }
}

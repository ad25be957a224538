//! The only place that runs a plan against a store.

use std::future::Future;

use crate::error::SessionError;
use crate::id::SessionId;
use crate::patch::{Applied, Gone, Op, Outcome, Patch, Refused};
use crate::record::{Applying, Record};
use crate::request::RequestSession;
use crate::session::{CookieChange, Origin, Pending, Plan, Situation, Write, fork, plan};
use crate::store::{Created, StoreError, StoreErrorKind};
use crate::token::{NoRandomness, SessionToken};

/// How often a new record gets another id because its first is taken. Ids
/// have 128 random bits: a second collision is a broken generator.
const CREATE_ATTEMPTS: usize = 3;

/// What became of a request's changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Committed {
    /// They are stored, or there were none.
    Stored,
    /// Their session is over; they are gone.
    Lost,
}

impl RequestSession {
    /// Whether there is anything to store.
    pub(crate) fn has_work(&self) -> bool {
        let state = self.scope.state();
        !state.pending.is_empty() || !state.destroyed.is_empty()
    }

    /// Stores what the handles of this request published. Unless `keep_fields`,
    /// only what takes privileges away.
    ///
    /// Once begun it must run to its end; the middleware sees to that.
    pub(crate) async fn commit(&self, keep_fields: bool) -> Result<Committed, SessionError> {
        let _turn = self.turn.lock().await;
        let (mut pending, destroyed) = {
            let mut state = self.scope.state();
            (std::mem::take(&mut state.pending), std::mem::take(&mut state.destroyed))
        };
        for (index, id) in destroyed.iter().enumerate() {
            if let Err(error) = self.delete(*id).await {
                let mut state = self.scope.state();
                state.destroyed.extend(&destroyed[index..]);
                let newer = std::mem::replace(&mut state.pending, pending);
                state.pending.absorb(newer);
                return Err(error.into());
            }
        }
        let failed = pending.failed.take().filter(|_| keep_fields);
        let stored = self.store(&mut pending, keep_fields && failed.is_none()).await;
        if let Some(error) = failed {
            return Err(error);
        }
        if matches!(stored, Err(SessionError::Store(_))) {
            // Nothing was written: another attempt may still succeed.
            let mut state = self.scope.state();
            let newer = std::mem::replace(&mut state.pending, pending);
            state.pending.absorb(newer);
        }
        stored
    }

    async fn delete(&self, id: SessionId) -> Result<(), StoreError> {
        self.engine.within(self.engine.store.delete(id)).await?;
        let mut state = self.scope.state();
        state.cookie = Some(CookieChange::Remove);
        tracing::debug!(session = %id, "session destroyed");
        Ok(())
    }

    async fn store(
        &self,
        pending: &mut Pending,
        keep_fields: bool,
    ) -> Result<Committed, SessionError> {
        let (mut origin, token) = {
            let state = self.scope.state();
            (state.origin.clone(), state.token.clone())
        };
        let mut next = self.plan(&origin, token.as_ref(), pending, keep_fields)?;
        for _ in 0..CREATE_ATTEMPTS + pending.ops.len() {
            let write = match next {
                Plan::Nothing => return Ok(Committed::Stored),
                Plan::Lost { explicit } => return Ok(self.lost(explicit)),
                Plan::Write(write) => *write,
            };
            match write {
                Write::Create { record, cookie } => {
                    self.needs_head(&cookie)?;
                    match self.create(&record).await? {
                        Created::Created => {
                            tracing::debug!(session = %record.id, "session created");
                            self.became(record, Some(cookie));
                            return Ok(Committed::Stored);
                        }
                        Created::Exists => origin = Origin::Nobody,
                    }
                }
                Write::Apply { id, epoch, patch, cookie, signs_in, explicit } => {
                    if let Some(cookie) = &cookie {
                        self.needs_head(cookie)?;
                    }
                    match self.apply(id, epoch, &patch).await? {
                        Outcome::Applied(applied) => {
                            self.applied(&patch, &applied, cookie);
                            return Ok(Committed::Stored);
                        }
                        Outcome::Gone(gone) if signs_in => {
                            let snapshot = self.scope.state().record().cloned();
                            let snapshot = snapshot.filter(|_| gone == Gone::Superseded);
                            next = self.fork(snapshot.as_deref(), pending, keep_fields)?;
                            continue;
                        }
                        Outcome::Gone(gone) => {
                            tracing::debug!(session = %id, ?gone, "the session of a request is gone");
                            self.scope.state().origin = Origin::Retired;
                            return Ok(self.lost(explicit));
                        }
                        Outcome::Refused(refused) => leave_out(pending, refused)?,
                        Outcome::Conflict(conflict) => {
                            let field = conflict.field.map(|field| field.into_owned());
                            return Err(SessionError::Conflict { field });
                        }
                        Outcome::Uncertain => return Err(SessionError::Uncertain),
                    }
                }
            }
            next = self.plan(&origin, token.as_ref(), pending, keep_fields)?;
        }
        Err(SessionError::Store(StoreError::new(StoreErrorKind::Corrupt)))
    }

    fn situation<'s>(
        &self,
        origin: &'s Origin,
        token: Option<&'s SessionToken>,
        pending: &'s Pending,
        keep_fields: bool,
    ) -> Situation<'s> {
        let (policy, now) = (self.engine.config.policy, self.engine.now());
        Situation { origin, token, pending, keep_fields, policy, now }
    }

    fn plan(
        &self,
        origin: &Origin,
        token: Option<&SessionToken>,
        pending: &Pending,
        keep_fields: bool,
    ) -> Result<Plan, NoRandomness> {
        plan(&self.situation(origin, token, pending, keep_fields), &mint)
    }

    fn fork(
        &self,
        snapshot: Option<&Record>,
        pending: &Pending,
        keep_fields: bool,
    ) -> Result<Plan, NoRandomness> {
        fork(&self.situation(&Origin::Nobody, None, pending, keep_fields), snapshot, &mint)
    }

    /// A cookie can be sent only as long as the head has not left.
    fn needs_head(&self, _cookie: &CookieChange) -> Result<(), SessionError> {
        if self.scope.head_sent() { Err(SessionError::HeadSent) } else { Ok(()) }
    }

    async fn create(&self, record: &Record) -> Result<Created, SessionError> {
        match self.engine.in_time(self.engine.store.create(record.clone())).await {
            Some(answer) => Ok(answer?),
            // It may be stored; without its token nobody will ever find it.
            None => Err(SessionError::Uncertain),
        }
    }

    async fn apply(&self, id: SessionId, epoch: u64, patch: &Patch) -> Result<Outcome, StoreError> {
        let answer = self.engine.in_time(self.engine.store.apply(id, epoch, patch)).await;
        answer.unwrap_or(Ok(Outcome::Uncertain))
    }

    fn became(&self, record: Record, cookie: Option<CookieChange>) {
        let mut state = self.scope.state();
        state.origin = Origin::Stored(record.into());
        if let Some(CookieChange::Set { token, .. }) = &cookie {
            state.token = Some(token.clone());
        }
        state.cookie = cookie.or(state.cookie.take());
    }

    /// The record after our patch, as far as this request can know: what
    /// others changed meanwhile is seen by a reload.
    fn applied(&self, patch: &Patch, applied: &Applied, cookie: Option<CookieChange>) {
        let record = self.scope.state().record().cloned();
        let Some(before) = record else { return };
        let mut record = match before.apply(before.meta.epoch, patch, self.engine.now()) {
            Applying::Stored(record, _) => *record,
            Applying::Answer(_) => (*before).clone(),
        };
        record.meta.rev = applied.rev;
        record.meta.epoch = applied.epoch;
        tracing::trace!(session = %record.id, rev = applied.rev, ?patch, "session saved");
        self.became(record, cookie);
    }

    fn lost(&self, explicit: bool) -> Committed {
        self.scope.state().lost |= explicit;
        Committed::Lost
    }
}

/// Leaves a refused addition out: the field holds something else, the request
/// goes on, and the stored bytes stay. Everything else is an error.
fn leave_out(pending: &mut Pending, refused: Refused) -> Result<(), SessionError> {
    let before = pending.ops.len();
    pending.ops.retain(|op| !(matches!(op.op, Op::Add(_)) && op.name() == refused.field()));
    if pending.ops.len() == before {
        return Err(SessionError::Refused(refused));
    }
    tracing::warn!(field = refused.field(), "a counter was not changed: {refused}");
    Ok(())
}

fn mint(id: Option<SessionId>) -> Result<SessionToken, NoRandomness> {
    match id {
        Some(id) => SessionToken::renew(id),
        None => SessionToken::generate(),
    }
}

/// Runs `future` to its end though nobody waits for it.
pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn(future)),
        Err(_) => tracing::error!(
            "a session commit was abandoned outside a tokio runtime; it may not be stored"
        ),
    }
}

//! One attempt of a commit after the other, until it is decided what became of
//! it: make a plan, ask the store, look at its answer.

use std::borrow::Cow;
use std::sync::Arc;

use super::kin::Kin;
use super::{Committed, RequestSession};
use crate::error::SessionError;
use crate::event::{Happening, SecurityEventKind};
use crate::id::SessionId;
use crate::patch::{Applied, Conflict, Denied, FieldOp, Gone, Op, Outcome, Patch, Refused, Taken};
use crate::record::{Principal, Record};
use crate::retry::Retry;
use crate::schema::Schema;
use crate::session::{
    CookieChange, Keep, Marked, Origin, Pending, PendingOp, Plan, Situation, Write, fork, plan,
    seal,
};
use crate::store::Created;
use crate::token::{NoRandomness, SessionToken};

/// How often a plan is made anew: because an id is taken (which, of 128 random
/// bits, happens once at most), or the record turned out to be gone. Each field
/// may be left out once besides.
const ATTEMPTS: usize = 4;

/// What is to be stored.
pub(super) enum Work<'w> {
    /// What the handles of the request published.
    Published { pending: &'w mut Pending, keep: Keep },
    /// Values are to be taken out of the store.
    Take { names: Vec<Cow<'static, str>>, taken: &'w mut Vec<Taken> },
}

/// What the next attempt is made on.
pub(super) enum Basis {
    /// What the handles of the request saw.
    Seen(Origin),
    /// The record as others have changed it since the handles saw it.
    Changed { seen: Arc<Record>, now: Origin },
    /// The record is gone, and the sign-in starts another one: from what the
    /// handles saw, if another sign-in has superseded that.
    Fork { seen: Origin, from: Option<Arc<Record>> },
}

impl Basis {
    pub(super) const fn origin(&self) -> &Origin {
        match self {
            Self::Seen(origin) | Self::Changed { now: origin, .. } => origin,
            Self::Fork { seen, .. } => seen,
        }
    }
}

/// What an attempt came to.
pub(super) enum Step {
    Again,
    Done(Committed),
}

/// A commit on its way.
pub(super) struct Attempts<'c> {
    pub(super) request: &'c Arc<RequestSession>,
    pub(super) work: Work<'c>,
    /// The session of the request that this is about.
    generation: u32,
    pub(super) basis: Basis,
    /// The token that the client presented.
    pub(super) token: Option<SessionToken>,
    /// The schemas under which the request reads the session.
    schemas: Vec<&'static Schema>,
    /// The fields that a change of user is about.
    marked: Marked,
    /// Which other sessions it may go on with, and which it ends.
    pub(super) kin: Kin,
    /// The place in the queue, after the first conflict.
    retry: Option<Retry>,
    /// How many attempts may still fail for another reason than a conflict,
    /// which has a deadline.
    left: usize,
}

impl<'c> Attempts<'c> {
    pub(super) fn new(request: &'c Arc<RequestSession>, work: Work<'c>, generation: u32) -> Self {
        let alone = match &work {
            Work::Published { pending, .. } => pending.unchanged,
            Work::Take { .. } => false,
        };
        let (origin, token, schemas, kin) = {
            let state = request.scope.state();
            (
                state.origin.clone(),
                state.token.clone(),
                state.schemas.clone(),
                Kin::of(&state, alone),
            )
        };
        let (marked, ops) = match &work {
            Work::Published { pending, .. } if pending.may_change_user() => {
                (request.engine.schemas().marked(), pending.ops.len())
            }
            Work::Published { pending, .. } => (Marked::default(), pending.ops.len()),
            Work::Take { .. } => (Marked::default(), 0),
        };
        let (basis, left) = (Basis::Seen(origin), ATTEMPTS + ops);
        Self { request, work, generation, basis, token, schemas, marked, kin, retry: None, left }
    }

    pub(super) async fn run(&mut self) -> Result<Committed, SessionError> {
        while self.left > 0 {
            let mut write = match self.plan()? {
                Plan::Nothing => return Ok(Committed::Stored),
                Plan::Answer(cookie) => {
                    self.request.answered(cookie, self.generation);
                    return Ok(Committed::Stored);
                }
                Plan::Lost { explicit } => return Ok(self.lost(explicit)),
                Plan::Write(write) => write,
            };
            seal(&mut write, &self.schemas, &self.request.engine.config.keys)?;
            // Borrowed, so that the commit has room for it once.
            if let Step::Done(committed) = self.write(&mut write).await? {
                return Ok(committed);
            }
        }
        // Others were in the way each time.
        Err(SessionError::Conflict { field: None })
    }

    fn plan(&self) -> Result<Plan, SessionError> {
        let (pending, keep) = match &self.work {
            Work::Published { pending, keep } => (&**pending, *keep),
            Work::Take { names, .. } => return Ok(take(self.basis.origin(), names)),
        };
        let engine = &self.request.engine;
        let situation = Situation {
            origin: self.basis.origin(),
            seen: match &self.basis {
                Basis::Changed { seen, .. } => Some(&**seen),
                Basis::Seen(_) | Basis::Fork { .. } => None,
            },
            token: self.token.as_ref(),
            after: self.kin.after(self.basis.origin()),
            joins: self.kin.joins(),
            pending,
            schemas: &self.schemas,
            keys: &engine.config.keys,
            marked: &self.marked,
            keep,
            head_open: !self.request.scope.head_sent(),
            policy: engine.config.policy,
            realm: engine.config.realms.own(),
            now: engine.now(),
        };
        match &self.basis {
            Basis::Fork { from, .. } => fork(&situation, from.as_ref(), &mint),
            Basis::Seen(_) | Basis::Changed { .. } => plan(&situation, &mint),
        }
    }

    /// What is rare is boxed here: its room would be in every commit.
    async fn write(&mut self, write: &mut Write) -> Result<Step, SessionError> {
        match write {
            Write::Create { record, sign_in, cookie, ends, follows, .. } => {
                self.needs_head()?;
                if ends.is_some()
                    && let Some(current) = Box::pin(self.changed_before_succession()).await?
                {
                    return Ok(Step::Done(Committed::Outdated(current)));
                }
                self.kin.will_end(*ends);
                if self.kin.may_repeat() && Box::pin(self.joins_first_sign_in(record)).await? {
                    return Ok(Step::Again);
                }
                match self.request.create(record, *sign_in).await? {
                    Created::Created { evicted } => {
                        if self.kin.ends_others()
                            && let Err(error) = Box::pin(self.end_kin(record.id)).await
                        {
                            self.request.remove_unused(record);
                            return Err(error);
                        }
                        self.report_created(record, &evicted);
                        let (record, cookie) = (Arc::clone(record), cookie.clone());
                        self.request.became(record, cookie, self.generation);
                        Ok(Step::Done(Committed::Stored))
                    }
                    Created::Exists => {
                        self.left -= 1;
                        Box::pin(self.on_taken(record, *follows)).await
                    }
                    Created::Denied(denied) => {
                        Err(self.denied(denied, record.meta.principal.as_ref()))
                    }
                    Created::Refused(refused) => Err(SessionError::Refused(refused)),
                }
            }
            Write::Apply { id, epoch, patch, cookie, signs_in, explicit, .. } => {
                // What takes privileges away needs nobody to hear of it.
                if cookie.is_some() && self.keeps_everything() {
                    self.needs_head()?;
                }
                let (id, read) = (*id, self.basis.origin().record());
                match self.request.apply(id, *epoch, patch, read).await? {
                    Outcome::Applied(applied) => {
                        if self.kin.ends_others() {
                            Box::pin(self.end_kin(id)).await?;
                        }
                        self.on_applied(id, patch, applied, cookie.take())
                    }
                    Outcome::Gone(gone) if *signs_in => {
                        Box::pin(self.on_gone_before_sign_in(id, gone)).await
                    }
                    Outcome::Gone(gone) => Ok(self.on_gone(id, gone, *explicit)),
                    Outcome::Refused(refused) => self.on_refused(refused),
                    Outcome::Conflict(conflict) => {
                        Box::pin(self.on_conflict(id, *epoch, conflict)).await
                    }
                    Outcome::Denied(denied) => {
                        let comes = patch.meta.principal.clone().flatten();
                        let known = self.basis.origin().record();
                        let known = known.and_then(|record| record.meta.principal.as_ref());
                        Err(self.denied(denied, comes.as_ref().or(known)))
                    }
                    Outcome::Uncertain => {
                        self.request.engine.metrics.uncertain.one();
                        Err(SessionError::Uncertain)
                    }
                }
            }
        }
    }

    /// What a transaction had read of the session that is to end, if that changed.
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
                // It was taken, and the answer that held it is lost.
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
                self.look_for_sign_in(id).await?;
                Some(Arc::clone(record))
            }
            _ => None,
        };
        self.basis = Basis::Fork { seen, from };
        Ok(Step::Again)
    }

    fn on_gone(&self, id: SessionId, gone: Gone, explicit: bool) -> Step {
        self.request.engine.metrics.gone.one();
        tracing::debug!(session = %id, ?gone, "the session of a request is gone");
        self.request.ended(id, self.generation);
        Step::Done(self.lost(explicit))
    }

    /// What was to be stored has no session to go to.
    pub(super) fn lost(&self, explicit: bool) -> Committed {
        let fields: Vec<_> = match &self.work {
            Work::Published { pending, .. } => pending.ops.iter().map(|op| op.field.name).collect(),
            Work::Take { .. } => Vec::new(),
        };
        self.request.lost(&fields, explicit)
    }

    /// Leaves a refused addition out: the field holds something else, the
    /// request goes on, and the stored bytes stay. Everything else is an error.
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
            // Only what is stored has conflicts.
            Basis::Seen(_) | Basis::Fork { .. } => Arc::clone(&now),
        };
        self.basis = Basis::Changed { seen, now: Origin::Stored(now) };
        Ok(Step::Again)
    }

    /// Waits until there is a point in trying again, and says on which record:
    /// on `current`, or a later one. `None` if it is too late.
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
        self.retry = Some(turn);
        // Those who were before this one in the queue have changed it again.
        let stored = engine.within(engine.store.reload(id, epoch)).await?;
        Ok(in_time.then(|| stored.unwrap_or(current)))
    }

    fn denied(&self, denied: Denied, principal: Option<&Principal>) -> SessionError {
        let event = Happening::new(SecurityEventKind::Denied).by(principal);
        self.request.engine.happened(&event);
        SessionError::SignInDenied(denied)
    }

    const fn keeps_everything(&self) -> bool {
        matches!(self.work, Work::Published { keep: Keep::Everything, .. } | Work::Take { .. })
    }

    /// Whether somebody proves who they are.
    pub(super) const fn is_sign_in(&self) -> bool {
        match &self.work {
            Work::Published { pending, keep: Keep::Everything } => pending.authenticated,
            _ => false,
        }
    }

    /// Whether something was asked for that must not be lost in silence.
    pub(super) fn is_explicit(&self) -> bool {
        match &self.work {
            Work::Published { pending, .. } => pending.ops.iter().any(PendingOp::is_explicit),
            Work::Take { .. } => false,
        }
    }

    /// A cookie can be sent only as long as the head has not left.
    fn needs_head(&self) -> Result<(), SessionError> {
        if self.request.scope.head_sent() { Err(SessionError::HeadSent) } else { Ok(()) }
    }
}

/// The patch that takes what is stored under `names`.
fn take(origin: &Origin, names: &[Cow<'static, str>]) -> Plan {
    let Origin::Stored(record) = origin else { return Plan::Lost { explicit: false } };
    let takes = names.iter().map(|name| FieldOp::new(name.clone(), Op::Take)).collect();
    Plan::Write(Write::Apply {
        id: record.id,
        realm: record.meta.realm.clone(),
        epoch: record.meta.epoch,
        patch: Patch::of(takes),
        cookie: None,
        signs_in: false,
        explicit: false,
    })
}

fn mint(id: Option<SessionId>) -> Result<SessionToken, NoRandomness> {
    match id {
        Some(id) => SessionToken::renew(id),
        None => SessionToken::generate(),
    }
}

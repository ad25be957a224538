//! One attempt of a commit after the other, until it is decided what became of
//! it: make a plan, ask the store, look at its answer.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Committed, RequestSession};
use crate::error::SessionError;
use crate::id::SessionId;
use crate::patch::{
    Applied, Conflict, Denied, FieldOp, Gone, Op, Outcome, Patch, Refused, SignIn, Taken,
};
use crate::record::Record;
use crate::retry::Retry;
use crate::schema::Schema;
use crate::session::{
    CookieChange, Keep, Marked, Origin, Pending, Plan, Situation, Write, fork, plan, seal,
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
enum Basis {
    /// What the handles of the request saw.
    Seen(Origin),
    /// The record as others have changed it since the handles saw it.
    Changed { seen: Arc<Record>, now: Origin },
    /// The record is gone, and the sign-in starts another one: from what the
    /// handles saw, if another sign-in has superseded that.
    Fork { seen: Origin, from: Option<Arc<Record>> },
}

impl Basis {
    const fn origin(&self) -> &Origin {
        match self {
            Self::Seen(origin) | Self::Changed { now: origin, .. } => origin,
            Self::Fork { seen, .. } => seen,
        }
    }
}

/// What an attempt came to.
enum Step {
    Again,
    Done(Committed),
}

/// A commit on its way.
pub(super) struct Attempts<'c> {
    request: &'c Arc<RequestSession>,
    work: Work<'c>,
    /// The session of the request that this is about.
    generation: u32,
    basis: Basis,
    /// The token that the client presented.
    token: Option<SessionToken>,
    /// The schemas under which the request reads the session.
    schemas: Vec<&'static Schema>,
    /// The fields that a change of user is about.
    marked: Marked,
    /// The place in the queue, after the first conflict.
    retry: Option<Retry>,
    /// How many attempts may still fail for another reason than a conflict,
    /// which has a deadline.
    left: usize,
}

impl<'c> Attempts<'c> {
    pub(super) fn new(request: &'c Arc<RequestSession>, work: Work<'c>, generation: u32) -> Self {
        let (origin, token, schemas) = {
            let state = request.scope.state();
            (state.origin.clone(), state.token.clone(), state.schemas.clone())
        };
        let (marked, ops) = match &work {
            Work::Published { pending, .. } if pending.may_change_user() => {
                (request.engine.schemas().marked(), pending.ops.len())
            }
            Work::Published { pending, .. } => (Marked::default(), pending.ops.len()),
            Work::Take { .. } => (Marked::default(), 0),
        };
        let (basis, left) = (Basis::Seen(origin), ATTEMPTS + ops);
        Self { request, work, generation, basis, token, schemas, marked, retry: None, left }
    }

    pub(super) async fn run(mut self) -> Result<Committed, SessionError> {
        while self.left > 0 {
            let step = match self.plan()? {
                Plan::Nothing => Step::Done(Committed::Stored),
                Plan::Answer(cookie) => {
                    self.request.answered(cookie, self.generation);
                    Step::Done(Committed::Stored)
                }
                Plan::Lost { explicit } => Step::Done(self.request.lost(explicit)),
                Plan::Write(write) => self.write(write).await?,
            };
            if let Step::Done(committed) = step {
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

    async fn write(&mut self, mut write: Write) -> Result<Step, SessionError> {
        seal(&mut write, &self.schemas, &self.request.engine.config.keys)?;
        match write {
            Write::Create { record, sign_in, cookie, ends, .. } => {
                self.needs_head()?;
                if let Some(current) = self.changed_before_succession(ends).await? {
                    return Ok(Step::Done(Committed::Outdated(current)));
                }
                self.create(*record, sign_in, cookie, ends).await
            }
            Write::Apply { id, epoch, patch, cookie, signs_in, explicit, .. } => {
                // What takes privileges away needs nobody to hear of it.
                if cookie.is_some() && self.keeps_everything() {
                    self.needs_head()?;
                }
                let read = match self.basis.origin() {
                    Origin::Stored(record) => Some(record),
                    _ => None,
                };
                match self.request.apply(id, epoch, &patch, read).await? {
                    Outcome::Applied(applied) => self.on_applied(&patch, applied, cookie),
                    Outcome::Gone(gone) if signs_in => Ok(self.on_gone_before_sign_in(gone)),
                    Outcome::Gone(gone) => Ok(self.on_gone(id, gone, explicit)),
                    Outcome::Refused(refused) => self.on_refused(refused),
                    // Boxed: it is rare, and its room would be in every commit.
                    Outcome::Conflict(conflict) => {
                        Box::pin(self.on_conflict(id, epoch, conflict)).await
                    }
                    Outcome::Denied(denied) => Err(self.denied(denied)),
                    Outcome::Uncertain => {
                        self.request.engine.metrics.uncertain.one();
                        Err(SessionError::Uncertain)
                    }
                }
            }
        }
    }

    async fn create(
        &mut self,
        record: Record,
        sign_in: SignIn,
        cookie: CookieChange,
        ends: Option<SessionId>,
    ) -> Result<Step, SessionError> {
        match self.request.create(&record, sign_in).await? {
            Created::Created => {
                tracing::debug!(session = %record.id, "session created");
                if let Some(former) = ends {
                    self.request.end_former(former, record.id).await?;
                }
                self.request.became(record, cookie, self.generation);
                Ok(Step::Done(Committed::Stored))
            }
            Created::Exists => {
                self.left -= 1;
                Ok(Step::Again)
            }
            Created::Denied(denied) => Err(self.denied(denied)),
            Created::Refused(refused) => Err(SessionError::Refused(refused)),
        }
    }

    /// What a transaction had read of the session that is to end, if that changed.
    async fn changed_before_succession(
        &self,
        ends: Option<SessionId>,
    ) -> Result<Option<Arc<Record>>, SessionError> {
        let is_transaction = match &self.work {
            Work::Published { pending, .. } => pending.unchanged,
            Work::Take { .. } => false,
        };
        match (ends, self.basis.origin()) {
            (Some(_), Origin::Stored(read)) if is_transaction => self.request.outdated(read).await,
            _ => Ok(None),
        }
    }

    fn on_applied(
        &mut self,
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
        self.request.applied(self.basis.origin(), patch, &applied, cookie, self.generation);
        Ok(Step::Done(Committed::Stored))
    }

    /// A sign-in does not depend on the session that it found.
    fn on_gone_before_sign_in(&mut self, gone: Gone) -> Step {
        self.left -= 1;
        let seen = self.basis.origin().clone();
        let from = match &seen {
            Origin::Stored(record) if gone == Gone::Superseded => Some(Arc::clone(record)),
            _ => None,
        };
        self.basis = Basis::Fork { seen, from };
        Step::Again
    }

    fn on_gone(&self, id: SessionId, gone: Gone, explicit: bool) -> Step {
        self.request.engine.metrics.gone.one();
        tracing::debug!(session = %id, ?gone, "the session of a request is gone");
        self.request.ended(id, self.generation);
        Step::Done(self.request.lost(explicit))
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

    fn denied(&self, denied: Denied) -> SessionError {
        self.request.engine.metrics.denied.one();
        SessionError::SignInDenied(denied)
    }

    const fn keeps_everything(&self) -> bool {
        matches!(self.work, Work::Published { keep: Keep::Everything, .. } | Work::Take { .. })
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

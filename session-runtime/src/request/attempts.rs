//! The attempts of a commit, until its outcome is decided: make a plan, call the store, handle its
//! answer.

use std::borrow::Cow;
use std::sync::Arc;

use super::kin::Kin;
use super::{Committed, RequestSession};
use crate::error::SessionError;
use crate::id::SessionId;
use crate::record::Record;
use crate::record::patch::{FieldOp, Op, Patch, Taken};
use crate::retry::Retry;
use crate::schema::Schema;
use crate::session::{
    Apply, Keep, Marked, Origin, Pending, PendingOp, Plan, Situation, State, fork, plan,
};
use crate::token::SessionToken;
use crate::transport::Transport;

/// How many times a plan is made again, because an id is taken (with 128 random bits, at most once)
/// or the record is gone. In addition, each field may be left out once.
const ATTEMPTS: usize = 4;

/// What the commit stores or takes.
pub(super) enum Work<'w> {
    /// What the handles of the request published.
    Published { pending: &'w mut Pending, keep: Keep },
    /// Values to take out of the store.
    Take { names: Vec<Cow<'static, str>>, taken: &'w mut Vec<Taken> },
}

/// What the next attempt is based on.
pub(super) enum Basis {
    /// The state that the handles of the request saw.
    Seen(Origin),
    /// The record as others have changed it since the handles saw it.
    Changed { seen: Arc<Record>, now: Origin },
    /// The record is gone and the sign-in creates another one: from what the handles saw, if
    /// another sign-in has superseded that.
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

/// The result of an attempt.
pub(super) enum Step {
    Again,
    Done(Committed),
}

/// The session of the request when the commit begins.
pub(super) struct Seen {
    /// Which session of the request this is.
    pub(super) generation: u32,
    pub(super) origin: Origin,
    /// The token that the client presented.
    token: Option<SessionToken>,
    /// How the client is to send a new token.
    transport: Transport,
    /// The schemas under which the request reads the session.
    schemas: Vec<&'static Schema>,
    kin: Kin,
}

impl Seen {
    /// `alone`: a transaction, which does not continue a session that it has not read.
    pub(super) fn of(state: &State, alone: bool) -> Self {
        Self {
            generation: state.generation,
            origin: state.origin.clone(),
            token: state.token.clone(),
            transport: state.transport,
            schemas: state.schemas.clone(),
            kin: Kin::of(state, alone),
        }
    }
}

/// A commit in progress.
pub(super) struct Attempts<'c> {
    pub(super) request: &'c Arc<RequestSession>,
    pub(super) work: Work<'c>,
    pub(super) generation: u32,
    pub(super) basis: Basis,
    pub(super) token: Option<SessionToken>,
    transport: Transport,
    schemas: Vec<&'static Schema>,
    /// Other sessions that the commit may continue or end.
    pub(super) kin: Kin,
    /// The place in the queue, after the first conflict.
    pub(super) retry: Option<Box<Retry>>,
    /// How many attempts may still fail for reasons other than conflicts, which have a deadline.
    pub(super) left: usize,
}

impl<'c> Attempts<'c> {
    pub(super) fn new(request: &'c Arc<RequestSession>, work: Work<'c>, seen: Seen) -> Self {
        let Seen { generation, origin, token, transport, schemas, kin } = seen;
        let ops = match &work {
            Work::Published { pending, .. } => pending.ops.len(),
            Work::Take { .. } => 0,
        };
        let (basis, left) = (Basis::Seen(origin), ATTEMPTS + ops);
        let retry = None;
        Self { request, work, generation, basis, token, transport, schemas, kin, retry, left }
    }

    pub(super) async fn run(&mut self) -> Result<Committed, SessionError> {
        while self.left > 0 {
            let keys = &self.request.engine.config.keys;
            // Borrowed below, so that the future holds the plan only once.
            let mut plan = self.plan()?;
            let step = match &mut plan {
                Plan::Nothing => return Ok(Committed::Stored),
                Plan::Answer(cookie) => {
                    self.request.answered(cookie.clone(), self.generation);
                    return Ok(Committed::Stored);
                }
                Plan::Lost { explicit } => return Ok(self.lost(*explicit)),
                Plan::Create(create) => {
                    create.seal(&self.schemas, keys)?;
                    self.create(create).await?
                }
                Plan::Apply(apply) => {
                    apply.seal(&self.schemas, keys)?;
                    self.apply(apply).await?
                }
            };
            if let Step::Done(committed) = step {
                return Ok(committed);
            }
        }
        // Other requests interfered every time.
        Err(SessionError::Conflict { field: None })
    }

    fn plan(&self) -> Result<Plan, SessionError> {
        let (pending, keep) = match &self.work {
            Work::Published { pending, keep } => (&**pending, *keep),
            Work::Take { names, .. } => return Ok(take(self.basis.origin(), names)),
        };
        let engine = &self.request.engine;
        let marked = match pending.may_change_user() {
            true => engine.schemas().marked(),
            false => Marked::NONE,
        };
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
            marked,
            keep,
            head_open: !self.request.scope.head_sent(),
            by_client: self.request.elsewhere.is_none(),
            policy: engine.config.policy,
            realm: engine.config.realms.own(),
            now: engine.now(),
        };
        let mint = |id: Option<SessionId>| {
            let token = id.map_or_else(SessionToken::generate, SessionToken::renew);
            Ok(token?.sent_by(self.transport))
        };
        match &self.basis {
            Basis::Fork { from, .. } => fork(&situation, from.as_ref(), &mint),
            Basis::Seen(_) | Basis::Changed { .. } => plan(&situation, &mint),
        }
    }

    pub(super) const fn keeps_everything(&self) -> bool {
        matches!(self.work, Work::Published { keep: Keep::Everything, .. } | Work::Take { .. })
    }

    pub(super) const fn is_transaction(&self) -> bool {
        matches!(&self.work, Work::Published { pending, .. } if pending.unchanged)
    }

    /// Whether the commit authenticates the principal.
    pub(super) const fn is_sign_in(&self) -> bool {
        match &self.work {
            Work::Published { pending, keep: Keep::Everything } => pending.authenticated,
            _ => false,
        }
    }

    /// Whether the sign-in belongs to a session elsewhere.
    pub(super) fn is_external(&self) -> bool {
        match &self.work {
            Work::Published { pending, .. } => self.is_sign_in() && pending.external.is_some(),
            Work::Take { .. } => false,
        }
    }

    /// Whether a requested change must not be lost silently.
    pub(super) fn is_explicit(&self) -> bool {
        match &self.work {
            Work::Published { pending, .. } => pending.ops.iter().any(PendingOp::is_explicit),
            Work::Take { .. } => false,
        }
    }

    /// Fails if the head of the response has been sent, because then no cookie can be.
    pub(super) fn needs_head(&self) -> Result<(), SessionError> {
        if self.request.scope.head_sent() { Err(SessionError::HeadSent) } else { Ok(()) }
    }
}

/// Plans the patch that takes what is stored under `names`.
fn take(origin: &Origin, names: &[Cow<'static, str>]) -> Plan {
    let Origin::Stored(record) = origin else { return Plan::Lost { explicit: false } };
    let takes = names.iter().map(|name| FieldOp::new(name.clone(), Op::Take)).collect();
    Plan::Apply(Apply {
        id: record.id,
        realm: record.meta.realm.clone(),
        epoch: record.meta.epoch,
        patch: Patch::of(takes),
        cookie: None,
        signs_in: false,
        explicit: false,
    })
}

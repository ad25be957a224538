//! The related sessions of the same browser that a commit affects: one that another request has
//! begun in place of the same session, which this one joins, and those that end with a sign-in.

use std::sync::Arc;
use std::time::Duration;

use super::attempts::{Attempts, Basis, Step, Work};
use crate::error::SessionError;
use crate::id::SessionId;
use crate::record::{Ended, Record};
use crate::session::{Origin, Over, State, Why, stays_behind};
use crate::store::{EndReason, Lookup, Touch};

/// A repeated sign-in within this time counts as one that was sent twice.
const SENT_TWICE: Duration = Duration::from_secs(10);

/// The epoch of every newly stored session.
const FIRST_EPOCH: u64 = 1;

/// Other sessions that a commit may continue or end.
pub(super) struct Kin {
    /// An ended session whose token was presented.
    pub(super) over: Option<Over>,
    /// Whether a new session may take the place after it.
    follows: bool,
    /// A sign-in of this browser, with its epoch, that this one may repeat.
    first: Option<(SessionId, u64)>,
    /// The origin of this request before it joined the session of another one.
    before: Option<Origin>,
    /// The session of another user, which ends once this sign-in is stored.
    ends: Option<SessionId>,
    /// The sessions whose tokens the request presented.
    proved: Vec<SessionId>,
    /// Whether the browser may have withheld its session cookie.
    pub(super) withheld: bool,
}

impl Kin {
    /// `alone`: a transaction, which does not continue a session that it has not read.
    pub(super) fn of(state: &State, alone: bool) -> Self {
        let first = state.over.and_then(|over| Some((over.id, over.sign_in?)));
        let first = first.filter(|_| !alone);
        let withheld = matches!(state.origin, Origin::SignInOnly { why: Why::Withheld, .. });
        let proved = state.proved.clone();
        Self {
            over: state.over,
            follows: !alone,
            first,
            before: None,
            ends: None,
            proved,
            withheld,
        }
    }

    /// Returns the session that a new one takes the place after.
    pub(super) fn after(&self, origin: &Origin) -> Option<SessionId> {
        let over = match origin {
            Origin::Stored(record) => Some(record.id),
            _ => self.over.map(|over| over.id),
        };
        over.filter(|_| self.follows)
    }

    /// Whether any session ends once this is stored.
    pub(super) fn ends_others(&self) -> bool {
        self.ends.is_some() || !self.proved.is_empty()
    }

    pub(super) const fn may_repeat(&self) -> bool {
        self.first.is_some()
    }

    pub(super) const fn joins(&self) -> bool {
        self.before.is_some()
    }

    /// Leaves a joined session and returns the origin before it was joined.
    pub(super) fn part(&mut self) -> Option<Origin> {
        self.before.take()
    }

    /// Ends that session of another user with the sign-in.
    pub(super) fn will_end(&mut self, former: Option<SessionId>) {
        self.ends = former.or(self.ends);
    }
}

impl Attempts<'_> {
    /// Finds out whether a sign-in has replaced the token of this request. Returns the record if the
    /// token still opens it: then a job has changed its privileges.
    pub(super) async fn look_for_sign_in(
        &mut self,
        id: SessionId,
    ) -> Result<Option<Arc<Record>>, SessionError> {
        let Some(token) = &self.token else { return Ok(None) };
        let engine = &self.request.engine;
        let secrets = engine.config.realms.secrets(token);
        let found = engine.store.load(id, &secrets, Touch::Never.into());
        match engine.within(found).await? {
            Lookup::Found(record) => {
                engine.vouch_for_realm(&record)?;
                return Ok(Some(record));
            }
            Lookup::Ended(Ended { sign_in: Some(epoch), .. }) => {
                self.kin.first = Some((id, epoch));
            }
            _ => {}
        }
        Ok(None)
    }

    /// Joins the session that the first of two equal sign-ins has begun, if `new` would be the
    /// second.
    pub(super) async fn joins_first_sign_in(&mut self, new: &Record) -> Result<bool, SessionError> {
        match self.kin.first.take() {
            Some((id, epoch)) if new.meta.principal.is_some() => self.join(id, epoch, new).await,
            _ => Ok(false),
        }
    }

    /// Handles a taken place for `new`. The session there may be joined; otherwise a sign-in takes
    /// another place, and any other change is too late.
    pub(super) async fn on_taken(
        &mut self,
        new: &Record,
        follows: bool,
    ) -> Result<Step, SessionError> {
        if !follows {
            return Ok(Step::Again);
        }
        self.kin.follows = false;
        if self.join(new.id, FIRST_EPOCH, new).await? || new.meta.authenticated.is_some() {
            return Ok(Step::Again);
        }
        let explicit = self.is_explicit();
        Ok(Step::Done(self.lost(explicit)))
    }

    /// Continues with session `id` instead of `new`, if both belong to one user who has just signed
    /// in, or both are anonymous.
    ///
    /// The epoch authorizes this: privileges have not changed since.
    async fn join(
        &mut self,
        id: SessionId,
        epoch: u64,
        new: &Record,
    ) -> Result<bool, SessionError> {
        let engine = &self.request.engine;
        let stored = engine.within(engine.store.reload(id, epoch)).await?;
        let Some(stored) = stored else { return Ok(false) };
        engine.vouch_for_realm(&stored)?;
        let recently = |at| engine.now().since(at) < SENT_TWICE;
        let is_kin = match &new.meta.principal {
            Some(_) => {
                stored.meta.principal == new.meta.principal
                    && stored.meta.authenticated.is_some_and(recently)
            }
            None => [new, &*stored]
                .iter()
                .all(|it| it.meta.principal.is_none() && it.meta.authenticated.is_none()),
        };
        if is_kin {
            self.leave_in_place_changes(&stored);
            tracing::debug!(session = %id, "a request goes on with the session of another one");
            let joined = Basis::Seen(Origin::Stored(stored));
            let before = std::mem::replace(&mut self.basis, joined);
            self.kin.before = Some(before.origin().clone());
        }
        Ok(is_kin)
    }

    /// Leaves out what was changed in place in the session of another user, as for a new session.
    fn leave_in_place_changes(&mut self, joined: &Record) {
        let is_another = match (self.basis.origin().record(), &joined.meta.principal) {
            (Some(before), Some(comes)) => before.meta.is_of_another(comes),
            _ => false,
        };
        if let (Work::Published { pending, .. }, true) = (&mut self.work, is_another) {
            pending.ops.retain(|op| {
                let goes_along = op.is_of_the_request_alone();
                if !goes_along {
                    stays_behind(op);
                }
                goes_along
            });
        }
    }

    /// Ends the sessions that a sign-in replaces, now that it is stored in session `new`.
    pub(super) async fn end_kin(&mut self, new: SessionId) -> Result<(), SessionError> {
        let mut ends: Vec<_> = self.kin.ends.take().into_iter().collect();
        if self.is_sign_in() {
            ends.append(&mut self.kin.proved);
        }
        for former in ends.into_iter().filter(|former| *former != new) {
            let engine = &self.request.engine;
            let was_live = engine.end(former, EndReason::AnotherUser).await?;
            tracing::debug!(session = %former, was_live, successor = %new, "a sign-in ended it");
        }
        Ok(())
    }
}

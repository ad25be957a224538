//! One attempt after the other at storing what is pending.

use std::sync::Arc;

use super::Committed;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::patch::{Denied, Gone, Op, Outcome, Patch, Refused, SignIn};
use crate::record::Record;
use crate::request::RequestSession;
use crate::retry::Retry;
use crate::session::{
    CookieChange, Marked, Origin, Pending, Plan, Situation, Write, fork, plan, seal,
};
use crate::store::{Created, StoreError, StoreErrorKind};
use crate::token::{NoRandomness, SessionToken};

/// How often a plan is made anew: because an id is taken (which, of 128 random
/// bits, happens once at most), or the record turned out to be gone. Each field
/// may be left out once besides.
const ATTEMPTS: usize = 4;

impl RequestSession {
    pub(super) async fn store(
        self: &Arc<Self>,
        pending: &mut Pending,
        keep_fields: bool,
        generation: u32,
    ) -> Result<Committed, SessionError> {
        let (mut origin, token, schemas) = {
            let state = self.scope.state();
            (state.origin.clone(), state.token.clone(), state.schemas.clone())
        };
        let marked = match pending.may_change_user() {
            true => self.engine.schemas().marked(),
            false => Marked::default(),
        };
        // Set once the record turned out to be another than the handles saw.
        let mut seen: Option<Arc<Record>> = None;
        let mut retry: Option<Retry> = None;
        // Set once the record is gone and a sign-in starts another one.
        let mut fork_of: Option<Option<Arc<Record>>> = None;
        let mut attempts = ATTEMPTS + pending.ops.len();
        let keys = &self.engine.config.keys;
        while attempts > 0 {
            let situation = Situation {
                origin: &origin,
                seen: seen.as_deref(),
                token: token.as_ref(),
                pending,
                schemas: &schemas,
                keys,
                marked: &marked,
                keep_fields,
                head_open: !self.scope.head_sent(),
                policy: self.engine.config.policy,
                realm: self.engine.config.realms.own(),
                now: self.engine.now(),
            };
            let next = match &fork_of {
                Some(snapshot) => fork(&situation, snapshot.as_ref(), &mint)?,
                None => plan(&situation, &mint)?,
            };
            let write = match next {
                Plan::Nothing => return Ok(Committed::Stored),
                Plan::Answer(cookie) => {
                    self.answers(cookie, generation);
                    return Ok(Committed::Stored);
                }
                Plan::Lost { explicit } => return Ok(self.lost(explicit)),
                Plan::Write(mut write) => {
                    seal(&mut write, &schemas, keys)?;
                    write
                }
            };
            match write {
                Write::Create { record, sign_in, cookie, ends, .. } => {
                    self.needs_head()?;
                    if let (Some(_), true, Origin::Stored(read)) =
                        (ends, pending.unchanged, &origin)
                        && let Some(current) = self.outdated(read).await?
                    {
                        return Ok(Committed::Outdated(current));
                    }
                    match self.create(&record, sign_in).await? {
                        Created::Created => {
                            tracing::debug!(session = %record.id, "session created");
                            if let Some(former) = ends {
                                self.end_former(former, record.id).await?;
                            }
                            self.became(*record, Some(cookie), generation);
                            return Ok(Committed::Stored);
                        }
                        Created::Exists => attempts -= 1,
                        Created::Denied(denied) => return Err(self.denied(denied)),
                        Created::Refused(refused) => return Err(SessionError::Refused(refused)),
                    }
                }
                Write::Apply { id, epoch, patch, cookie, signs_in, explicit, .. } => {
                    // What takes privileges away needs nobody to hear of it.
                    if cookie.is_some() && keep_fields {
                        self.needs_head()?;
                    }
                    let read = match &origin {
                        Origin::Stored(record) => Some(record),
                        _ => None,
                    };
                    match self.apply(id, epoch, &patch, read).await? {
                        Outcome::Applied(applied) => {
                            self.applied(&origin, &patch, &applied, cookie, generation);
                            return Ok(Committed::Stored);
                        }
                        Outcome::Gone(gone) if signs_in => {
                            attempts -= 1;
                            let seen = match &origin {
                                Origin::Stored(record) if gone == Gone::Superseded => Some(record),
                                _ => None,
                            };
                            fork_of = Some(seen.cloned());
                        }
                        Outcome::Gone(gone) => {
                            self.engine.metrics.gone.one();
                            tracing::debug!(session = %id, ?gone, "the session of a request is gone");
                            self.ended(id, generation);
                            return Ok(self.lost(explicit));
                        }
                        Outcome::Refused(refused) => {
                            attempts -= 1;
                            leave_out(pending, refused)?;
                        }
                        Outcome::Conflict(conflict) => {
                            self.engine.metrics.conflicts.one();
                            let mut current = conflict.current;
                            if pending.unchanged {
                                return Ok(Committed::Outdated(current));
                            }
                            // Boxed: it is rare, and its room would be in every commit.
                            let again = self.try_again(&mut retry, id, epoch, &mut current);
                            let again = Box::pin(again).await?;
                            if !again {
                                let field = conflict.field.map(|field| field.into_owned());
                                return Err(SessionError::Conflict { field });
                            }
                            if let Origin::Stored(before) = &origin {
                                seen.get_or_insert_with(|| Arc::clone(before));
                            }
                            origin = Origin::Stored(current);
                        }
                        Outcome::Denied(denied) => return Err(self.denied(denied)),
                        Outcome::Uncertain => {
                            self.engine.metrics.uncertain.one();
                            return Err(SessionError::Uncertain);
                        }
                    }
                }
            }
        }
        Err(SessionError::Store(StoreError::new(StoreErrorKind::Corrupt)))
    }

    /// Waits until there is a point in trying again on `current`, or until it
    /// is too late.
    async fn try_again(
        &self,
        retry: &mut Option<Retry>,
        id: SessionId,
        epoch: u64,
        current: &mut Arc<Record>,
    ) -> Result<bool, SessionError> {
        self.engine.metrics.retries.one();
        if let Some(retry) = retry {
            return Ok(retry.pause().await);
        }
        let limit = self.engine.config.conflict_timeout;
        let Some(mut turn) = self.engine.queues.join(id, limit).await else { return Ok(false) };
        let in_time = turn.pause().await;
        *retry = Some(turn);
        // Those who were before this one in the queue have changed it again.
        let stored = self.engine.within(self.engine.store.reload(id, epoch)).await?;
        if let Some(stored) = stored {
            *current = stored;
        }
        Ok(in_time)
    }

    fn denied(&self, denied: Denied) -> SessionError {
        self.engine.metrics.denied.one();
        SessionError::SignInDenied(denied)
    }

    fn answers(&self, cookie: CookieChange, generation: u32) {
        let mut state = self.scope.state();
        if state.generation == generation {
            state.cookie = Some(cookie);
        }
    }

    /// A cookie can be sent only as long as the head has not left.
    fn needs_head(&self) -> Result<(), SessionError> {
        if self.scope.head_sent() { Err(SessionError::HeadSent) } else { Ok(()) }
    }

    async fn create(&self, record: &Record, sign_in: SignIn) -> Result<Created, SessionError> {
        match self.engine.in_time(self.engine.store.create(record.clone(), sign_in)).await {
            Some(answer) => Ok(answer?),
            None => {
                // It may be stored.
                self.remove_unused(record.id);
                Err(SessionError::Uncertain)
            }
        }
    }

    /// Asks twice where the first answer was lost: the store knows the patch by
    /// its id, and answers without applying it again.
    pub(crate) async fn apply(
        &self,
        id: SessionId,
        epoch: u64,
        patch: &Patch,
        read: Option<&Arc<Record>>,
    ) -> Result<Outcome, StoreError> {
        let mut again;
        let mut patch = patch;
        for attempt in 0..2 {
            if attempt > 0 {
                again = patch.clone();
                again.again = read.map(|record| record.meta.rev);
                patch = &again;
            }
            let answer = self.engine.in_time(self.engine.store.apply(id, epoch, patch, read)).await;
            match answer {
                None | Some(Ok(Outcome::Uncertain)) => {}
                // The first one may have been applied all the same.
                Some(Err(_)) if attempt > 0 => break,
                Some(answer) => return answer,
            }
        }
        Ok(Outcome::Uncertain)
    }
}

/// Leaves a refused addition out: the field holds something else, the request
/// goes on, and the stored bytes stay. Everything else is an error.
fn leave_out(pending: &mut Pending, refused: Refused) -> Result<(), SessionError> {
    let before = pending.ops.len();
    if matches!(refused, Refused::NotAnInteger { .. }) {
        pending.ops.retain(|op| !matches!(op.op, Op::Add(_)) || op.name() != refused.field());
    }
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

//! The only place that runs a plan against a store.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use crate::error::SessionError;
use crate::id::SessionId;
use crate::patch::{Applied, Denied, Gone, Op, Outcome, Patch, Refused, SignIn};
use crate::record::{Applying, Record};
use crate::request::RequestSession;
use crate::retry::Retry;
use crate::session::{
    BoxFuture, CookieChange, Origin, Pending, Plan, Situation, Write, fork, plan, seal,
};
use crate::store::{Created, StoreError, StoreErrorKind};
use crate::token::{NoRandomness, SessionToken};

/// How often a plan is made anew: because an id is taken (which, of 128 random
/// bits, happens once at most), or the record turned out to be gone. Each field
/// may be left out once besides.
const ATTEMPTS: usize = 4;

/// Who holds a request's session when no handle does.
const COMMIT_AND_RESPONSE: usize = 2;

/// What became of a request's changes.
#[derive(Clone, Debug)]
pub(crate) enum Committed {
    /// They are stored, or there were none.
    Stored,
    /// Their session is over; they are gone.
    Lost,
    /// Something changed that a transaction had read. This is stored now.
    Outdated(Arc<Record>),
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
    /// Once begun it must run to its end: see [`ToEnd`].
    pub(crate) async fn commit(
        self: &Arc<Self>,
        keep_fields: bool,
    ) -> Result<Committed, SessionError> {
        let _busy = Busy::on(&self.commits);
        let _turn = self.turn.lock().await;
        self.delete_destroyed().await?;
        let committed = self.commit_pending(keep_fields).await;
        // Whoever destroys the session while it is being stored wins.
        self.delete_destroyed().await?;
        committed
    }

    /// Whether a commit is under way.
    pub(crate) fn is_committing(&self) -> bool {
        self.commits.load(Ordering::Acquire) > 0
    }

    async fn delete_destroyed(&self) -> Result<(), SessionError> {
        loop {
            let Some(id) = self.scope.state().destroyed.pop() else { return Ok(()) };
            match self.engine.within(self.engine.store.delete(id)).await {
                Ok(was_live) => self.deleted(id, was_live),
                Err(error) => {
                    self.scope.state().destroyed.push(id);
                    return Err(error.into());
                }
            }
        }
    }

    fn deleted(&self, id: SessionId, was_live: bool) {
        let mut state = self.scope.state();
        // Somebody else ended it: their answer removes the cookie, and this one
        // may come late and remove that of a new login.
        if was_live || state.cookie.is_some() {
            state.cookie = Some(CookieChange::Remove);
        }
        tracing::debug!(session = %id, was_live, "session destroyed");
    }

    async fn commit_pending(
        self: &Arc<Self>,
        keep_fields: bool,
    ) -> Result<Committed, SessionError> {
        let (generation, mut pending) = {
            let mut state = self.scope.state();
            (state.generation, std::mem::take(&mut state.pending))
        };
        let failed = pending.failed.take().filter(|_| keep_fields);
        let keep_fields = keep_fields && failed.is_none();
        let asked_for = pending.has_changes();
        let mut stored = self.store(&mut pending, keep_fields, generation).await;
        if let (Err(error), false) = (&stored, asked_for) {
            // A token that is not renewed now is renewed the next time.
            tracing::warn!(%error, "a session token could not be renewed");
            stored = Ok(Committed::Stored);
        }
        if matches!(stored, Err(SessionError::Store(_))) {
            // Nothing was written: another attempt may still succeed.
            let mut state = self.scope.state();
            if state.generation == generation {
                let newer = std::mem::replace(&mut state.pending, pending);
                state.pending.absorb(newer, self.engine.now());
            }
        }
        failed.map_or(stored, Err)
    }

    async fn store(
        self: &Arc<Self>,
        pending: &mut Pending,
        keep_fields: bool,
        generation: u32,
    ) -> Result<Committed, SessionError> {
        let (mut origin, token, schemas) = {
            let state = self.scope.state();
            (state.origin.clone(), state.token.clone(), state.schemas.clone())
        };
        let planted = match pending.authenticated && keep_fields {
            true => self.engine.schemas().cleared_on_login(),
            false => Vec::new(),
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
                planted: &planted,
                keep_fields,
                head_open: !self.scope.head_sent(),
                policy: self.engine.config.policy,
                now: self.engine.now(),
            };
            let next = match &fork_of {
                Some(snapshot) => fork(&situation, snapshot.as_deref(), &mint)?,
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
                    let from = fork_of.as_ref().and_then(|seen| Some(seen.as_ref()?.id));
                    seal(&mut write, &schemas, keys, from)?;
                    write
                }
            };
            match write {
                Write::Create { record, sign_in, cookie } => {
                    self.needs_head()?;
                    match self.create(&record, sign_in).await? {
                        Created::Created => {
                            tracing::debug!(session = %record.id, "session created");
                            self.became(*record, Some(cookie), generation);
                            return Ok(Committed::Stored);
                        }
                        Created::Exists => attempts -= 1,
                        Created::Denied(denied) => return Err(self.denied(denied)),
                        Created::Refused(refused) => return Err(SessionError::Refused(refused)),
                    }
                }
                Write::Apply { id, epoch, patch, cookie, signs_in, explicit } => {
                    // What takes privileges away needs nobody to hear of it.
                    if cookie.is_some() && keep_fields {
                        self.needs_head()?;
                    }
                    match self.apply(id, epoch, &patch).await? {
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
            // It may be stored; without its token nobody will ever find it.
            None => Err(SessionError::Uncertain),
        }
    }

    /// Asks twice where the first answer was lost: the store knows the patch by
    /// its id, and answers without applying it again.
    pub(crate) async fn apply(
        &self,
        id: SessionId,
        epoch: u64,
        patch: &Patch,
    ) -> Result<Outcome, StoreError> {
        for attempt in 0..2 {
            let answer = self.engine.in_time(self.engine.store.apply(id, epoch, patch)).await;
            match answer {
                None | Some(Ok(Outcome::Uncertain)) => {}
                // The first one may have been applied all the same.
                Some(Err(_)) if attempt > 0 => break,
                Some(answer) => return answer,
            }
        }
        Ok(Outcome::Uncertain)
    }

    /// This request's session is `record` from now on, unless a handle has
    /// destroyed it meanwhile.
    fn became(&self, record: Record, cookie: Option<CookieChange>, generation: u32) {
        let mut state = self.scope.state();
        if state.generation != generation {
            state.destroyed.push(record.id);
            return;
        }
        state.origin = Origin::Stored(record.into());
        if let Some(CookieChange::Set { token, .. }) = &cookie {
            state.token = Some(token.clone());
        }
        state.cookie = cookie.or(state.cookie.take());
    }

    /// The record after our patch, as far as this request can know: what
    /// others changed meanwhile is seen by a reload.
    pub(crate) fn applied(
        self: &Arc<Self>,
        origin: &Origin,
        patch: &Patch,
        applied: &Applied,
        mut cookie: Option<CookieChange>,
        generation: u32,
    ) {
        tracing::trace!(rev = applied.rev, ?patch, "session saved");
        let mut state = self.scope.state();
        if state.generation != generation {
            return;
        }
        if let Some(ours) = &patch.meta.rotate {
            // Another request may have been first: then its nonce counts.
            cookie = match (applied.rotation, &state.token, cookie) {
                (Some(nonce), _, cookie) if nonce == ours.rotation.nonce => cookie,
                (Some(nonce), Some(token), Some(CookieChange::Set { expires, .. })) => {
                    Some(CookieChange::Set { token: token.next(nonce), expires })
                }
                _ => None,
            };
            state.cookie = cookie.take().or(state.cookie.take());
        }
        if let Some(CookieChange::Set { token, .. }) = &cookie {
            state.token = Some(token.clone());
        }
        state.cookie = cookie.or(state.cookie.take());
        // At the end of a request nearly always nobody is left to look.
        let Origin::Stored(before) = origin else { return };
        if !self.is_attempt && Arc::strong_count(self) <= COMMIT_AND_RESPONSE {
            return;
        }
        let after = before.apply(before.meta.epoch, patch, self.engine.now());
        let mut record = match after {
            Applying::Stored(record, _) => Arc::unwrap_or_clone(record),
            Applying::Answer(_) => (**before).clone(),
        };
        record.meta.rev = applied.rev;
        record.meta.epoch = applied.epoch;
        state.origin = Origin::Stored(record.into());
    }

    pub(crate) fn ended(&self, id: SessionId, generation: u32) {
        let mut state = self.scope.state();
        if state.generation == generation {
            state.origin = Origin::Retired { was: Some(id) };
        }
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
    let fits = !matches!(refused, Refused::NotAnInteger { .. });
    pending.ops.retain(|op| fits || !matches!(op.op, Op::Add(_)) || op.name() != refused.field());
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

/// Counts a commit as under way as long as it lives.
struct Busy<'r>(&'r AtomicUsize);

impl<'r> Busy<'r> {
    fn on(commits: &'r AtomicUsize) -> Self {
        commits.fetch_add(1, Ordering::AcqRel);
        Self(commits)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A commit that runs to its end, whether or not somebody waits for it: what
/// it took out of the request is nowhere else.
pub(crate) struct ToEnd(Option<BoxFuture<'static, Result<Committed, SessionError>>>);

impl ToEnd {
    pub(crate) fn new(
        commit: impl Future<Output = Result<Committed, SessionError>> + Send + 'static,
    ) -> Self {
        Self(Some(Box::pin(commit)))
    }
}

impl Future for ToEnd {
    type Output = Result<Committed, SessionError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(commit) = &mut self.0 else { return Poll::Ready(Ok(Committed::Stored)) };
        let committed = ready!(commit.as_mut().poll(context));
        self.0 = None;
        Poll::Ready(committed)
    }
}

impl Drop for ToEnd {
    fn drop(&mut self) {
        if let Some(commit) = self.0.take() {
            spawn(async move { report(commit.await) });
        }
    }
}

/// Says what went wrong when nobody else hears it.
fn report(committed: Result<Committed, SessionError>) {
    if let Err(error) = committed {
        tracing::error!(%error, "a session could not be saved, and nobody waits for the answer");
    }
}

/// Runs `future` to its end though nobody waits for it.
fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn(future)),
        Err(_) => tracing::error!(
            "a session commit was abandoned outside a tokio runtime; it may not be stored"
        ),
    }
}

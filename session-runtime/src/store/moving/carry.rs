//! How one session moves.
//!
//! 1. **Mark** it in the old store, with a patch that expects the revision which
//!    was read. Every node expects the mark to be absent from what it writes
//!    there: from then on what was read is the last state.
//! 2. **Create** it in the new store, as it was before the mark. Of several
//!    nodes that do this one succeeds, and the others find it there.
//! 3. **Expire** it in the old store, so that it is absent there. It is not
//!    destroyed: that would be remembered as a logout.
//!
//! A node that stops after 1 leaves a marked session: whoever comes upon it
//! waits a moment for that node, and then goes on with 2. If the new store
//! refuses it for its size, the mark is taken off again.
//!
//! A node that stops after 2, or that the old store does not answer in 3, leaves
//! a rest in the old store. The session in the new one is what everybody is
//! shown, and as long as it is there the rest opens nothing. It does not outlive
//! it either: it has its secret, its owner and its times; whatever changes those
//! in the new store expires the rest, whatever ends the session ends it in both,
//! and before sessions make room for another one the rests of them are gone. So
//! there is nothing that could move a second time.
//!
//! Whoever destroys a session of the old store then makes sure that its id is
//! taken in the new one, by the session, which ends too, or by a tombstone: what
//! another node has read and not created yet is not created any more. The
//! tombstone is there for a minute; a move that takes half as long gives up.

use std::sync::Arc;
use std::time::Duration;

use super::both::LOOKS;
use super::refused::Refusals;
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::patch::{Conflict, Expect, FieldOp, Gone, Lifetime, Op, Outcome, Patch, SignIn};
use crate::record::{Fields, Meta, Record, TOMBSTONE};
use crate::store::{Created, SessionStore, StoreError, StoreErrorKind};
use crate::token::SessionToken;

/// The two stores.
pub(super) struct Pair<F, T> {
    pub(super) from: F,
    pub(super) to: T,
    pub(super) refused: Refusals,
}

/// What became of a session that was to be moved.
#[derive(Debug)]
pub(super) enum Carried {
    /// It is in the new store, or was changed or ended by somebody else: look
    /// again.
    Done,
    /// It is in the new store, and because of this there is a rest of it in the
    /// old one.
    Left(StoreError),
    /// It does not fit into the new store, and stays in the old one: as it is
    /// there now.
    Stays(Arc<Record>),
}

/// The name of the field that marks a session as moving.
const MARK: &str = "(moved)";

/// How long to wait for a node that has marked a session: longer than moving
/// takes, and not so long that a request fails for it.
const PATIENCE: Duration = Duration::from_secs(1);
const STEP: Duration = Duration::from_millis(10);

/// How many changes of privilege before and after its own a request is told of
/// exactly; beyond them an ended session counts as superseded.
const PRIVILEGES: u64 = 8;

/// After this the new store may have forgotten what was destroyed meanwhile.
const LONGEST: Duration = Duration::from_millis(TOMBSTONE.as_millis() as u64 / 2);

impl<F: SessionStore, T: SessionStore> Pair<F, T> {
    pub(super) fn new(from: F, to: T) -> Self {
        Self { from, to, refused: Refusals::default() }
    }

    /// Applies a patch in the new store. What gives the session another secret,
    /// owner or life there makes sure that no rest of it keeps the old ones.
    pub(super) async fn apply_ahead(
        &self,
        id: SessionId,
        epoch: u64,
        patch: &Patch,
    ) -> Result<Outcome, StoreError> {
        let outcome = self.to.apply(id, epoch, patch).await?;
        let meta = &patch.meta;
        let differs = meta.renew.is_some() || meta.principal.is_some() || meta.lifetime.is_some();
        if differs && matches!(outcome, Outcome::Applied(_)) {
            // Said if it fails; the patch is stored all the same.
            let _ = self.leave(id, epoch).await;
        }
        Ok(outcome)
    }

    /// Applies a patch in the old store, unless the session is moving.
    pub(super) async fn apply_behind(
        &self,
        id: SessionId,
        epoch: u64,
        patch: &Patch,
    ) -> Result<Outcome, StoreError> {
        let mut guarded = patch.clone();
        guarded.expect.insert(0, Expect::Field { name: MARK.into(), value: None });
        Ok(match self.from.apply(id, epoch, &guarded).await? {
            Outcome::Conflict(Conflict { field: Some(field), .. }) if field == MARK => {
                Outcome::Gone(Gone::Absent)
            }
            outcome => outcome,
        })
    }

    /// What a patch is told that the old store calls superseded: what is left
    /// there of a session that moved, and ended since, calls it that too.
    pub(super) async fn superseded(&self, id: SessionId, epoch: u64) -> Result<Gone, StoreError> {
        let mut probe = Patch::new();
        // Never holds: a probe writes nothing.
        probe.expect.push(Expect::Rev(u64::MAX));
        let first = epoch.saturating_sub(PRIVILEGES);
        for epoch in first..=epoch.saturating_add(PRIVILEGES) {
            match self.apply_behind(id, epoch, &probe).await? {
                Outcome::Gone(Gone::Superseded) => {}
                // The epoch of what is there, and whether it is marked.
                Outcome::Gone(Gone::Absent) => return Ok(Gone::Absent),
                _ => break,
            }
        }
        Ok(Gone::Superseded)
    }

    /// Brings a session that the old store has shown into the new one.
    pub(super) async fn carry(&self, found: Arc<Record>) -> Result<Carried, StoreError> {
        let began = self.to.clock().now();
        let (record, rev) = if is_marked(&found) {
            // A rest, for which nobody need be waited.
            if self.to.reload(found.id, found.meta.epoch).await?.is_some() {
                return Ok(self.leave(found.id, found.meta.epoch).await);
            }
            if self.moved_meanwhile(&found).await? {
                return Ok(Carried::Done);
            }
            (Arc::new(unmarked(&found)), found.meta.rev)
        } else {
            if !self.may_fit(&found) {
                return Ok(Carried::Stays(found));
            }
            let mut mark = Patch::of(vec![FieldOp::new(MARK, Op::Set(b"true".into()))]);
            mark.expect.push(Expect::Rev(found.meta.rev));
            match self.from.apply(found.id, found.meta.epoch, &mark).await? {
                Outcome::Applied(marked) => (found, marked.rev),
                Outcome::Gone(_) | Outcome::Conflict(_) => return Ok(Carried::Done),
                Outcome::Refused(_) => return Ok(Carried::Stays(found)),
                Outcome::Uncertain | Outcome::Denied(_) => return Err(unanswered()),
            }
        };
        if self.to.clock().now().since(began) > LONGEST {
            return Err(unanswered());
        }
        match self.to.create(Record::clone(&record), SignIn::default()).await? {
            Created::Created | Created::Exists => {
                Ok(self.leave(record.id, record.meta.epoch).await)
            }
            Created::Refused(_) => self.stay(&record, rev).await,
            Created::Denied(_) => Err(unanswered()),
        }
    }

    /// Expires what is in the old store of a session that the new one has.
    async fn leave(&self, id: SessionId, epoch: u64) -> Carried {
        let mut expire = Patch::new();
        let at_once = Lifetime { idle: Some(Duration::ZERO), absolute: None, remember: false };
        expire.meta.lifetime = Some(at_once);
        expire.meta.principal = Some(None);
        let error = match self.from.apply(id, epoch, &expire).await {
            Ok(Outcome::Uncertain) => unanswered(),
            // Or somebody else has done it.
            Ok(_) => return Carried::Done,
            Err(error) => error,
        };
        tracing::warn!(
            session = %id,
            %error,
            "a session has moved, and a rest of it could not be removed from the old store: `move_all` does"
        );
        Carried::Left(error)
    }

    /// Takes off the mark of `rev`, under which nothing can have changed: the
    /// session goes on in the old store.
    async fn stay(&self, record: &Record, rev: u64) -> Result<Carried, StoreError> {
        let mut unmark = Patch::of(vec![FieldOp::new(MARK, Op::Remove)]);
        unmark.expect.push(Expect::Rev(rev));
        self.refused.note(record);
        match self.from.apply(record.id, record.meta.epoch, &unmark).await? {
            Outcome::Applied(applied) => {
                let mut record = record.clone();
                record.meta.rev = applied.rev;
                Ok(Carried::Stays(Arc::new(record)))
            }
            Outcome::Gone(_) | Outcome::Conflict(_) => Ok(Carried::Done),
            Outcome::Refused(_) | Outcome::Uncertain | Outcome::Denied(_) => Err(unanswered()),
        }
    }

    /// Whether the new store is worth asking.
    fn may_fit(&self, record: &Record) -> bool {
        let limits = self.to.capabilities().limits;
        limits.is_none_or(|limits| limits.check_new(&record.fields).is_ok())
            && !self.refused.holds(record)
    }

    /// Waits for the node that has marked `record`, and says whether it has
    /// come to an end.
    async fn moved_meanwhile(&self, record: &Record) -> Result<bool, StoreError> {
        for _ in 0..PATIENCE.as_millis() / STEP.as_millis() {
            match self.from.reload(record.id, record.meta.epoch).await? {
                Some(there) if there.meta.rev == record.meta.rev => {}
                _ => return Ok(true),
            }
            tokio::time::sleep(STEP).await;
        }
        Ok(false)
    }

    /// Makes sure that nothing arrives in the new store under an id that is not
    /// there, and says whether it was not there.
    pub(super) async fn bury(&self, id: SessionId) -> Result<bool, StoreError> {
        let secret = SessionToken::renew(id)
            .map_err(|error| StoreError::because(StoreErrorKind::Unavailable, error))?;
        // It ended long ago, so that nobody counts it, and no patch is taken
        // for the moment in which it is there.
        let ended = Lifetime { idle: Some(Duration::ZERO), absolute: None, remember: false };
        let meta = Meta::new(secret.secret_hash(), Timestamp::default(), ended);
        let nobody = Record { id, meta, fields: Fields::new() };
        let mut absent = false;
        for _ in 0..LOOKS {
            match self.to.create(nobody.clone(), SignIn::default()).await? {
                // Once more: only a second answer says that its tombstone is
                // there, and that it was not swept before it was destroyed.
                Created::Created => {
                    absent = true;
                    self.to.delete(id).await?;
                }
                Created::Exists => return Ok(absent),
                Created::Refused(_) | Created::Denied(_) => return Err(unanswered()),
            }
        }
        Err(unanswered())
    }
}

/// Whether a node is moving it.
pub(super) fn is_marked(record: &Record) -> bool {
    record.fields.get(MARK).is_some()
}

/// As it was before the mark.
fn unmarked(record: &Record) -> Record {
    let mut meta = record.meta.clone();
    meta.rev -= 1;
    let fields = record.fields.iter().filter(|(name, _)| *name != MARK).collect();
    Record { id: record.id, meta, fields }
}

fn unanswered() -> StoreError {
    StoreError::because(StoreErrorKind::Timeout, "a session could not be moved in time")
}

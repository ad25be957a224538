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
//! waits a moment for that node, and then goes on with 2.
//!
//! Whoever destroys a session of the old store then makes sure that its id is
//! taken in the new one, by the session, which ends too, or by a tombstone: what
//! another node has read and not created yet is not created any more. The
//! tombstone is there for a minute; a move that takes half as long gives up.

use std::sync::Arc;
use std::time::Duration;

use super::LOOKS;
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::patch::{
    Conflict, Expect, FieldOp, Gone, Lifetime, Op, Outcome, Patch, Refused, SignIn,
};
use crate::record::{Fields, Meta, Record, TOMBSTONE};
use crate::store::{Created, SessionStore, StoreError, StoreErrorKind};
use crate::token::SessionToken;

/// The two stores.
pub(super) struct Pair<F, T> {
    pub(super) from: F,
    pub(super) to: T,
}

/// What became of a session that was to be moved.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Carried {
    /// It is in the new store, or was changed or ended by somebody else: look
    /// again.
    Done,
    /// It does not fit into the new store, and stays in the old one as it is.
    TooLarge(Refused),
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
    pub(super) async fn carry(&self, mut record: Arc<Record>) -> Result<Carried, StoreError> {
        let id = record.id;
        if let Some(limits) = self.to.capabilities().limits
            && let Err(refused) = limits.check_new(&record.fields)
        {
            return Ok(Carried::TooLarge(refused));
        }
        let began = self.to.clock().now();
        if is_marked(&record) {
            if self.moved_meanwhile(&record).await? {
                return Ok(Carried::Done);
            }
            record = Arc::new(unmarked(&record));
        } else {
            let mut mark = Patch::of(vec![FieldOp::new(MARK, Op::Set(b"true".into()))]);
            mark.expect.push(Expect::Rev(record.meta.rev));
            match self.from.apply(id, record.meta.epoch, &mark).await? {
                Outcome::Applied(_) => {}
                Outcome::Gone(_) | Outcome::Conflict(_) => return Ok(Carried::Done),
                Outcome::Refused(refused) => return Ok(Carried::TooLarge(refused)),
                Outcome::Uncertain | Outcome::Denied(_) => return Err(unanswered()),
            }
        }
        if self.to.clock().now().since(began) > LONGEST {
            return Err(unanswered());
        }
        match self.to.create(Record::clone(&record), SignIn::default()).await? {
            Created::Created | Created::Exists => {}
            Created::Refused(refused) => return Ok(Carried::TooLarge(refused)),
            Created::Denied(_) => return Err(unanswered()),
        }
        let mut expire = Patch::new();
        let at_once = Lifetime { idle: Some(Duration::ZERO), absolute: None, remember: false };
        expire.meta.lifetime = Some(at_once);
        expire.meta.principal = Some(None);
        // Not known is as good as not done: whoever finds it does it again.
        self.from.apply(id, record.meta.epoch, &expire).await?;
        Ok(Carried::Done)
    }

    /// Waits for the node that has marked `record`, and says whether it has
    /// come to an end.
    async fn moved_meanwhile(&self, record: &Record) -> Result<bool, StoreError> {
        for _ in 0..PATIENCE.as_millis() / STEP.as_millis() {
            if self.from.reload(record.id, record.meta.epoch).await?.is_none() {
                return Ok(true);
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

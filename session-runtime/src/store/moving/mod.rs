//! Moving from one store to another while both serve.
//!
//! - this file: the store, and what each of its operations asks of the two
//! - [`carry`]: how one session gets from the old store to the new one
//! - [`walk`]: all of them

mod carry;
mod walk;

use std::fmt;
use std::sync::Arc;

use self::carry::{Carried, Pair};
pub use self::walk::MoveProgress;
use super::contract::{
    Capabilities, Created, Cursor, Lookup, Page, Revoke, SessionStore, StoreFuture, Swept, Touch,
    Visit,
};
use super::error::{StoreError, StoreErrorKind};
use crate::clock::Clock;
use crate::id::SessionId;
use crate::patch::{Gone, Outcome, Patch, SignIn};
use crate::record::{Principal, Record};
use crate::token::SecretHash;

/// Two stores in the place of one: sessions move from the old one to the new
/// one, and nobody is signed out.
///
/// A session moves whole, with its id and its secret, when it is next used, and
/// all that are left with [`move_all`](Self::move_all). Whatever ends a session
/// ends it in both stores, so that a logout during the move stays a logout.
/// What is in the new store counts; the old one only becomes emptier.
///
/// On several nodes in two steps: first all of them with
/// [`hold`](Self::hold), which leaves everything where it is and finds it in
/// either store; then all of them with [`new`](Self::new). Nodes of both steps
/// may run side by side, nodes that know the old store alone must not run
/// beside the second. When `move_all` says that nothing is left, the new store
/// takes this one's place.
///
/// While both steps run, a cap on the sessions of a principal is counted per
/// store, and a login ticket is held against the revocations of one of them.
/// What the old store promises less than the new one is not promised.
///
/// ```no_run
/// # async fn moving() -> Result<(), Box<dyn std::error::Error>> {
/// use session_runtime::SessionLayer;
/// use session_runtime::store::{AnyStore, MovingStore};
///
/// let old = AnyStore::connect("sqlite:sessions.db").await?;
/// let new = AnyStore::connect("memory:").await?;
/// let store = MovingStore::new(old, new);
/// let layer = SessionLayer::new(store.clone());
/// tokio::spawn(async move {
///     let moved = store.move_all(|progress| println!("{progress}")).await;
///     println!("{moved:?}");
/// });
/// # let _ = layer; Ok(()) }
/// ```
pub struct MovingStore<F, T>(Arc<Inner<F, T>>);

struct Inner<F, T> {
    pair: Pair<F, T>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// New sessions are stored in the old store, and none moves.
    Hold,
    /// New sessions are stored in the new store, and what is used moves there.
    Move,
}

impl<F: SessionStore, T: SessionStore> MovingStore<F, T> {
    /// Moves sessions from one store to the other as they are used.
    pub fn new(from: F, to: T) -> Self {
        Self(Arc::new(Inner { pair: Pair { from, to }, stage: Stage::Move }))
    }

    /// Finds sessions in either store, and moves none: for the time in which
    /// some nodes move sessions already and some do not yet.
    pub fn hold(from: F, to: T) -> Self {
        Self(Arc::new(Inner { pair: Pair { from, to }, stage: Stage::Hold }))
    }

    /// The store that becomes empty.
    #[must_use]
    pub fn from(&self) -> &F {
        &self.0.pair.from
    }

    /// The store that takes its place.
    #[must_use]
    pub fn to(&self) -> &T {
        &self.0.pair.to
    }
}

/// How often an operation follows a session that moves under it. Once is the
/// rule: it moves one way only.
const LOOKS: usize = 8;

fn restless() -> StoreError {
    let text = "the session was being moved all the time that this took";
    StoreError::because(StoreErrorKind::Timeout, text)
}

impl<F: SessionStore, T: SessionStore> Inner<F, T> {
    fn moves(&self) -> bool {
        self.stage == Stage::Move
    }

    async fn load(
        &self,
        id: SessionId,
        secret: &SecretHash,
        visit: Visit,
    ) -> Result<Lookup, StoreError> {
        let Pair { from, to } = &self.pair;
        // Activity is written where the session stays.
        let touch = if self.moves() { Touch::Never } else { visit.touch };
        for _ in 0..LOOKS {
            match to.load(id, secret, visit).await? {
                Lookup::Absent => {}
                answer => return Ok(answer),
            }
            match from.load(id, secret, Visit { touch, stale_ok: false, ..visit }).await? {
                Lookup::Found(record) if !self.moves() && !carry::is_marked(&record) => {
                    return Ok(Lookup::Found(record));
                }
                Lookup::Found(record) => match self.pair.carry(Arc::clone(&record)).await? {
                    Carried::TooLarge(_) => return Ok(Lookup::Found(record)),
                    Carried::Done => {}
                },
                // Ended, or moved since the look above.
                there => {
                    return Ok(match to.load(id, secret, visit).await? {
                        Lookup::Absent => there,
                        answer => answer,
                    });
                }
            }
        }
        Err(restless())
    }

    async fn reload(&self, id: SessionId, epoch: u64) -> Result<Option<Arc<Record>>, StoreError> {
        let Pair { from, to } = &self.pair;
        for _ in 0..LOOKS {
            if let Some(record) = to.reload(id, epoch).await? {
                return Ok(Some(record));
            }
            match from.reload(id, epoch).await? {
                // It may have moved since the look above.
                None => return to.reload(id, epoch).await,
                Some(record) if !self.moves() && !carry::is_marked(&record) => {
                    return Ok(Some(record));
                }
                Some(record) => {
                    if let Carried::TooLarge(_) = self.pair.carry(Arc::clone(&record)).await? {
                        return Ok(Some(record));
                    }
                }
            }
        }
        Err(restless())
    }

    async fn create(&self, record: Record, sign_in: SignIn) -> Result<Created, StoreError> {
        if !self.moves() {
            return self.pair.from.create(record, sign_in).await;
        }
        if let Some(principal) = &record.meta.principal {
            self.gather(principal, sign_in).await?;
        }
        self.pair.to.create(record, sign_in).await
    }

    async fn apply(&self, id: SessionId, epoch: u64, patch: &Patch) -> Result<Outcome, StoreError> {
        let Pair { from, to } = &self.pair;
        if self.moves() && !patch.meta.sign_in.is_unconditional() {
            let theirs = match &patch.meta.principal {
                Some(principal) => principal.clone(),
                None => self.reload(id, epoch).await?.and_then(|it| it.meta.principal.clone()),
            };
            if let Some(principal) = theirs {
                self.gather(&principal, patch.meta.sign_in).await?;
            }
        }
        for _ in 0..LOOKS {
            match to.apply(id, epoch, patch).await? {
                Outcome::Gone(Gone::Absent) => {}
                outcome => return Ok(outcome),
            }
            if !self.moves() {
                match self.pair.apply_behind(id, epoch, patch).await? {
                    Outcome::Gone(_) => {}
                    outcome => return Ok(outcome),
                }
            }
            let Some(record) = from.reload(id, epoch).await? else {
                // It may have moved since the look above.
                match to.apply(id, epoch, patch).await? {
                    Outcome::Gone(Gone::Absent) => {}
                    outcome => return Ok(outcome),
                }
                // For a moment after its end it may still be written to.
                return match self.pair.apply_behind(id, epoch, patch).await? {
                    Outcome::Gone(Gone::Superseded) => {
                        Ok(Outcome::Gone(self.pair.superseded(id, epoch).await?))
                    }
                    outcome => Ok(outcome),
                };
            };
            if let Carried::TooLarge(_) = self.pair.carry(record).await? {
                return self.pair.apply_behind(id, epoch, patch).await;
            }
        }
        Err(restless())
    }

    async fn delete(&self, id: SessionId) -> Result<bool, StoreError> {
        let Pair { from, to } = &self.pair;
        let live = to.delete(id).await?;
        if from.delete(id).await? {
            // What another node is moving does not arrive, or has and ends.
            if !self.pair.bury(id).await? {
                to.delete(id).await?;
            }
            return Ok(true);
        }
        // It may have moved since the first look.
        Ok(live || to.delete(id).await?)
    }

    async fn list(&self, principal: &Principal) -> Result<Vec<Arc<Record>>, StoreError> {
        let Pair { from, to } = &self.pair;
        // In this order: what moves meanwhile is in one of them at least.
        let left = from.list(principal).await?;
        let mut all = to.list(principal).await?;
        for record in left {
            if all.iter().all(|other| other.id != record.id) {
                all.push(record);
            }
        }
        Ok(all)
    }

    async fn revoke(&self, principal: &Principal, which: Revoke) -> Result<u64, StoreError> {
        let Pair { from, to } = &self.pair;
        let left = from.list(principal).await?;
        let mut ended = to.revoke(principal, which).await?;
        ended += from.revoke(principal, which).await?;
        for record in left.iter().filter(|record| which.ends(record.id)) {
            if !self.pair.bury(record.id).await? {
                ended += to.revoke(principal, Revoke::One(record.id)).await?;
            }
        }
        Ok(ended)
    }

    /// Moves all sessions of `principal`, so that they can be counted in one
    /// place.
    async fn gather(&self, principal: &Principal, sign_in: SignIn) -> Result<(), StoreError> {
        if sign_in.cap.is_some() {
            for record in self.pair.from.list(principal).await? {
                self.pair.carry(record).await?;
            }
        }
        Ok(())
    }

    /// The old store first: what moves meanwhile is seen in the new one.
    async fn scan(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        let Pair { from, to } = &self.pair;
        let text = cursor.map_or(FROM, Cursor::as_str);
        let inner = |prefix| text.strip_prefix(prefix).filter(|rest| !rest.is_empty());
        let mut page;
        if text.starts_with(TO) {
            page = to.scan(inner(TO).map(Cursor::new).as_ref(), limit).await?;
            page.next = page.next.map(|next| Cursor::new(format!("{TO}{}", next.as_str())));
        } else if text.starts_with(FROM) {
            page = from.scan(inner(FROM).map(Cursor::new).as_ref(), limit).await?;
            page.next = Some(match page.next {
                Some(next) => Cursor::new(format!("{FROM}{}", next.as_str())),
                None => Cursor::new(TO),
            });
        } else {
            return Err(StoreError::because(StoreErrorKind::Config, "a cursor of another store"));
        }
        Ok(page)
    }
}

/// How the text of a cursor begins, by the store that it is of.
const FROM: &str = "from:";
const TO: &str = "to:";

// A method that is forgotten here would silently get its default.
#[deny(clippy::missing_trait_methods)]
impl<F: SessionStore, T: SessionStore> SessionStore for MovingStore<F, T> {
    fn clock(&self) -> &Clock {
        self.0.pair.to.clock()
    }

    /// What both promise; the limits are those of the store that new sessions
    /// are stored in.
    fn capabilities(&self) -> Capabilities {
        let (from, to) = (self.0.pair.from.capabilities(), self.0.pair.to.capabilities());
        let limits = if self.0.moves() { to.limits } else { from.limits };
        Capabilities {
            atomic_patches: from.atomic_patches && to.atomic_patches,
            principal_index: from.principal_index && to.principal_index,
            revocation: from.revocation && to.revocation,
            scan: from.scan && to.scan,
            limits,
        }
    }

    fn load<'a>(
        &'a self,
        id: SessionId,
        secret: &'a SecretHash,
        visit: Visit,
    ) -> StoreFuture<'a, Result<Lookup, StoreError>> {
        StoreFuture::new(self.0.load(id, secret, visit))
    }

    fn reload(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> StoreFuture<'_, Result<Option<Arc<Record>>, StoreError>> {
        StoreFuture::new(self.0.reload(id, epoch))
    }

    fn create(
        &self,
        record: Record,
        sign_in: SignIn,
    ) -> StoreFuture<'_, Result<Created, StoreError>> {
        StoreFuture::new(self.0.create(record, sign_in))
    }

    fn apply<'a>(
        &'a self,
        id: SessionId,
        epoch: u64,
        patch: &'a Patch,
    ) -> StoreFuture<'a, Result<Outcome, StoreError>> {
        StoreFuture::new(self.0.apply(id, epoch, patch))
    }

    fn delete(&self, id: SessionId) -> StoreFuture<'_, Result<bool, StoreError>> {
        StoreFuture::new(self.0.delete(id))
    }

    fn list<'a>(
        &'a self,
        principal: &'a Principal,
    ) -> StoreFuture<'a, Result<Vec<Arc<Record>>, StoreError>> {
        StoreFuture::new(self.0.list(principal))
    }

    fn revoke<'a>(
        &'a self,
        principal: &'a Principal,
        which: Revoke,
    ) -> StoreFuture<'a, Result<u64, StoreError>> {
        StoreFuture::new(self.0.revoke(principal, which))
    }

    fn count(&self) -> StoreFuture<'_, Result<u64, StoreError>> {
        StoreFuture::new(async move {
            Ok(self.0.pair.from.count().await? + self.0.pair.to.count().await?)
        })
    }

    fn sweep(&self, limit: usize) -> StoreFuture<'_, Result<Swept, StoreError>> {
        StoreFuture::new(async move {
            let old = self.0.pair.from.sweep(limit).await?;
            let new = self.0.pair.to.sweep(limit - old.removed.min(limit)).await?;
            Ok(Swept { removed: old.removed + new.removed, more: old.more || new.more })
        })
    }

    fn scan<'a>(
        &'a self,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        StoreFuture::new(self.0.scan(from, limit))
    }
}

impl<F, T> Clone for MovingStore<F, T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<F: fmt::Debug, T: fmt::Debug> fmt::Debug for MovingStore<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Pair { from, to } = &self.0.pair;
        f.debug_struct("MovingStore")
            .field("from", from)
            .field("to", to)
            .field("stage", &self.0.stage)
            .finish()
    }
}

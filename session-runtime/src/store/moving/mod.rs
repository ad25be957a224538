//! Moving from one store to another while both serve.
//!
//! - this file: the store
//! - [`both`]: what each of its operations asks of the two
//! - [`carry`]: how one session gets from the old store to the new one
//! - [`refused`]: what does not fit into the new one
//! - [`walk`]: all of them

mod both;
mod carry;
mod refused;
mod walk;

use std::fmt;
use std::sync::Arc;

use self::carry::Pair;
pub use self::walk::MoveProgress;
use super::contract::{
    Capabilities, Created, Cursor, Lookup, Page, Revoke, SessionStore, StoreFuture, Swept, Visit,
};
use super::error::StoreError;
use crate::clock::Clock;
use crate::id::SessionId;
use crate::patch::{Outcome, Patch, SignIn};
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

impl<F, T> Inner<F, T> {
    fn moves(&self) -> bool {
        self.stage == Stage::Move
    }
}

impl<F: SessionStore, T: SessionStore> MovingStore<F, T> {
    /// Moves sessions from one store to the other as they are used.
    pub fn new(from: F, to: T) -> Self {
        Self(Arc::new(Inner { pair: Pair::new(from, to), stage: Stage::Move }))
    }

    /// Finds sessions in either store, and moves none: for the time in which
    /// some nodes move sessions already and some do not yet.
    pub fn hold(from: F, to: T) -> Self {
        Self(Arc::new(Inner { pair: Pair::new(from, to), stage: Stage::Hold }))
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
        let Pair { from, to, .. } = &self.0.pair;
        f.debug_struct("MovingStore")
            .field("from", from)
            .field("to", to)
            .field("stage", &self.0.stage)
            .finish()
    }
}

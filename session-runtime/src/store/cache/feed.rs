//! How a store below says that a session has changed.

use std::fmt;
use std::sync::{Arc, Weak};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::Inner;
use super::memory::Memory;
use super::moment::Moment;
use crate::id::SessionId;
use crate::store::{SessionStore, StoreFuture};

/// A store that says which sessions change, whoever changes them: for
/// [`CachedStore::coherent`](super::CachedStore::coherent).
pub trait ChangeFeed: SessionStore {
    /// Tells `sink` what changes, until the future is dropped. It repairs
    /// itself: the future ends only if there is nothing more to hope for.
    ///
    /// # Contract
    ///
    /// 1. Every change of a session that a load would show (also its end, its
    ///    expiry in the store, a renewal and a recorded activity) is followed by
    ///    [`changed`](ChangeSink::changed), or by
    ///    [`everything`](ChangeSink::everything) where it is not known which.
    /// 2. Before [`alive_until`](ChangeSink::alive_until) is moved to a moment
    ///    `m + bound`, all changes that were made before `m` have been told.
    /// 3. Where a change may have been missed, [`lost`](ChangeSink::lost) comes
    ///    at once, and `alive_until` only after every change is seen again.
    fn follow(&self, sink: ChangeSink) -> StoreFuture<'static, ()>;
}

pub(super) type Follow<S> = fn(&S, ChangeSink) -> StoreFuture<'static, ()>;

/// Where a [`ChangeFeed`] says what it has seen. Clones speak to one cache.
#[derive(Clone)]
pub struct ChangeSink(Weak<Memory>);

impl ChangeSink {
    /// This session has changed, or ended.
    pub fn changed(&self, id: SessionId) {
        if let Some(memory) = self.0.upgrade() {
            memory.forget(id);
        }
    }

    /// Any session may have changed. What is under way now is not kept either.
    pub fn everything(&self) {
        if let Some(memory) = self.0.upgrade() {
            memory.forget_all_of(None);
        }
    }

    /// What changes from now on may not be seen: nothing is answered from
    /// memory until [`alive_until`](Self::alive_until) says so.
    pub fn lost(&self) {
        if let Some(memory) = self.0.upgrade() {
            memory.alive_until(Moment { steady: 0, wall: crate::clock::Timestamp::default() });
            memory.forget_all_of(None);
        }
    }

    /// The time now, by the clocks that the bound is measured by.
    ///
    /// `None` once the cache is gone: the feed may end.
    #[must_use]
    pub fn now(&self) -> Option<Moment> {
        Some(self.0.upgrade()?.now())
    }

    /// What is remembered may be shown until then. Readers look at the clock
    /// themselves: a feed that hangs is out of use by then.
    pub fn alive_until(&self, deadline: Moment) {
        if let Some(memory) = self.0.upgrade() {
            memory.alive_until(deadline);
        }
    }
}

impl fmt::Debug for ChangeSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChangeSink")
    }
}

/// The task that follows a feed, as long as the cache lives.
pub(super) struct Following(JoinHandle<()>);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// However the task ends, nobody vouches for the memory any more.
struct Ended(ChangeSink);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.lost();
    }
}

impl<S: SessionStore> Inner<S> {
    /// Follows the feed from now on, if there is one and a runtime to do it in.
    pub(super) fn follow(&self) {
        let Some(follow) = self.settings.follow else { return };
        if self.following.get().is_some() {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        self.following.get_or_init(|| {
            let sink = ChangeSink(Arc::downgrade(&self.memory));
            let feed = follow(&self.store, sink.clone());
            Following(runtime.spawn(async move {
                let _ended = Ended(sink);
                feed.await;
                tracing::warn!("a store has ended its feed of changes: nothing is cached any more");
            }))
        });
    }
}

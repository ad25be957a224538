//! How a store notifies a cache in front of it of changed sessions.

use std::fmt;
use std::sync::{Arc, Weak};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::Inner;
use super::memory::Memory;
use super::moment::Moment;
use crate::id::SessionId;
use crate::store::{SessionStore, StoreFuture};

/// A store that reports every session that changes, whichever process changed it, as
/// [`CachedStore::coherent`](super::CachedStore::coherent) requires.
pub trait ChangeFeed: SessionStore {
    /// Reports changes to `sink` until the future is dropped.
    ///
    /// The feed reconnects by itself: the future completes only if it can never work again.
    ///
    /// # Contract
    ///
    /// 1. Every change of a session that a load would show (including its end, its expiry in the
    ///    store, a renewal and recorded activity) is followed by [`changed`](ChangeSink::changed),
    ///    or by [`everything`](ChangeSink::everything) if it is not known which session has
    ///    changed.
    /// 2. Before [`alive_until`](ChangeSink::alive_until) is set to a moment `m + bound`, all
    ///    changes made before `m` have been reported.
    /// 3. If a change may have been missed, [`lost`](ChangeSink::lost) is called at once, and
    ///    `alive_until` only after every change is seen again.
    fn follow(&self, sink: ChangeSink) -> StoreFuture<'static, ()>;
}

pub(super) type Follow<S> = fn(&S, ChangeSink) -> StoreFuture<'static, ()>;

/// The receiver of a [`ChangeFeed`]'s reports. Clones report to the same cache.
#[derive(Clone)]
pub struct ChangeSink(Weak<Memory>);

impl ChangeSink {
    /// Reports that this session has changed or ended. Its waiting sockets look at once.
    pub fn changed(&self, id: SessionId) {
        if let Some(memory) = self.0.upgrade() {
            memory.changed(id);
        }
    }

    /// Reports that any session may have changed. The answers of loads in progress are not cached
    /// either.
    ///
    /// Wakes no socket: all of them at once would all ask the store at once, just when it is in
    /// trouble. Each looks at its own next
    /// [`watch_interval`](crate::SessionLayer::watch_interval).
    pub fn everything(&self) {
        if let Some(memory) = self.0.upgrade() {
            memory.forget_all_of(None);
        }
    }

    /// Reports that changes may be missed from now on. Nothing is answered from memory until the
    /// next [`alive_until`](Self::alive_until). Wakes no socket, as [`everything`](Self::everything).
    pub fn lost(&self) {
        if let Some(memory) = self.0.upgrade() {
            memory.alive_until(Moment { steady: 0, wall: crate::clock::Timestamp::default() });
            memory.forget_all_of(None);
        }
    }

    /// Returns the current time, by the clocks that the bound is measured with.
    ///
    /// `None` once the cache has been dropped: the feed may end.
    #[must_use]
    pub fn now(&self) -> Option<Moment> {
        Some(self.0.upgrade()?.now())
    }

    /// Allows cached records to be used until `deadline`.
    ///
    /// Readers check the clock themselves, so a feed that hangs disables the cache at the deadline.
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

/// The task that runs the feed. Dropping it stops the task.
pub(super) struct Following(JoinHandle<()>);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Disables the cache when the task ends, for whatever reason.
struct Ended(ChangeSink);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.lost();
    }
}

impl<S: SessionStore> Inner<S> {
    /// Starts to follow the feed, if there is one and a runtime to run it in.
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

//! The tasks of this process that wait for the end or a change of a session.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::{Notify, mpsc};

use crate::id::SessionId;
use crate::record::{Principal, PrincipalHash};

/// The sockets and streams of this process that wait for changes of their sessions
/// ([`SessionStore::watchers`](super::SessionStore::watchers)). Clones share them.
#[derive(Clone, Default)]
pub struct Watchers(Arc<Inner>);

/// Whose sessions have changed: what tasks wait for, and nodes tell each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Told {
    /// This session has changed or ended.
    Changed(SessionId),
    /// Sessions of this principal have ended.
    EndedOf(PrincipalHash),
}

/// A cache, which forgets what another process has changed before anybody is woken.
pub(crate) trait Forget: Send + Sync {
    fn forget(&self, told: Told);
}

#[derive(Default)]
struct Inner {
    waiting: Mutex<HashMap<Told, Vec<Arc<Notify>>>>,
    /// How many wait, so that a change costs nothing more if none do.
    count: AtomicUsize,
    /// Where to tell other processes what this one has changed.
    outlet: Option<mpsc::Sender<Told>>,
    caches: Mutex<Vec<Weak<dyn Forget>>>,
}

/// A place among the waiting tasks, until it is dropped.
pub(crate) struct Watch<'w> {
    watchers: &'w Watchers,
    told: Vec<Told>,
    notify: Arc<Notify>,
}

impl Watchers {
    /// Wakes the tasks that wait for this session, because it has changed or ended. They load it
    /// then, so the load must show the change already. A [`CachedStore`](super::CachedStore) in front
    /// of the store forgets the session first.
    ///
    /// Cheap and never blocking: call it for every session, and as often as you like.
    pub fn changed(&self, id: SessionId) {
        self.heard(Told::Changed(id));
    }

    /// Wakes the tasks that another process tells of.
    pub(crate) fn heard(&self, told: Told) {
        self.caches().iter().filter_map(Weak::upgrade).for_each(|cache| cache.forget(told));
        self.wake(told);
    }

    /// Wakes the tasks, here and elsewhere, that wait for a session that this process has changed.
    pub(crate) fn tell_changed(&self, id: SessionId) {
        self.wake(Told::Changed(id));
        // Half of the room is for what ends.
        let has_room = |outlet: &&mpsc::Sender<Told>| 2 * outlet.capacity() > outlet.max_capacity();
        if let Some(outlet) = self.0.outlet.as_ref().filter(has_room) {
            let _ = outlet.try_send(Told::Changed(id));
        }
    }

    /// Wakes the tasks, here and elsewhere, that wait for a session that this process has ended.
    pub(crate) fn tell_ended(&self, id: SessionId) {
        self.tell_end(|| Told::Changed(id));
    }

    /// Wakes the tasks, here and elsewhere, that wait for any session of a principal, because this
    /// process has ended some.
    pub(crate) fn tell_ended_of(&self, principal: &Principal) {
        self.tell_end(|| Told::EndedOf(principal.hash()));
    }

    fn tell_end(&self, told: impl Fn() -> Told) {
        if !self.is_empty() {
            self.wake(told());
        }
        if let Some(outlet) = &self.0.outlet
            && outlet.try_send(told()).is_err()
        {
            tracing::debug!("too much has changed to tell other nodes of the end of a session");
        }
    }

    fn wake(&self, told: Told) {
        if self.is_empty() {
            return;
        }
        if let Some(waiting) = self.waiting().get(&told) {
            waiting.iter().for_each(|notify| notify.notify_one());
        }
    }

    /// Waits for any of these.
    pub(crate) fn join(&self, told: Vec<Told>) -> Watch<'_> {
        let notify = Arc::new(Notify::new());
        let mut waiting = self.waiting();
        for told in &told {
            waiting.entry(*told).or_default().push(Arc::clone(&notify));
        }
        self.0.count.fetch_add(1, Ordering::AcqRel);
        Watch { watchers: self, told, notify }
    }

    /// Creates ones that pass to `outlet` what this process changes.
    #[cfg(feature = "postgres")]
    pub(crate) fn with_outlet(outlet: mpsc::Sender<Told>) -> Self {
        Self(Arc::new(Inner { outlet: Some(outlet), ..Inner::default() }))
    }

    /// Has `cache` forget what other processes change, before the tasks are woken.
    pub(crate) fn with_cache(&self, cache: Weak<dyn Forget>) {
        let mut caches = self.caches();
        caches.retain(|known| known.strong_count() > 0);
        caches.push(cache);
    }

    fn is_empty(&self) -> bool {
        self.0.count.load(Ordering::Acquire) == 0
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Told, Vec<Arc<Notify>>>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn caches(&self) -> MutexGuard<'_, Vec<Weak<dyn Forget>>> {
        self.0.caches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Watchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watchers")
    }
}

impl Watch<'_> {
    /// Completes once a change or an end was told since the last time.
    pub(crate) async fn changed(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let mut waiting = self.watchers.waiting();
        for told in &self.told {
            if let Some(all) = waiting.get_mut(told) {
                all.retain(|notify| !Arc::ptr_eq(notify, &self.notify));
                if all.is_empty() {
                    waiting.remove(told);
                }
            }
        }
        self.watchers.0.count.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn a_task_is_woken_by_all_that_it_waits_for_and_leaves_nothing() {
        let watchers = Watchers::default();
        let id = |number| SessionId::from_bytes([number; 16]);
        let (seven, eight) = (Principal::new("", "7"), Principal::new("", "8"));
        let of = |number, principal: &Principal| {
            watchers.join(vec![Told::Changed(id(number)), Told::EndedOf(principal.hash())])
        };
        let (one, two, other) = (of(1, &seven), of(1, &seven), of(2, &eight));
        let mut context = Context::from_waker(Waker::noop());
        let mut woken = |watch: &Watch<'_>| pin!(watch.changed()).poll(&mut context).is_ready();
        assert!(!woken(&one) && !woken(&two) && !woken(&other));
        watchers.changed(id(1));
        assert!(woken(&one) && woken(&two) && !woken(&other));
        assert!(!woken(&one), "once");
        watchers.tell_ended_of(&eight);
        assert!(!woken(&one) && woken(&other));
        // What came before the wait counts, too.
        watchers.tell_changed(id(1));
        assert!(woken(&one));
        drop((one, two, other));
        assert!(watchers.waiting().is_empty());
        assert!(watchers.is_empty());
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn ends_are_told_when_there_is_no_room_for_changes() {
        let (outlet, mut told) = mpsc::channel(8);
        let watchers = Watchers::with_outlet(outlet);
        let id = |number| SessionId::from_bytes([number; 16]);
        (0..8).for_each(|number| watchers.tell_changed(id(number)));
        let all: Vec<_> = std::iter::from_fn(|| told.try_recv().ok()).collect();
        assert_eq!(all, [0, 1, 2, 3].map(|number| Told::Changed(id(number))));
        (0..8).for_each(|number| watchers.tell_changed(id(number)));
        (8..16).for_each(|number| watchers.tell_ended(id(number)));
        let all: Vec<_> = std::iter::from_fn(|| told.try_recv().ok()).collect();
        let expected = [0, 1, 2, 3, 8, 9, 10, 11];
        assert_eq!(all, expected.map(|number| Told::Changed(id(number))));
    }
}

//! The tasks of this process that wait for the end or a change of a session.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc};

use crate::id::SessionId;
use crate::record::{Principal, PrincipalHash};

/// The sockets and streams of this process that wait for changes of their sessions
/// ([`SessionStore::watchers`](super::SessionStore::watchers)). Clones share them.
#[derive(Clone, Default)]
pub struct Watchers(Arc<Inner>);

/// What one node tells the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Told {
    /// The session has changed or ended.
    Changed(SessionId),
    /// Sessions of the principal have ended.
    EndedOf(PrincipalHash),
}

#[derive(Default)]
struct Inner {
    waiting: Mutex<HashMap<SessionId, Vec<Arc<Waiter>>>>,
    /// How many wait, so that a change costs nothing more if none do.
    count: AtomicUsize,
    /// Where to tell other processes what this one has changed.
    outlet: Option<mpsc::Sender<Told>>,
}

struct Waiter {
    principal: Option<PrincipalHash>,
    notify: Notify,
}

/// A place among the waiting tasks, until it is dropped.
pub(crate) struct Watch<'w> {
    watchers: &'w Watchers,
    id: SessionId,
    waiter: Arc<Waiter>,
}

impl Watchers {
    /// Wakes the tasks that wait for this session, because it has changed or ended. They load it
    /// then, so the load must show the change already.
    ///
    /// Cheap and never blocking: call it for every session, and as often as you like.
    pub fn changed(&self, id: SessionId) {
        if self.is_empty() {
            return;
        }
        if let Some(waiters) = self.waiting().get(&id) {
            waiters.iter().for_each(|waiter| waiter.notify.notify_one());
        }
    }

    /// Creates ones that pass to `outlet` what this process changes.
    #[cfg(feature = "postgres")]
    pub(crate) fn with_outlet(outlet: mpsc::Sender<Told>) -> Self {
        Self(Arc::new(Inner { outlet: Some(outlet), ..Inner::default() }))
    }

    /// Wakes the tasks that wait for a session that this process has changed, here and elsewhere.
    pub(crate) fn tell(&self, id: SessionId) {
        self.changed(id);
        self.tell_others(|| Told::Changed(id));
    }

    /// Wakes the tasks that wait for any session of a principal, because this process has ended some.
    pub(crate) fn tell_ended_of(&self, principal: &Principal) {
        if !self.is_empty() {
            self.ended_of(principal.hash());
        }
        self.tell_others(|| Told::EndedOf(principal.hash()));
    }

    fn tell_others(&self, told: impl FnOnce() -> Told) {
        if let Some(outlet) = &self.0.outlet {
            // If too many wait to be told, the others look for the change themselves.
            let _ = outlet.try_send(told());
        }
    }

    /// Wakes the tasks that another process tells of.
    #[cfg(feature = "postgres")]
    pub(crate) fn heard(&self, told: Told) {
        match told {
            Told::Changed(id) => self.changed(id),
            Told::EndedOf(principal) => self.ended_of(principal),
        }
    }

    /// Waits for changes of session `id`, of this principal.
    pub(crate) fn join(&self, id: SessionId, principal: Option<PrincipalHash>) -> Watch<'_> {
        let waiter = Arc::new(Waiter { principal, notify: Notify::new() });
        self.waiting().entry(id).or_default().push(Arc::clone(&waiter));
        self.0.count.fetch_add(1, Ordering::AcqRel);
        Watch { watchers: self, id, waiter }
    }

    fn ended_of(&self, principal: PrincipalHash) {
        let waiting = self.waiting();
        let of_theirs = |waiter: &&Arc<Waiter>| waiter.principal == Some(principal);
        let theirs = waiting.values().flatten().filter(of_theirs);
        theirs.for_each(|waiter| waiter.notify.notify_one());
    }

    fn is_empty(&self) -> bool {
        self.0.count.load(Ordering::Acquire) == 0
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<SessionId, Vec<Arc<Waiter>>>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Watchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watchers")
    }
}

impl Watch<'_> {
    /// Completes once a change or the end of the session was told since the last time.
    pub(crate) async fn changed(&self) {
        self.waiter.notify.notified().await;
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let mut waiting = self.watchers.waiting();
        if let Some(waiters) = waiting.get_mut(&self.id) {
            waiters.retain(|waiter| !Arc::ptr_eq(waiter, &self.waiter));
            if waiters.is_empty() {
                waiting.remove(&self.id);
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
    fn a_waiter_is_woken_by_its_session_and_its_principal_and_leaves_nothing() {
        let watchers = Watchers::default();
        let id = |number| SessionId::from_bytes([number; 16]);
        let (seven, eight) = (Principal::new("", "7"), Principal::new("", "8"));
        let one = watchers.join(id(1), Some(seven.hash()));
        let two = watchers.join(id(1), Some(seven.hash()));
        let other = watchers.join(id(2), Some(eight.hash()));
        let mut context = Context::from_waker(Waker::noop());
        let mut woken = |watch: &Watch<'_>| pin!(watch.changed()).poll(&mut context).is_ready();
        assert!(!woken(&one) && !woken(&two) && !woken(&other));
        watchers.changed(id(1));
        assert!(woken(&one) && woken(&two) && !woken(&other));
        assert!(!woken(&one), "once");
        watchers.tell_ended_of(&eight);
        assert!(!woken(&one) && woken(&other));
        // What came before the wait counts, too.
        watchers.changed(id(1));
        assert!(woken(&one));
        drop((one, two, other));
        assert!(watchers.waiting().is_empty());
        assert!(watchers.is_empty());
    }
}

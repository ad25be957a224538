//! State shared by the handles of one request.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::audit::Audit;
use super::handle::KeepAlive;
use super::pending::Pending;
use super::users::Marked;
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::keys::Keys;
use crate::record::{Actor, EndReason, Record};
use crate::schema::{Field, Schema};
use crate::token::SessionToken;
use crate::transport::{BearerToken, Transport};

pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a handle needs from its request.
pub(crate) trait Backend: Send + Sync {
    fn scope(&self) -> &Scope;
    fn now(&self) -> Timestamp;
    fn keys(&self) -> &Keys;
    /// Whether the response has no body (`HEAD`), so that nothing in it is shown.
    fn is_head(&self) -> bool;
    /// The fields that a change of the principal affects.
    fn marked(&self) -> &Marked;
    /// The test kit's audit of values, if one is installed.
    fn audit(&self) -> Option<&Audit>;
    /// Stores what is published. Once polled, runs to completion even if dropped.
    fn save(self: Arc<Self>) -> BoxFuture<'static, Result<(), SessionError>>;
    /// Reads the record again, under the epoch that this request holds.
    fn reload(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> BoxFuture<'_, Result<Option<Arc<Record>>, SessionError>>;
    /// Records activity under the epoch that this request holds; `None` if the session is gone.
    fn touch(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> BoxFuture<'_, Result<Option<Arc<Record>>, SessionError>>;
    /// Records activity in the background until the guard is dropped.
    fn keep_alive(self: Arc<Self>, id: SessionId, epoch: u64) -> KeepAlive;
    /// Completes when the session has ended, or has another revision than `rev`: with the reason of
    /// its end, or `None`.
    fn watch(&self, record: Arc<Record>, rev: Option<u64>) -> BoxFuture<'_, Option<EndReason>>;
    /// Continues with a client that sends its token as a bearer token, if it may.
    fn begin_bearer(&self) -> Result<(), SessionError>;
    /// Returns the token that the client is to send from now on, and does not send it otherwise.
    fn bearer_token(&self) -> Option<BearerToken>;
    /// Takes the names of a field out of the store immediately and returns the first value found.
    fn take(
        self: Arc<Self>,
        field: &'static Field,
        names: Vec<Cow<'static, str>>,
    ) -> BoxFuture<'static, Result<Option<Vec<u8>>, SessionError>>;
    /// Continues with the session of the user who acts in this one, which ends; `false` if none
    /// does.
    fn stop_acting(self: Arc<Self>) -> BoxFuture<'static, Result<bool, SessionError>>;
    /// Begins a transaction on the record as stored now.
    fn transaction(self: Arc<Self>) -> BoxFuture<'static, Result<Box<dyn Attempt>, SessionError>>;
    /// Deletes the destroyed session after the response has been sent.
    fn commit_later(self: Arc<Self>);
}

/// The attempts at a transaction, one after another.
pub(crate) trait Attempt: Send {
    /// What the handle of this attempt works on.
    fn backend(&self) -> Arc<dyn Backend>;
    /// Stores what the attempt changed and returns `true`; otherwise prepares the next attempt and
    /// returns `false`.
    fn commit(&mut self) -> BoxFuture<'_, Result<bool, SessionError>>;
}

/// Where this request's session comes from.
#[derive(Clone, Debug, Default)]
pub(crate) enum Origin {
    /// Not requested yet.
    #[default]
    Unloaded,
    /// The client has no session.
    Nobody,
    /// Only a sign-in may create a session.
    SignInOnly { was: Option<SessionId>, why: Why },
    /// The record as loaded, or as last saved by this request.
    Stored(Arc<Record>),
}

/// Why only a sign-in may create a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The session ended, or its token was replaced, while this request was in flight.
    Late,
    /// The browser may have a session cookie that it did not send.
    Withheld,
    /// The request presents tokens of several sessions.
    Several,
    /// The request destroyed a session that another request had ended already, as a second click
    /// on "Sign out" does. The response of that one counts.
    EndedBefore,
}

/// A session that has ended, whose token the request presents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Over {
    pub(crate) id: SessionId,
    /// The epoch of the sign-in in this browser that ended the token, if it is still valid.
    pub(crate) sign_in: Option<u64>,
}

/// The cookie that the response has to set.
#[derive(Clone, Debug)]
pub(crate) enum CookieChange {
    /// A new token. The cookie lasts until the browser is closed, or until `expires`.
    Set { token: SessionToken, expires: Option<Timestamp> },
    /// The session has ended.
    Remove,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) origin: Origin,
    /// The record came from a cache and has not been confirmed by the store.
    pub(crate) stale: bool,
    /// How the client sends its token.
    pub(crate) transport: Transport,
    /// The handler has taken the bearer token, for the body of the response.
    pub(crate) handed_out: bool,
    /// The token that was presented and accepted.
    pub(crate) token: Option<SessionToken>,
    /// The ended session that the presented token belongs to.
    pub(crate) over: Option<Over>,
    /// Why the presented token opens nothing.
    pub(crate) because: Option<EndReason>,
    /// The live sessions whose tokens were presented, if there are several.
    pub(crate) proved: Vec<SessionId>,
    /// Counts the sessions of this request: `destroy()` starts a new one. Changes from handles of
    /// an earlier generation are dropped.
    pub(crate) generation: u32,
    pub(crate) pending: Pending,
    /// The fields that were published while other handles existed, with the number of their last
    /// publication; including those stored since.
    changed: Vec<(&'static str, u64)>,
    /// Whether a commit of this request runs, or something else that stores.
    pub(crate) turn_taken: bool,
    /// Whether it is a commit.
    pub(crate) committing: bool,
    /// How many others wait for their turn.
    pub(crate) waiting: u32,
    /// Records to delete in any case.
    pub(crate) destroyed: Vec<SessionId>,
    pub(crate) cookie: Option<CookieChange>,
    /// The schemas under which this request reads the session.
    pub(crate) schemas: Vec<&'static Schema>,
    /// The cookie is to follow the session, whose activity has just been recorded.
    pub(crate) follows: bool,
    /// A handler has read the session, so the response depends on the cookie.
    pub(crate) read: bool,
    /// The client presented the cookie of a session that was taken over.
    pub(crate) legacy: bool,
    /// The client presented a former cookie of this layer.
    pub(crate) moved: bool,
    /// An explicit change found no session to be stored in.
    pub(crate) lost: bool,
    /// The last stored change of the principal was a sign-out.
    pub(crate) signed_out: bool,
}

impl Origin {
    pub(crate) const fn record(&self) -> Option<&Arc<Record>> {
        match self {
            Self::Stored(record) => Some(record),
            _ => None,
        }
    }
}

impl State {
    pub(crate) fn record(&self) -> Option<&Arc<Record>> {
        self.origin.record()
    }

    /// Whether there is anything to store.
    pub(crate) fn has_work(&self) -> bool {
        !self.pending.is_empty() || !self.destroyed.is_empty()
    }

    /// Reads the session under `schema` from now on.
    pub(crate) fn reads_under(&mut self, schema: &'static Schema) {
        // Other schemas have nothing to migrate and nothing to decrypt.
        if (schema.version > 1 || schema.has_secrets())
            && !self.schemas.iter().any(|known| known.is(schema))
        {
            self.schemas.push(schema);
        }
    }

    /// Records that publication `at` changes `field`. Returns whether the handle had not seen its
    /// latest value: `seen` is the last publication that it saw. `others_view` says whether other
    /// handles exist.
    pub(crate) fn changes_unseen(
        &mut self,
        field: &'static str,
        seen: u64,
        at: u64,
        others_view: bool,
    ) -> bool {
        match self.changed.iter_mut().find(|(known, _)| *known == field) {
            Some((_, last)) => {
                // One change may consist of several operations.
                let unseen = *last > seen && *last != at;
                *last = at;
                unseen
            }
            None => {
                // A handle that is opened later starts from this value.
                if others_view {
                    self.changed.push((field, at));
                }
                false
            }
        }
    }

    /// Ends the session at once, including what was published before.
    pub(crate) fn destroy(&mut self) {
        match &self.origin {
            Origin::Stored(record) => {
                // Deleted from the end: first this one.
                self.destroyed.extend(Actor::of(record).map(|actor| actor.session));
                self.destroyed.push(record.id);
            }
            Origin::SignInOnly { was: Some(id), .. } => self.destroyed.push(*id),
            Origin::SignInOnly { was: None, .. } | Origin::Nobody | Origin::Unloaded => {}
        }
        self.destroyed.append(&mut self.proved);
        self.abandon();
    }

    /// Treats the visitor as new from now on, and leaves the stored record alone.
    pub(crate) fn abandon(&mut self) {
        self.origin = match self.origin {
            Origin::SignInOnly { why, .. } => Origin::SignInOnly { was: None, why },
            _ => Origin::Nobody,
        };
        self.token = None;
        self.generation += 1;
        self.pending = Pending::default();
        self.changed.clear();
        self.lost = false;
    }
}

#[derive(Debug, Default)]
pub(crate) struct Scope {
    state: Mutex<State>,
    sequence: AtomicUsize,
    unpublished: AtomicUsize,
    /// Number of publications so far. Incremented while the state is locked.
    published: AtomicU64,
    /// Number of handles, and of extensions from which one can still be opened.
    viewers: AtomicUsize,
    head_sent: AtomicBool,
}

impl Scope {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while holding it, so a poisoned lock is still consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state_mut(&mut self) -> &mut State {
        self.state.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the sequence number of the next change of this request, which the caller's handle
    /// makes.
    pub(crate) fn next_seq(&self) -> u64 {
        add(&self.sequence, 1, self.is_shared()) as u64
    }

    /// Returns how many handles have unpublished changes.
    pub(crate) fn unpublished(&self) -> usize {
        self.unpublished.load(Ordering::Acquire)
    }

    /// Returns the number of publications so far, which tells a handle whether it is behind.
    pub(crate) fn published(&self) -> u64 {
        self.published.load(Ordering::Acquire)
    }

    /// Counts a publication and returns its number. The caller holds the state's lock.
    pub(crate) fn publishes(&self, _: &mut State) -> u64 {
        let number = self.published() + 1;
        self.published.store(number, Ordering::Release);
        number
    }

    /// Counts the caller's handle as one with unpublished changes.
    pub(crate) fn became_dirty(&self) {
        add(&self.unpublished, 1, self.is_shared());
    }

    /// Counts it no more.
    pub(crate) fn became_clean(&self) {
        add(&self.unpublished, -1, self.is_shared());
    }

    /// Counts a viewer. The first one is counted before anyone else can count: every later one is
    /// opened from an existing one.
    pub(crate) fn gained_viewer(&self) {
        add(&self.viewers, 1, self.is_viewed());
    }

    /// Counts the caller's view no more.
    pub(crate) fn lost_viewer(&self) {
        add(&self.viewers, -1, self.is_shared());
    }

    /// Whether more than one handle views the session, or may.
    pub(crate) fn is_shared(&self) -> bool {
        self.viewers.load(Ordering::Acquire) > 1
    }

    /// Whether a handle views the session, or one can still be opened.
    pub(crate) fn is_viewed(&self) -> bool {
        self.viewers.load(Ordering::Acquire) > 0
    }

    pub(crate) fn head_sent(&self) -> bool {
        self.head_sent.load(Ordering::Acquire)
    }

    pub(crate) fn mark_head_sent(&self) {
        self.head_sent.store(true, Ordering::Release);
    }
}

/// Adds `by` and returns the sum. If nobody else can count at the same time, a plain load and store
/// will do, at a fraction of the cost of an atomic addition.
fn add(counter: &AtomicUsize, by: isize, shared: bool) -> usize {
    if shared {
        return counter.fetch_add(by as usize, Ordering::AcqRel).wrapping_add_signed(by);
    }
    let sum = counter.load(Ordering::Acquire).wrapping_add_signed(by);
    counter.store(sum, Ordering::Release);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_that_come_and_go_on_several_threads_are_counted_exactly() {
        let scope = Scope::default();
        scope.gained_viewer();
        let begin = std::sync::Barrier::new(4);
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    begin.wait();
                    for _ in 0..100_000 {
                        scope.gained_viewer();
                        scope.became_dirty();
                        scope.next_seq();
                        scope.became_clean();
                        scope.lost_viewer();
                    }
                });
            }
        });
        assert!(scope.is_viewed() && !scope.is_shared());
        assert_eq!((scope.unpublished(), scope.next_seq()), (0, 400_001));
        scope.lost_viewer();
        assert!(!scope.is_viewed());
    }
}

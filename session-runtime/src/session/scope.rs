//! What the handles of one request share.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::audit::Audit;
use super::pending::Pending;
use super::users::Marked;
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::keys::Keys;
use crate::record::Record;
use crate::schema::{Field, Schema};
use crate::token::SessionToken;

pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How a handle reaches the world without knowing it.
pub(crate) trait Backend: Send + Sync {
    fn scope(&self) -> &Scope;
    fn now(&self) -> Timestamp;
    fn keys(&self) -> &Keys;
    /// Whether the response has no body (`HEAD`), so that nobody reads what it says.
    fn is_head(&self) -> bool;
    /// The fields that a change of user is about.
    fn marked(&self) -> Marked;
    /// Who looks at values, in a test.
    fn audit(&self) -> Option<&Audit>;
    /// Stores what is published. Once polled it runs to its end, dropped or not.
    fn save(self: Arc<Self>) -> BoxFuture<'static, Result<(), SessionError>>;
    /// Reads the record again under the epoch that this request has.
    fn reload(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> BoxFuture<'_, Result<Option<Arc<Record>>, SessionError>>;
    /// Takes the names of a field out of the store, now. The first value that
    /// was there.
    fn take(
        self: Arc<Self>,
        field: &'static Field,
        names: Vec<Cow<'static, str>>,
    ) -> BoxFuture<'static, Result<Option<Vec<u8>>, SessionError>>;
    /// Begins a transaction on what is stored now.
    fn transaction(self: Arc<Self>) -> BoxFuture<'static, Result<Box<dyn Attempt>, SessionError>>;
    /// Sees to it that the session is destroyed, though the response has left.
    fn commit_later(self: Arc<Self>);
}

/// One attempt after the other at a transaction.
pub(crate) trait Attempt: Send {
    /// What the handle of this attempt works on.
    fn backend(&self) -> Arc<dyn Backend>;
    /// Stores what the attempt changed, or prepares the next one: then the
    /// answer is `false`.
    fn commit(&mut self) -> BoxFuture<'_, Result<bool, SessionError>>;
}

/// Where this request's session comes from.
#[derive(Clone, Debug, Default)]
pub(crate) enum Origin {
    /// Nobody asked yet.
    #[default]
    Unloaded,
    /// The client has no session.
    Nobody,
    /// Nothing may be created, unless somebody signs in.
    SignInOnly { was: Option<SessionId>, why: Why },
    /// The record as loaded, or as last saved by this request.
    Stored(Arc<Record>),
}

/// Why nothing may be created in the place of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It ended, or its token was replaced, while this request was on its way.
    Late,
    /// The browser may have a cookie of ours that it did not send.
    Withheld,
    /// The request presents the tokens of several.
    Several,
}

/// A session that is over, whose token the request presents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Over {
    pub(crate) id: SessionId,
    /// The epoch that a sign-in of this browser gave, if that ended the token and holds.
    pub(crate) sign_in: Option<u64>,
}

/// The cookie that this request made necessary.
#[derive(Clone, Debug)]
pub(crate) enum CookieChange {
    /// A new token. It stays until the browser is closed, or until `expires`.
    Set { token: SessionToken, expires: Option<Timestamp> },
    /// The session is over.
    Remove,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) origin: Origin,
    /// The record came out of a cache, and nobody has asked the store since.
    pub(crate) stale: bool,
    /// The token that was presented and authenticated.
    pub(crate) token: Option<SessionToken>,
    /// What the token was of that was presented, if that is over.
    pub(crate) over: Option<Over>,
    /// The live sessions of which tokens were presented, where these are several.
    pub(crate) proved: Vec<SessionId>,
    /// Counts the sessions of this request: `destroy()` starts a new one.
    /// Handles of an earlier generation publish to nobody.
    pub(crate) generation: u32,
    pub(crate) pending: Pending,
    /// Which fields were published beside another handle, and when last; also those that
    /// are stored by now.
    changed: Vec<(&'static str, u64)>,
    /// Records that are to be deleted, whatever else happens.
    pub(crate) destroyed: Vec<SessionId>,
    pub(crate) cookie: Option<CookieChange>,
    /// The schemas under which this request reads the session.
    pub(crate) schemas: Vec<&'static Schema>,
    /// A handler read the session, so the response depends on the cookie.
    pub(crate) read: bool,
    /// The client presented a cookie of a session that was taken over.
    pub(crate) legacy: bool,
    /// The client presented a cookie that the layer had before.
    pub(crate) moved: bool,
    /// An explicit change of a field found no session to go to.
    pub(crate) lost: bool,
    /// The last stored change of who is signed in was a sign-out.
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

    /// Reads the session under `schema` from now on.
    pub(crate) fn reads_under(&mut self, schema: &'static Schema) {
        // Schemas that never had another version, and nothing to encrypt, have
        // nothing to say here.
        if (schema.version > 1 || schema.has_secrets())
            && !self.schemas.iter().any(|known| known.is(schema))
        {
            self.schemas.push(schema);
        }
    }

    /// Notes that `field` is changed by the publication `at`, while others view it or not,
    /// and says whether a handle that had seen those up to `seen` did not know its value.
    pub(crate) fn changes_unseen(
        &mut self,
        field: &'static str,
        seen: u64,
        at: u64,
        others_view: bool,
    ) -> bool {
        match self.changed.iter_mut().find(|(known, _)| *known == field) {
            Some((_, last)) => {
                // One change may be several operations.
                let unseen = *last > seen && *last != at;
                *last = at;
                unseen
            }
            None => {
                // A handle that comes later will have seen it.
                if others_view {
                    self.changed.push((field, at));
                }
                false
            }
        }
    }

    /// Ends the session at once. What was published before goes with it.
    pub(crate) fn destroy(&mut self) {
        match &self.origin {
            Origin::Stored(record) => self.destroyed.push(record.id),
            Origin::SignInOnly { was: Some(id), .. } => self.destroyed.push(*id),
            Origin::SignInOnly { was: None, .. } | Origin::Nobody | Origin::Unloaded => {}
        }
        self.destroyed.append(&mut self.proved);
        self.abandon();
    }

    /// Sees nobody from now on, and leaves what is stored alone.
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
    sequence: AtomicU64,
    unpublished: AtomicUsize,
    /// How often a handle has published something. Grows under the lock of the state.
    published: AtomicU64,
    /// Handles, and extensions through which one may still be asked for.
    viewers: AtomicUsize,
    head_sent: AtomicBool,
}

impl Scope {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held; a poisoned lock is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state_mut(&mut self) -> &mut State {
        self.state.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the next change of this request.
    pub(crate) fn next_seq(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// How many handles have changes that they have not published.
    pub(crate) fn unpublished(&self) -> usize {
        self.unpublished.load(Ordering::Acquire)
    }

    /// How often a handle has published something, so that another one may be behind.
    pub(crate) fn published(&self) -> u64 {
        self.published.load(Ordering::Acquire)
    }

    /// Something is published, by the one who holds the state. The number of that.
    pub(crate) fn publishes(&self, _: &mut State) -> u64 {
        self.published.fetch_add(1, Ordering::AcqRel) + 1
    }

    pub(crate) fn became_dirty(&self) {
        self.unpublished.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn became_clean(&self) {
        self.unpublished.fetch_sub(1, Ordering::AcqRel);
    }

    pub(crate) fn gained_viewer(&self) {
        self.viewers.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn lost_viewer(&self) {
        self.viewers.fetch_sub(1, Ordering::AcqRel);
    }

    /// Whether somebody else than one handle does, or may.
    pub(crate) fn is_shared(&self) -> bool {
        self.viewers.load(Ordering::Acquire) > 1
    }

    /// Whether a handle looks at the session, or one may still be asked for.
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

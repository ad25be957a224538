//! One session in the index of its principal.

use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::token::PatchId;

/// When the session was last authenticated, and when it was created: the oldest sessions make room.
pub(in crate::store) type Order = (Option<Timestamp>, Timestamp);

/// A session that may be live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Entry {
    pub(in crate::store) id: SessionId,
    /// The time by which it has ended, however it is used.
    pub(in crate::store) bound: Timestamp,
    pub(in crate::store) order: Order,
    /// The write that created this entry. Removing an entry names it, so that newer entries are not
    /// removed.
    pub(in crate::store) tag: PatchId,
    pub(in crate::store) state: State,
}

/// How far the write of an entry has got. Every state but the first ends at the time in it:
/// `Expired` with the removal of the entry, the others by becoming `Settled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum State {
    /// The session exists, or did.
    Settled,
    /// The session may be written at any moment, and the sign-in has no conditions: it counts, and
    /// is never dropped.
    Announced(Timestamp),
    /// Same for a session that is being created: whatever is stored under its id is that session.
    New(Timestamp),
    /// Same for a sign-in with conditions, which has to be confirmed.
    Reserved(Timestamp),
    /// Settled; a retry of the sign-in can recognise it.
    Confirmed(Timestamp),
    /// A later sign-in evicted it: it must not be confirmed.
    Evicted(Timestamp),
    /// All sessions were revoked since: it must not be confirmed.
    Revoked(Timestamp),
    /// The session has expired: it does not count. Until this time a patch in flight may revive it,
    /// under an entry of its own, so a revocation must still find it here.
    Expired(Timestamp),
}

impl State {
    pub(in crate::store) fn at(self, now: Timestamp) -> Self {
        match self {
            Self::Announced(until)
            | Self::New(until)
            | Self::Reserved(until)
            | Self::Confirmed(until)
            | Self::Evicted(until)
            | Self::Revoked(until)
                if until <= now =>
            {
                Self::Settled
            }
            state => state,
        }
    }
}

impl Entry {
    /// Whether the session counts even if nothing is stored yet.
    pub(in crate::store) const fn is_under_way(&self) -> bool {
        matches!(self.state, State::Announced(_) | State::New(_) | State::Reserved(_))
    }

    /// Whether it may be a live session.
    pub(in crate::store) const fn may_count(&self) -> bool {
        !matches!(self.state, State::Expired(_))
    }

    /// Whether no write is in progress: without its session, the entry can be removed.
    pub(in crate::store) const fn is_quiet(&self) -> bool {
        matches!(self.state, State::Settled | State::Confirmed(_) | State::Expired(_))
    }

    /// Whether it may be moved to a bucket: no confirmation will look for it in the root.
    pub(super) const fn may_be_apart(&self) -> bool {
        self.is_quiet() || matches!(self.state, State::Announced(_) | State::New(_))
    }

    /// Whether it may be removed, because the session has long ended. Allows a margin, because
    /// clocks differ.
    pub(in crate::store) fn is_over(&self, now: Timestamp) -> bool {
        let end = match self.state.at(now) {
            State::Settled => self.bound,
            State::Expired(until) => until,
            _ => return false,
        };
        end.after(super::MARGIN) <= now
    }

    pub(super) fn is(&self, id: SessionId, tag: PatchId) -> bool {
        self.id == id && self.tag == tag
    }
}

//! One session in the index of its principal.

use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::token::PatchId;

/// When the user of a session proved who they are, and when it was created: the oldest
/// sessions make room.
pub(in crate::store) type Order = (Option<Timestamp>, Timestamp);

/// A session that may be live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Entry {
    pub(in crate::store) id: SessionId,
    /// By when it has ended, however it is used.
    pub(in crate::store) bound: Timestamp,
    pub(in crate::store) order: Order,
    /// The write that made this entry. Who drops an entry names it, and so drops
    /// nothing that came since.
    pub(in crate::store) tag: PatchId,
    pub(in crate::store) state: State,
}

/// How far the write of an entry has come. Every state but the first ends by itself at
/// the time in it: `Expired` with the entry, the others in `Settled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum State {
    /// The session is there, or was.
    Settled,
    /// It may be written at any moment, and nothing was asked of the others: it counts,
    /// and is never dropped.
    Announced(Timestamp),
    /// The same for a session that is created: once anything is stored, that is it.
    New(Timestamp),
    /// The same for a sign-in with conditions, which has to be confirmed.
    Reserved(Timestamp),
    /// Settled; a repetition of the sign-in finds that.
    Confirmed(Timestamp),
    /// A later sign-in took its place: it must not be confirmed.
    Evicted(Timestamp),
    /// All sessions were revoked since: it must not be confirmed.
    Revoked(Timestamp),
    /// The session has expired: it does not count. Until then a patch that is on its way
    /// may make it live again, under an entry of its own, so a revocation still finds it
    /// here.
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
    /// The session counts even if nothing is stored yet.
    pub(in crate::store) const fn is_under_way(&self) -> bool {
        matches!(self.state, State::Announced(_) | State::New(_) | State::Reserved(_))
    }

    /// It may be a live session.
    pub(in crate::store) const fn may_count(&self) -> bool {
        !matches!(self.state, State::Expired(_))
    }

    /// No write is on its way: without its session the entry is worth nothing.
    pub(in crate::store) const fn is_quiet(&self) -> bool {
        matches!(self.state, State::Settled | State::Confirmed(_) | State::Expired(_))
    }

    /// Nobody is going to ask the root for it.
    pub(super) const fn may_be_apart(&self) -> bool {
        self.is_quiet() || matches!(self.state, State::Announced(_) | State::New(_))
    }

    /// It may be forgotten: the session has ended long since. A little later than it says,
    /// for clocks differ.
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

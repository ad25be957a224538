//! What is remembered of a session that has ended.

use super::{Meta, Standing};
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::token::SecretHash;

/// Who ended a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// A request of its own browser: a sign-out, or a change of privilege that
    /// replaced the secret. The answer to that request carried a newer cookie, or
    /// the removal of the old one.
    Browser,
    /// Another device, an administrator, a cap: the browser never got another
    /// cookie.
    Elsewhere,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Who ended it.
    pub by: EndedBy,
    /// When, by the store's clock.
    pub at: Timestamp,
    /// The session that was begun with its token since, if there is one.
    pub successor: Option<Successor>,
}

impl Ended {
    /// Ended by `by` at `at`.
    #[must_use]
    pub const fn new(by: EndedBy, at: Timestamp) -> Self {
        Self { by, at, successor: None }
    }
}

/// The session that follows one that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Successor {
    /// Its id.
    pub id: SessionId,
    /// Whether it was begun by a sign-in.
    pub signed_in: bool,
}

/// What is left of a destroyed record for [`TOMBSTONE`](super::TOMBSTONE).
#[derive(Clone, Debug, PartialEq)]
pub struct Tombstone {
    /// The record's own data, as it was at its end.
    pub meta: Meta,
    /// How it ended.
    pub ended: Ended,
}

impl Tombstone {
    /// How the session ended, for a request that presents one of these secrets;
    /// `None` where none of them was one of its own, or the tombstone is over.
    #[must_use]
    pub fn judge(&self, secrets: &[SecretHash], now: Timestamp) -> Option<Ended> {
        if self.is_over(now) {
            return None;
        }
        let at = self.ended.at;
        let known = |secret| match self.meta.standing(secret, at, at) {
            Standing::Current | Standing::Next | Standing::Previous | Standing::Retired(_) => true,
            Standing::Replayed | Standing::Unknown => false,
        };
        secrets.iter().any(known).then_some(self.ended)
    }

    /// Whether it may be forgotten.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        now.since(self.ended.at) >= super::TOMBSTONE
    }
}

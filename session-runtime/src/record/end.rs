//! What is remembered of a session that has ended.

use super::{Meta, Standing, Visit};
use crate::clock::Timestamp;
use crate::token::SecretHash;

/// Who ended a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// A request of the session's own browser: a sign-out, or a change of privilege that replaced
    /// the secret. The response to that request carried a newer cookie, or removed the old one.
    Browser,
    /// Another device, an administrator, or a cap: the browser never got another cookie.
    Elsewhere,
}

/// How a session, or the secret that was presented, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Who ended it.
    pub by: EndedBy,
    /// When, by the store's clock.
    pub at: Timestamp,
    /// Whether the current request was already on its way then: it arrived before the end, or
    /// within the [`grace`](Visit::grace) period after it.
    pub late: bool,
    /// The epoch that a sign-in set when it replaced the secret, as long as no later change of
    /// privilege has followed: the same sign-in, sent twice, may continue with it.
    pub sign_in: Option<u64>,
}

impl Ended {
    /// Creates the end by `by` at `at`.
    #[must_use]
    pub const fn new(by: EndedBy, at: Timestamp) -> Self {
        Self { by, at, late: false, sign_in: None }
    }

    /// Sets `late` for a request that has waited for [`Visit::waited`]. Sessions that ended
    /// elsewhere have no late requests: the browser never got another cookie that they could undo.
    pub(super) fn told(self, visit: Visit, now: Timestamp) -> Self {
        let arrived = now.before(visit.waited);
        let late = self.by == EndedBy::Browser && arrived < self.at.after(visit.grace);
        Self { late, ..self }
    }
}

/// The remains of a destroyed record, kept for [`TOMBSTONE`](super::TOMBSTONE).
#[derive(Clone, Debug, PartialEq)]
pub struct Tombstone {
    /// The record's own data when it ended.
    pub meta: Meta,
    /// How it ended.
    pub ended: Ended,
}

impl Tombstone {
    /// Returns how the session ended, for a request that presents one of these secrets; `None` if
    /// none of them belongs to the session, or the tombstone is over.
    #[must_use]
    pub fn judge(&self, secrets: &[SecretHash], visit: Visit, now: Timestamp) -> Option<Ended> {
        if self.is_over(now) {
            return None;
        }
        let at = self.ended.at;
        let known = |secret| match self.meta.standing(secret, at, at) {
            Standing::Current | Standing::Next | Standing::Previous | Standing::Retired(_) => true,
            Standing::Replayed | Standing::Unknown => false,
        };
        secrets.iter().any(known).then(|| self.ended.told(visit, now))
    }

    /// Whether it may be removed.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        now.since(self.ended.at) >= super::TOMBSTONE
    }
}

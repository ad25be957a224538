//! What is remembered of a session that has ended.

use super::{Meta, Standing, Visit};
use crate::clock::Timestamp;
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

/// How a session ended, or the secret that was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Who ended it.
    pub by: EndedBy,
    /// When, by the store's clock.
    pub at: Timestamp,
    /// Whether the request that asks was on its way then: it arrived before the end,
    /// or within the [`grace`](Visit::grace) after it.
    pub late: bool,
    /// The epoch that a sign-in gave when it replaced the secret, while nothing has
    /// changed privileges since: the same sign-in, sent twice, may go on with it.
    pub sign_in: Option<u64>,
}

impl Ended {
    /// Ended by `by` at `at`.
    #[must_use]
    pub const fn new(by: EndedBy, at: Timestamp) -> Self {
        Self { by, at, late: false, sign_in: None }
    }

    /// As a request is told that has waited so long. What ended elsewhere has no late
    /// requests: its browser never got another cookie that they could undo.
    pub(super) fn told(self, visit: Visit, now: Timestamp) -> Self {
        let arrived = now.before(visit.waited);
        let late = self.by == EndedBy::Browser && arrived < self.at.after(visit.grace);
        Self { late, ..self }
    }
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

    /// Whether it may be forgotten.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        now.since(self.ended.at) >= super::TOMBSTONE
    }
}

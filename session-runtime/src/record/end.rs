//! What is remembered of a session that has ended.

use std::fmt;

use super::{Meta, Standing, Visit};
use crate::clock::Timestamp;
use crate::token::SecretHash;

/// Why a session is over. Known for a minute after its end; see
/// [`Handle::ended_because`](crate::Handle::ended_because).
///
/// Its text, as in `ended=idle` in the address of a login page, is that of [`as_str`](Self::as_str).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// It was destroyed by a request of its own browser, as by a sign-out there.
    SignedOut,
    /// Another user signed in, in the same browser.
    AnotherUser,
    /// A sign-in, a sign-out or a change of privileges has replaced what the token stood for; the
    /// session itself may continue.
    Replaced,
    /// It was ended by [`SessionManager`](crate::SessionManager), usually by its user on another
    /// device.
    OtherDevice,
    /// An administrator ended it.
    Administrator,
    /// It made room for a newer session of its user.
    Limit,
    /// A token of it may have been stolen.
    Replayed,
    /// It was idle for too long.
    Idle,
    /// It reached the absolute timeout.
    Expired,
    /// The token opens nothing, and no more is known: the session ended more than a minute ago, or
    /// there never was one.
    Unknown,
}

impl EndReason {
    const ALL: [Self; 10] = [
        Self::SignedOut,
        Self::AnotherUser,
        Self::Replaced,
        Self::OtherDevice,
        Self::Administrator,
        Self::Limit,
        Self::Replayed,
        Self::Idle,
        Self::Expired,
        Self::Unknown,
    ];

    /// Returns the reason's name, such as `signed-out`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed-out",
            Self::AnotherUser => "another-user",
            Self::Replaced => "replaced",
            Self::OtherDevice => "other-device",
            Self::Administrator => "administrator",
            Self::Limit => "limit",
            Self::Replayed => "replayed",
            Self::Idle => "idle",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
        }
    }

    /// Returns the reason with this name; `None` for any other text. A name in an address comes
    /// from outside: choose a text by it, and trust it with nothing.
    ///
    /// ```
    /// use session_runtime::EndReason;
    ///
    /// assert_eq!(EndReason::named("idle"), Some(EndReason::Idle));
    /// assert_eq!(EndReason::named("<script>"), None);
    /// ```
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }

    /// Whether a request of the session's own browser ended it. The response to that request
    /// carried a newer cookie, or removed the old one.
    #[must_use]
    #[doc(hidden)]
    pub const fn is_of_browser(self) -> bool {
        matches!(self, Self::SignedOut | Self::AnotherUser | Self::Replaced)
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a session, or the secret that was presented, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Why it ended.
    pub because: EndReason,
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
    /// Creates the end at `at`.
    #[must_use]
    pub const fn new(because: EndReason, at: Timestamp) -> Self {
        Self { because, at, late: false, sign_in: None }
    }

    /// Sets `late` for a request that has waited for [`Visit::waited`]. Sessions that ended
    /// elsewhere have no late requests: the browser never got another cookie that they could undo.
    pub(super) fn told(self, visit: Visit, now: Timestamp) -> Self {
        let arrived = now.before(visit.waited);
        let late = self.because.is_of_browser() && arrived < self.at.after(visit.grace);
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
        let told = self.ended.told(visit, now);
        let standings = secrets.iter().map(|secret| self.meta.standing(secret, at, at));
        let known = standings.filter_map(|standing| match standing {
            Standing::Current | Standing::Next | Standing::Previous => Some(told),
            // The holder of a replaced secret learns no more than that.
            Standing::Retired(_) => Some(Ended { because: EndReason::Replaced, ..told }),
            Standing::Replayed | Standing::Unknown => None,
        });
        known.min_by_key(|ended| ended.because == EndReason::Replaced)
    }

    /// Whether it may be removed.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        now.since(self.ended.at) >= super::TOMBSTONE
    }
}

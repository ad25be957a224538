//! Changes of a record's own data, and their conditions.

use std::borrow::Cow;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::{Principal, Record, Rotate};
use crate::token::SecretHash;

/// Changes of a record's own data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetaPatch {
    /// Replaces the secret, raises the epoch and retires the old secret, so that requests that were
    /// authorised before are refused from now on.
    pub renew: Option<SecretHash>,
    /// Raises the epoch and keeps the secret, which is due for a renewal from then on: privileges
    /// have changed, and the client is not there to be sent another one.
    pub raise: bool,
    /// Sets `authenticated` to the store's time.
    pub authenticated: bool,
    /// Replaces the principal, in the record and in the index.
    pub principal: Option<Option<Principal>>,
    /// Restarts both timeouts, counted from the store's time.
    pub lifetime: Option<Lifetime>,
    /// Conditions on the other sessions of the principal that is signed in after this patch. If
    /// they do not hold, the answer is [`Outcome::Denied`](super::Outcome::Denied).
    pub sign_in: SignIn,
    /// Makes this the pending next secret, unless one is already pending.
    pub rotate: Option<Box<Rotate>>,
    /// Adds a pending secret beside those already pending: the request joins a session that another
    /// request of the same browser has begun. Any request that knows the epoch may do so. The
    /// current secret remains valid until this one, or another one added in this way, is presented.
    pub join: Option<Box<SecretHash>>,
    /// The schema versions that the fields of these namespaces have after this patch.
    pub versions: Vec<(Cow<'static, str>, u32)>,
}

impl MetaPatch {
    /// Whether it raises the epoch.
    #[must_use]
    #[doc(hidden)]
    pub const fn raises(&self) -> bool {
        self.renew.is_some() || self.raise
    }

    /// Whether it leaves unchanged how the session is found, when it expires, and its
    /// authentication.
    #[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
    pub(crate) fn is_plain(&self) -> bool {
        !self.raises()
            && !self.authenticated
            && self.principal.is_none()
            && self.lifetime.is_none()
            && self.sign_in.is_unconditional()
    }
}

/// Conditions on the other sessions of the principal that signs in, checked in the same step. They
/// have no effect if the session has no principal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignIn {
    /// How many live sessions the principal may have, this one included.
    pub cap: Option<Cap>,
    /// Requires that the principal's sessions were not all revoked at or after this time: a
    /// revocation also stops a login that began before it.
    pub not_revoked_since: Option<Timestamp>,
}

impl SignIn {
    /// Whether there are no conditions.
    #[must_use]
    #[doc(hidden)]
    pub const fn is_unconditional(&self) -> bool {
        self.cap.is_none() && self.not_revoked_since.is_none()
    }

    /// Decides whether the sign-in is allowed, and returns the sessions that end to make room; the
    /// reference for every store. `others` are the live sessions of the principal except the one
    /// that signs in; `revoked` is when all of them were last revoked.
    ///
    /// # Errors
    ///
    /// The reason why the sign-in is refused.
    #[doc(hidden)]
    pub fn admit<'r>(
        &self,
        others: impl IntoIterator<Item = &'r Record>,
        revoked: Option<Timestamp>,
    ) -> Result<Vec<SessionId>, Denied> {
        if self.not_revoked_since.is_some_and(|since| revoked.is_some_and(|at| since <= at)) {
            return Err(Denied::Revoked);
        }
        let Some(Cap { max, at_limit }) = self.cap else { return Ok(Vec::new()) };
        let order = |it: &'r Record| (it.meta.authenticated, it.meta.created, it.id);
        let mut others: Vec<_> = others.into_iter().map(order).collect();
        let surplus = (others.len() + 1).saturating_sub(max.get() as usize);
        if surplus > 0 && at_limit == AtLimit::Reject {
            return Err(Denied::AtLimit);
        }
        others.sort_unstable();
        Ok(others.into_iter().take(surplus).map(|(.., id)| id).collect())
    }
}

/// A limit on the live sessions of a principal.
///
/// A store may have to read as many sessions: see [`Cap::MOST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap {
    /// The limit: at least one, at most [`MOST`](Self::MOST).
    pub max: std::num::NonZeroU32,
    /// What happens to a sign-in that would exceed it.
    pub at_limit: AtLimit,
}

impl Cap {
    /// The largest cap that a layer accepts: 1,000.
    pub const MOST: u32 = 1_000;
}

/// What happens to a sign-in that would exceed the cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtLimit {
    /// The sign-in is refused, and nothing is written.
    Reject,
    /// The oldest other sessions end, as if they were revoked: those that were authenticated the
    /// longest ago (never comes first), then those created first, then by id.
    EvictOldest,
}

/// Why a sign-in is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The principal has as many sessions as the cap allows.
    AtLimit,
    /// All sessions of the principal were revoked after the login began.
    Revoked,
}

/// How long a session lives, counted from when the patch is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// Ends the session after this long without activity. `None`: no idle timeout.
    pub idle: Option<Duration>,
    /// Ends the session after this long, regardless of activity. `None`: only
    /// [`MAX_LIFETIME`](crate::record::MAX_LIFETIME) applies.
    pub absolute: Option<Duration>,
    /// Whether the user asked to be remembered: the cookie outlives the browser.
    pub remember: bool,
}

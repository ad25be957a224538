//! Changes of a record's own data, and what they depend on.

use std::borrow::Cow;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::{Principal, Record, Rotate};
use crate::token::SecretHash;

/// Changes of a record's own data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetaPatch {
    /// Replaces the secret, raises the epoch and retires the old secret, so
    /// that everything authorised before is refused from now on.
    pub renew: Option<SecretHash>,
    /// Stamps `authenticated` with the store's time.
    pub authenticated: bool,
    /// Replaces the principal, in the record and in the index.
    pub principal: Option<Option<Principal>>,
    /// Restarts both timeouts, counted from the store's time.
    pub lifetime: Option<Lifetime>,
    /// What must hold of the other sessions of whoever is signed in after this
    /// patch, or the answer is [`Outcome::Denied`](super::Outcome::Denied).
    pub sign_in: SignIn,
    /// Makes this the pending next secret, unless one is pending already.
    pub rotate: Option<Box<Rotate>>,
    /// Makes this a pending secret beside whatever is pending: the request that sends it
    /// joins a session that another request of the same browser has begun. Whoever
    /// knows the epoch may do so. The current secret stays good until this one, or
    /// another of its kind, is presented.
    pub join: Option<Box<SecretHash>>,
    /// The schema version that the fields of a namespace have after this patch.
    pub versions: Vec<(Cow<'static, str>, u32)>,
}

#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
impl MetaPatch {
    /// Whether it changes nothing by which a session is found, when it ends, or what its
    /// user has proved.
    pub(crate) fn is_plain(&self) -> bool {
        self.renew.is_none()
            && !self.authenticated
            && self.principal.is_none()
            && self.lifetime.is_none()
            && self.sign_in.is_unconditional()
    }
}

/// What must hold, in the same step, of the other sessions of a principal for
/// whom somebody signs in. Says nothing where nobody is signed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignIn {
    /// How many live sessions the principal may have, this one included.
    pub cap: Option<Cap>,
    /// The sessions of the principal were not all revoked at or after this
    /// time: a login that began before that is stopped with them.
    pub not_revoked_since: Option<Timestamp>,
}

impl SignIn {
    /// Whether it asks for nothing.
    #[must_use]
    #[doc(hidden)]
    pub const fn is_unconditional(&self) -> bool {
        self.cap.is_none() && self.not_revoked_since.is_none()
    }

    /// Whether it holds, and which sessions end to make room: the reference for
    /// every store. `others` are the live sessions of the principal but for the
    /// one that signs in; at `revoked` all of them were revoked last.
    ///
    /// # Errors
    ///
    /// Why the sign-in is refused.
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

/// How many live sessions a principal may have.
///
/// A store may have to look at as many: see [`Cap::MOST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap {
    /// At least one, and at most [`MOST`](Self::MOST).
    pub max: std::num::NonZeroU32,
    /// What happens to the sign-in that would be one too many.
    pub at_limit: AtLimit,
}

impl Cap {
    /// The largest cap that a layer accepts: 1,000.
    pub const MOST: u32 = 1_000;
}

/// What happens to a sign-in beyond the cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtLimit {
    /// It is refused: nothing is written.
    Reject,
    /// The oldest other sessions end, as if they were revoked: those whose user
    /// proved who they are the longest ago (never comes first), then those
    /// created first, then by id.
    EvictOldest,
}

/// Why a sign-in is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The principal has as many sessions as the cap allows.
    AtLimit,
    /// All sessions of the principal were revoked since the login began.
    Revoked,
}

/// How long a session lives, counted from the moment this is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// Ends the session after this long without activity. `None`: not at all.
    pub idle: Option<Duration>,
    /// Ends the session this long after now, whatever happens. `None`: only
    /// the cap of [`MAX_LIFETIME`](crate::record::MAX_LIFETIME) holds.
    pub absolute: Option<Duration>,
    /// The user asked to be remembered: the cookie outlives the browser.
    pub remember: bool,
}

//! The data that a store holds for one session.

mod actor;
mod end;
mod external;
pub(crate) mod fields;
pub(crate) mod form;
mod history;
mod name;
pub mod patch;
mod principal;
mod rotation;
mod rules;
mod versions;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::actor::Actor;
pub use self::end::{EndReason, Ended, Tombstone};
pub(crate) use self::external::{External, Pointer};
pub use self::fields::Fields;
pub use self::form::FormNote;
pub use self::history::{PatchLog, RetiredSecret, RetiredSecrets};
pub(crate) use self::name::{KEYED, shown};
use self::patch::{Lifetime, MetaPatch};
pub use self::principal::{Principal, PrincipalHash};
pub use self::rotation::{Renewal, Rotate, Rotation, Standing};
pub use self::rules::{Applying, Due, Judgement, Touch, Visit};
pub use self::versions::Versions;
use crate::clock::{Millis, Timestamp};
use crate::id::SessionId;
use crate::realm::Realm;
use crate::token::SecretHash;

/// The longest that a session may live without activity or re-authentication, whatever its own
/// limits: 400 days, the limit of RFC 6265bis for cookies.
pub const MAX_LIFETIME: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// In place of the time of a secret that is to be renewed by the next request.
const OVERDUE: Timestamp = Timestamp::from_millis(u64::MAX);

/// How long after its expiry time a session still accepts the patch of a request that loaded it
/// while it was live. A sweep leaves such records alone; a load never sees them.
pub const COMMIT_LEEWAY: Duration = Duration::from_secs(60);

/// How often activity is written if there is no idle timeout: often enough for a list of devices.
pub(crate) const UNLIMITED_TOUCH: Duration = Duration::from_secs(60 * 60);

/// How long a destroyed record, or a secret that a change of privilege replaced, is remembered, so
/// that a late response cannot undo a login or logout.
pub const TOMBSTONE: Duration = Duration::from_secs(60);

/// How long after a renewal by age was confirmed requests with the old secret are still answered:
/// they were already on their way.
pub const ROTATION_GRACE: Duration = Duration::from_secs(60);

/// How long a [`LoginTicket`](crate::LoginTicket) is valid, and so how long a store remembers that
/// all sessions of a principal were revoked.
pub const TICKET_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// A stored session.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The public id.
    pub id: SessionId,
    /// The session's own data.
    pub meta: Meta,
    /// The application's data.
    pub fields: Fields,
    /// A note by the store that has read the record. Not part of the record: equality ignores it.
    #[doc(hidden)]
    pub note: FormNote,
}

impl Record {
    /// Creates a record.
    #[must_use]
    #[doc(hidden)]
    pub const fn new(id: SessionId, meta: Meta, fields: Fields) -> Self {
        Self { id, meta, fields, note: FormNote::NONE }
    }

    /// Returns its approximate size in memory, in bytes.
    pub(crate) fn memory(&self) -> usize {
        let principal = self.meta.principal.as_ref().map_or(0, Principal::outside);
        size_of::<Self>() + self.fields.byte_len_at_most() + principal
    }
}

/// A record's own data.
#[derive(Clone, Debug, PartialEq)]
pub struct Meta {
    /// The realm of the layer that the session belongs to.
    #[doc(hidden)]
    pub realm: Realm,
    /// The hash of the token's current secret.
    #[doc(hidden)]
    pub secret: SecretHash,
    /// Since when this secret is the current one.
    #[doc(hidden)]
    pub secret_since: Timestamp,
    /// The previous and next secrets of a renewal by age.
    #[doc(hidden)]
    pub renewal: Renewal,
    /// Incremented with every change of privilege. Authorises every step after the load.
    #[doc(hidden)]
    pub epoch: u64,
    /// The revision: incremented with every change of the data.
    #[doc(hidden)]
    pub rev: u64,
    /// When the record was created.
    pub created: Timestamp,
    /// The last recorded activity: earlier than the actual last activity by at most a tenth of the
    /// idle timeout, or by an hour if there is none.
    pub last_seen: Timestamp,
    /// When the session was last authenticated.
    pub authenticated: Option<Timestamp>,
    /// How long the session may be without activity.
    #[doc(hidden)]
    pub idle: Option<Millis>,
    /// When the session expires regardless of activity.
    #[doc(hidden)]
    pub absolute: Option<Timestamp>,
    /// How long the user asked to be remembered: the cookie outlives the browser.
    #[doc(hidden)]
    pub remember: Option<Millis>,
    /// The principal that the session belongs to.
    pub principal: Option<Principal>,
    /// The hash of the last principal, if there is none now: it tells whether the next one is the
    /// same.
    // A thin pointer: every record has one, and few have such a hash.
    #[doc(hidden)]
    pub last_principal: Option<Arc<PrincipalHash>>,
    /// The last few patches, oldest first.
    #[doc(hidden)]
    pub patches: PatchLog,
    /// Secrets that were replaced within the last [`TOMBSTONE`].
    #[doc(hidden)]
    pub retired: RetiredSecrets,
    /// The schema version under which the fields of each namespace were written.
    #[doc(hidden)]
    pub versions: Versions,
}

impl Meta {
    /// Creates the meta of a record that is created `now`.
    #[must_use]
    #[doc(hidden)]
    pub fn new(secret: SecretHash, now: Timestamp, lifetime: Lifetime) -> Self {
        let mut meta = Self::stored(secret, now);
        meta.restart(lifetime, now);
        meta
    }

    /// Creates the meta of a record that was created at `now`, before its other data is read back.
    pub(crate) fn stored(secret: SecretHash, now: Timestamp) -> Self {
        Self {
            realm: Realm::default(),
            secret,
            secret_since: now,
            renewal: Renewal::default(),
            epoch: 1,
            rev: 1,
            created: now,
            last_seen: now,
            authenticated: None,
            idle: None,
            absolute: None,
            remember: None,
            principal: None,
            last_principal: None,
            patches: PatchLog::default(),
            retired: RetiredSecrets::default(),
            versions: Versions::default(),
        }
    }

    /// Returns when the session expires without further activity.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        let idle = self.idle.map(|idle| self.last_seen.after(idle.into()));
        let cap = self.last_seen.after(MAX_LIFETIME);
        [idle, self.absolute].into_iter().flatten().fold(cap, Timestamp::min)
    }

    /// Whether the session has expired at `now`: a load does not find it.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires_at()
    }

    /// Whether a patch at `now` is refused, and a sweep may remove the record.
    #[must_use]
    #[doc(hidden)]
    pub fn is_removable(&self, now: Timestamp) -> bool {
        now >= self.expires_at().after(COMMIT_LEEWAY)
    }

    /// Whether activity at `now` has to be written: a tenth of the idle timeout has passed since
    /// the last recorded activity, or an hour if there is no idle timeout.
    #[must_use]
    #[doc(hidden)]
    pub fn touch_is_due(&self, now: Timestamp) -> bool {
        now.since(self.last_seen) >= self.touch_interval()
    }

    /// Whether the secret is to be renewed by the next request, whatever its age.
    pub(crate) fn is_overdue(&self) -> bool {
        self.secret_since == OVERDUE
    }

    pub(crate) fn touch_interval(&self) -> Duration {
        let every = self.idle.map_or(UNLIMITED_TOUCH, |idle| Duration::from(idle) / 10);
        every.max(Duration::from_millis(1))
    }

    /// Returns the hash of the session's principal, or of its last one.
    #[must_use]
    #[doc(hidden)]
    pub fn principal_or_last(&self) -> Option<PrincipalHash> {
        match &self.principal {
            Some(principal) => Some(principal.hash()),
            None => self.last_principal.as_deref().copied(),
        }
    }

    /// Whether another user acts as the one that the session belongs to.
    pub(crate) fn is_acted(&self) -> bool {
        self.principal.as_ref().is_some_and(Principal::is_acted)
    }

    /// Whether the session belongs to another principal than `principal`, or last belonged to
    /// another one.
    #[must_use]
    #[doc(hidden)]
    pub fn is_of_another(&self, principal: &Principal) -> bool {
        match &self.principal {
            Some(known) => known != principal,
            None => self.last_principal.as_ref().is_some_and(|last| **last != principal.hash()),
        }
    }

    fn restart(&mut self, lifetime: Lifetime, now: Timestamp) {
        self.last_seen = now;
        self.idle = lifetime.idle.map(|idle| idle.min(MAX_LIFETIME).into());
        self.absolute = lifetime.absolute.map(|absolute| now.after(absolute.min(MAX_LIFETIME)));
        let remember = lifetime.absolute.filter(|_| lifetime.remember);
        self.remember = remember.map(|it| it.min(MAX_LIFETIME).into());
    }

    fn apply(&mut self, patch: &MetaPatch, now: Timestamp) {
        if let Some(secret) = patch.renew {
            self.retire_secrets(now);
            if patch.authenticated {
                self.retired.by_sign_in();
            }
            self.secret = secret;
            self.secret_since = now;
            self.epoch = self.epoch.saturating_add(1);
        }
        if patch.raise && patch.renew.is_none() {
            self.secret_since = OVERDUE;
            self.retired.forget_sign_in();
            self.epoch = self.epoch.saturating_add(1);
        }
        if patch.authenticated {
            self.authenticated = Some(now);
        }
        if let Some(principal) = &patch.principal {
            self.last_principal = match principal {
                Some(_) => None,
                None => self.principal_or_last().map(Arc::new),
            };
            self.principal.clone_from(principal);
            if principal.is_none() {
                self.authenticated = None;
            }
        }
        if let Some(lifetime) = patch.lifetime {
            self.restart(lifetime, now);
        }
        if let Some(rotate) = &patch.rotate {
            self.begin(rotate, now);
        }
        if let Some(secret) = &patch.join {
            self.renewal = self.renewal.with_converging(**secret);
        }
        for (namespace, version) in &patch.versions {
            self.versions.set(namespace, *version);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn meta(idle: Option<Duration>, absolute: Option<Duration>) -> Meta {
        let lifetime = Lifetime { idle, absolute, remember: false };
        Meta::new(SecretHash::from_bytes([1; 32]), at(1_000), lifetime)
    }

    #[test]
    fn the_earlier_of_both_limits_ends_a_session_at_its_exact_millisecond() {
        let both = meta(Some(HOUR), Some(2 * HOUR));
        assert_eq!(both.expires_at(), at(1_000).after(HOUR));
        assert!(!both.is_expired(at(3_600_999)));
        assert!(both.is_expired(at(3_601_000)));
        assert_eq!(meta(Some(3 * HOUR), Some(HOUR)).expires_at(), at(1_000).after(HOUR));
    }

    #[test]
    fn none_means_none_up_to_the_cap_and_huge_values_do_not_overflow() {
        assert_eq!(meta(None, None).expires_at(), at(1_000).after(MAX_LIFETIME));
        let huge = meta(Some(Duration::MAX), Some(Duration::MAX));
        assert_eq!(huge.expires_at(), at(1_000).after(MAX_LIFETIME));
    }

    #[test]
    fn a_touch_is_due_after_a_tenth_of_the_idle_timeout() {
        let meta = meta(Some(HOUR), None);
        assert!(!meta.touch_is_due(at(1_000 + 359_999)));
        assert!(meta.touch_is_due(at(1_000 + 360_000)));
    }
}

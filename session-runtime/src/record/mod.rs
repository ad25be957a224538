//! What a store holds for one session.

mod history;
mod principal;
mod rotation;
mod versions;
mod whole;

use std::sync::Arc;
use std::time::Duration;

pub use self::history::{PatchLog, RetiredSecret, RetiredSecrets};
pub use self::principal::Principal;
pub use self::rotation::{Presented, Renewal, Rotate, Rotation, RotationNonce};
pub use self::versions::Versions;
pub(crate) use self::whole::{decode as whole_decode, encode as whole_encode};
use crate::clock::{Timestamp, millis};
pub use crate::fields::Fields;
use crate::id::SessionId;
use crate::patch::{Applied, Conflict, Expect, Gone, Lifetime, MetaPatch, Outcome, Patch};
use crate::token::SecretHash;

/// The longest a session may live without activity or re-authentication,
/// whatever its own limits say: 400 days, the cap of RFC 6265bis for cookies.
pub const MAX_LIFETIME: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// How long after its expiry a session that was live when a request loaded it
/// still accepts that request's patch. A sweep leaves such records alone; a
/// load never sees them.
pub const COMMIT_LEEWAY: Duration = Duration::from_secs(60);

/// How often activity is written where no idle timeout says so: often enough for
/// a list of devices.
pub(crate) const UNLIMITED_TOUCH: Duration = Duration::from_secs(60 * 60);

/// How long a destroyed record, or a secret that a sign-in replaced, is
/// remembered, so that a late response cannot undo a login or logout.
pub const TOMBSTONE: Duration = Duration::from_secs(60);

/// How long after a renewal by age was confirmed requests that arrive with the
/// old secret are still answered: they were on their way.
pub const ROTATION_GRACE: Duration = Duration::from_secs(60);

/// How long a [`LoginTicket`](crate::LoginTicket) is good, and so how long a
/// store remembers that all sessions of a principal were revoked.
pub const TICKET_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// One stored session.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its public name.
    pub id: SessionId,
    /// Its own data.
    pub meta: Meta,
    /// The user's data.
    pub fields: Fields,
}

/// A record's own data.
#[derive(Clone, Debug, PartialEq)]
pub struct Meta {
    /// The hash of the token's current secret.
    pub secret: SecretHash,
    /// Since when it is the current one.
    pub secret_since: Timestamp,
    /// What came before it and what may come next, by renewal by age.
    pub renewal: Renewal,
    /// Grows with privilege. Authorises every step after the load.
    pub epoch: u64,
    /// Grows with every change of the data.
    pub rev: u64,
    /// When the record was created.
    pub created: Timestamp,
    /// The last activity that was written: older than the last activity by at
    /// most a tenth of the idle timeout, or an hour where there is none.
    pub last_seen: Timestamp,
    /// When somebody last proved who they are.
    pub authenticated: Option<Timestamp>,
    /// Ends after this many milliseconds without activity.
    pub idle: Option<u64>,
    /// Ends at this time, whatever happens.
    pub absolute: Option<Timestamp>,
    /// The user asked to be remembered for this many milliseconds: the cookie
    /// outlives the browser.
    pub remember: Option<u64>,
    /// Who the session belongs to.
    pub principal: Option<Principal>,
    /// The last few patches, oldest first.
    pub patches: PatchLog,
    /// Secrets that were replaced within the last [`TOMBSTONE`].
    pub retired: RetiredSecrets,
    /// Under which schema version the fields of each namespace were written.
    pub versions: Versions,
}

impl Meta {
    /// The meta of a record that is created `now`.
    #[must_use]
    pub fn new(secret: SecretHash, now: Timestamp, lifetime: Lifetime) -> Self {
        let mut meta = Self {
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
            patches: PatchLog::default(),
            retired: RetiredSecrets::default(),
            versions: Versions::default(),
        };
        meta.restart(lifetime, now);
        meta
    }

    /// When the session ends if nothing more happens.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        let idle = self.idle.map(|idle| self.last_seen.after(Duration::from_millis(idle)));
        let cap = self.last_seen.after(MAX_LIFETIME);
        [idle, self.absolute].into_iter().flatten().fold(cap, Timestamp::min)
    }

    /// Whether a load at `now` finds nothing.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires_at()
    }

    /// Whether a patch at `now` is refused, and a sweep may remove the record.
    #[must_use]
    pub fn is_removable(&self, now: Timestamp) -> bool {
        now >= self.expires_at().after(COMMIT_LEEWAY)
    }

    /// Whether activity at `now` is worth a write: a tenth of the idle timeout
    /// has passed since the last one, or an hour where there is no idle timeout.
    #[must_use]
    pub fn touch_is_due(&self, now: Timestamp) -> bool {
        now.since(self.last_seen) >= self.touch_interval()
    }

    pub(crate) fn touch_interval(&self) -> Duration {
        let every = self.idle.map_or(UNLIMITED_TOUCH, |idle| Duration::from_millis(idle / 10));
        every.max(Duration::from_millis(1))
    }

    fn restart(&mut self, lifetime: Lifetime, now: Timestamp) {
        self.last_seen = now;
        self.idle = lifetime.idle.map(|idle| millis(idle.min(MAX_LIFETIME)));
        self.absolute = lifetime.absolute.map(|absolute| now.after(absolute.min(MAX_LIFETIME)));
        self.remember = lifetime.absolute.filter(|_| lifetime.remember).map(millis);
    }

    fn apply(&mut self, patch: &MetaPatch, now: Timestamp) {
        if let Some(secret) = patch.renew {
            self.retire_secrets(now);
            self.secret = secret;
            self.secret_since = now;
            self.epoch += 1;
        }
        if patch.authenticated {
            self.authenticated = Some(now);
        }
        if let Some(principal) = &patch.principal {
            self.principal.clone_from(principal);
            if principal.is_none() {
                self.authenticated = None;
            }
        }
        if let Some(lifetime) = patch.lifetime {
            self.restart(lifetime, now);
        }
        if let Some(rotate) = &patch.rotate {
            self.begin(rotate);
        }
        for (namespace, version) in &patch.versions {
            self.versions.set(namespace, *version);
        }
    }
}

/// What [`Record::apply`] found.
#[derive(Clone, Debug)]
pub enum Applying {
    /// The record after the patch, and the answer for the caller.
    Stored(Arc<Record>, Applied),
    /// Nothing is to be written.
    Answer(Outcome),
}

impl Record {
    /// Applies `patch` at `now`: the reference for every store, but for
    /// [`MetaPatch::sign_in`], which is about other records.
    ///
    /// The order is that of the contract: a repeated patch id is answered;
    /// then the guard (not expired, same epoch); then the expectations; then
    /// every operation is checked; only then something changes.
    #[must_use]
    pub fn apply(self: &Arc<Self>, epoch: u64, patch: &Patch, now: Timestamp) -> Applying {
        let meta = &self.meta;
        if meta.patches.contains(patch.id) {
            // The epoch that this patch gave, not the present one: a repeat must
            // not gain the authority of whoever signed in since.
            let epoch = epoch + u64::from(patch.meta.renew.is_some());
            let applied = Applied {
                rev: meta.rev,
                epoch,
                taken: Vec::new(),
                repeated: true,
                rotation: patch.meta.rotate.as_ref().and_then(|it| meta.rotation_for(it)),
            };
            return Applying::Answer(Outcome::Applied(applied));
        }
        if meta.is_removable(now) {
            return Applying::Answer(Outcome::Gone(Gone::Absent));
        }
        if meta.epoch != epoch {
            return Applying::Answer(Outcome::Gone(Gone::Superseded));
        }
        if let Some(failed) = patch.expect.iter().find(|expect| !self.meets(expect)) {
            let field = match failed {
                Expect::Rev(_) | Expect::Version { .. } => None,
                Expect::Field { name, .. } => Some(name.clone()),
            };
            return Applying::Answer(Outcome::Conflict(Conflict { field, current: self.clone() }));
        }
        match self.fields.apply(&patch.ops) {
            Err(refused) => Applying::Answer(Outcome::Refused(refused)),
            Ok((fields, taken)) => {
                let mut record = Self { id: self.id, meta: meta.clone(), fields };
                record.meta.apply(&patch.meta, now);
                record.meta.rev += 1;
                record.meta.patches.push(patch.id);
                let (rev, epoch) = (record.meta.rev, record.meta.epoch);
                let rotate = patch.meta.rotate.as_ref();
                let rotation = rotate.and_then(|rotate| record.meta.rotation_for(rotate));
                let applied = Applied { rev, epoch, taken, repeated: false, rotation };
                Applying::Stored(Arc::new(record), applied)
            }
        }
    }

    fn meets(&self, expect: &Expect) -> bool {
        match expect {
            Expect::Rev(rev) => self.meta.rev == *rev,
            Expect::Field { name, value } => self.fields.get(name) == value.as_deref(),
            Expect::Version { namespace, version } => self.meta.versions.get(namespace) == *version,
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

    fn record(meta: Meta) -> Arc<Record> {
        Arc::new(Record { id: SessionId::from_bytes([0; 16]), meta, fields: Fields::new() })
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

    #[test]
    fn a_patch_of_another_epoch_is_superseded_and_an_expired_record_is_absent() {
        let record = record(meta(Some(HOUR), None));
        let gone = |epoch, now| match record.apply(epoch, &Patch::new(), now) {
            Applying::Answer(Outcome::Gone(gone)) => Some(gone),
            _ => None,
        };
        assert_eq!(gone(2, at(1_000)), Some(Gone::Superseded));
        let end = at(1_000).after(HOUR);
        assert_eq!(gone(1, end), None, "a session that was live at load may still commit");
        assert_eq!(gone(1, end.after(COMMIT_LEEWAY)), Some(Gone::Absent));
    }

    #[test]
    fn a_repeated_patch_is_answered_and_not_applied() {
        let patch = Patch::new();
        let Applying::Stored(first, _) = record(meta(None, None)).apply(1, &patch, at(1_000))
        else {
            panic!("the first is stored")
        };
        let again = first.apply(1, &patch, at(1_000));
        let Applying::Answer(Outcome::Applied(applied)) = again else { panic!("{again:?}") };
        assert!(applied.repeated);
        assert_eq!(applied.rev, 2);
    }

    #[test]
    fn renewal_raises_the_epoch_and_remembers_the_old_secret_for_a_minute() {
        let mut patch = Patch::new();
        patch.meta.renew = Some(SecretHash::from_bytes([2; 32]));
        let old = meta(None, None);
        let Applying::Stored(new, _) = record(old.clone()).apply(1, &patch, at(5_000)) else {
            panic!("stored")
        };
        assert_eq!(new.meta.epoch, 2);
        assert!(new.meta.retired.contains(&old.secret, at(64_999)));
        assert!(!new.meta.retired.contains(&old.secret, at(65_000)));
    }
}

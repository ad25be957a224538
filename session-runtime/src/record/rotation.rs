//! Renewal by age: the next secret is pending until it has been used.
//!
//! A cookie may be lost on its way, so the old secret stays good until the new
//! one is presented, and for [`ROTATION_GRACE`] after that, for requests that
//! were on their way. The next secret follows from the presented one and a
//! nonce kept here, so that all requests that renew at once agree on it.

use std::fmt;
use std::sync::Arc;

use super::{Meta, ROTATION_GRACE, RetiredSecret, TOMBSTONE};
use crate::clock::Timestamp;
use crate::token::SecretHash;

/// What the next secret is derived with. Not a secret: without the present one
/// it says nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RotationNonce(pub [u8; 16]);

impl fmt::Debug for RotationNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RotationNonce")
    }
}

/// A next secret that has not been presented yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// What it is derived with.
    pub nonce: RotationNonce,
    /// Its hash.
    pub next: SecretHash,
}

/// A rotation that a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotate {
    /// The secret that the request presented, from which the next one follows.
    /// If it is not the current one any more nothing begins, and the nonce of
    /// whatever is pending is not told: it is not this request's to know.
    pub from: SecretHash,
    /// The rotation that begins, unless one is pending.
    pub rotation: Rotation,
}

/// The neighbours of the current secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renewal(Option<Arc<Neighbours>>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Neighbours {
    pending: Option<Rotation>,
    previous: Option<RetiredSecret>,
}

impl Renewal {
    /// As a store reads it back.
    #[must_use]
    pub fn new(pending: Option<Rotation>, previous: Option<RetiredSecret>) -> Self {
        let some = pending.is_some() || previous.is_some();
        Self(some.then(|| Arc::new(Neighbours { pending, previous })))
    }

    /// The next secret, if one has been sent and not been presented yet.
    #[must_use]
    pub fn pending(&self) -> Option<&Rotation> {
        self.0.as_ref()?.pending.as_ref()
    }

    /// The secret before the current one, and when it was replaced.
    #[must_use]
    pub fn previous(&self) -> Option<&RetiredSecret> {
        self.0.as_ref()?.previous.as_ref()
    }
}

/// What a presented secret is to a record that has not expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presented {
    /// The current one.
    Current,
    /// The pending next one, which is the current one from now on: the store
    /// [confirms](Meta::confirm) it in the same step.
    Next,
    /// The one before, within [`ROTATION_GRACE`] of its end.
    Previous,
    /// The one before, after that: somebody may have stolen it.
    Replayed,
    /// One that a sign-in or another change of privilege replaced within the
    /// last [`TOMBSTONE`].
    Retired,
    /// None of this record.
    Unknown,
}

impl Meta {
    /// What `secret` is to this record, presented by a request that arrived at
    /// `arrived`: the reference for every store.
    #[must_use]
    pub fn presented(&self, secret: &SecretHash, arrived: Timestamp, now: Timestamp) -> Presented {
        if self.secret == *secret {
            return Presented::Current;
        }
        if self.renewal.pending().is_some_and(|rotation| rotation.next == *secret) {
            return Presented::Next;
        }
        match self.renewal.previous() {
            Some(previous) if previous.secret == *secret => {
                if arrived.since(previous.at) < ROTATION_GRACE {
                    Presented::Previous
                } else {
                    Presented::Replayed
                }
            }
            _ if self.retired.contains(secret, now) => Presented::Retired,
            _ => Presented::Unknown,
        }
    }

    /// Begins a rotation, unless one is pending or the secret that it follows
    /// from was replaced.
    pub(super) fn begin(&mut self, rotate: &Rotate) {
        if self.renewal.pending().is_none() && self.secret == rotate.from {
            let previous = self.renewal.previous().copied();
            self.renewal = Renewal::new(Some(rotate.rotation), previous);
        }
    }

    /// What the caller of a patch that asked to rotate is told.
    pub(super) fn rotation_for(&self, rotate: &Rotate) -> Option<RotationNonce> {
        let pending = self.renewal.pending().filter(|_| self.secret == rotate.from)?;
        Some(pending.nonce)
    }

    /// The pending secret was presented: it is the current one from now on.
    /// Changes neither epoch nor revision.
    pub fn confirm(&mut self, now: Timestamp) {
        if let Some(rotation) = self.renewal.pending().copied() {
            let previous = RetiredSecret { secret: self.secret, at: now };
            self.renewal = Renewal::new(None, Some(previous));
            self.secret = rotation.next;
            self.secret_since = now;
        }
    }

    /// Every secret that opens this record, or did so within the last
    /// [`TOMBSTONE`]: what a destroyed record leaves behind.
    pub fn secrets(&self, now: Timestamp) -> impl Iterator<Item = SecretHash> {
        let previous = self.renewal.previous().filter(move |old| now.since(old.at) < TOMBSTONE);
        let retired = self.retired.iter().filter(move |old| now.since(old.at) < TOMBSTONE);
        std::iter::once(self.secret)
            .chain(self.renewal.pending().map(|rotation| rotation.next))
            .chain(previous.map(|old| old.secret))
            .chain(retired.map(|old| old.secret))
    }

    /// Nothing that was presented before opens the record any more.
    pub(super) fn retire_secrets(&mut self, now: Timestamp) {
        if let Some(previous) = self.renewal.previous().filter(|old| now.since(old.at) < TOMBSTONE)
        {
            self.retired.push(previous.secret, now);
        }
        if let Some(rotation) = self.renewal.pending() {
            self.retired.push(rotation.next, now);
        }
        self.retired.push(self.secret, now);
        self.renewal = Renewal::default();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::patch::Lifetime;

    fn hash(byte: u8) -> SecretHash {
        SecretHash::from_bytes([byte; 32])
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn meta() -> Meta {
        let lifetime = Lifetime { idle: None, absolute: None, remember: false };
        Meta::new(hash(1), at(0), lifetime)
    }

    fn rotate(from: u8, next: u8) -> Rotate {
        let rotation = Rotation { nonce: RotationNonce([next; 16]), next: hash(next) };
        Rotate { from: hash(from), rotation }
    }

    #[test]
    fn the_old_secret_is_good_until_the_new_one_was_presented_and_for_the_grace() {
        let mut meta = meta();
        meta.begin(&rotate(1, 2));
        let presented = |meta: &Meta, byte, now| meta.presented(&hash(byte), at(now), at(now));
        assert_eq!(presented(&meta, 1, 100_000), Presented::Current);
        assert_eq!(presented(&meta, 2, 100_000), Presented::Next);
        meta.confirm(at(100_000));
        assert_eq!(presented(&meta, 2, 100_000), Presented::Current);
        assert_eq!(presented(&meta, 1, 100_059), Presented::Previous);
        assert_eq!(presented(&meta, 1, 100_060), Presented::Replayed);
        assert_eq!(presented(&meta, 3, 100_000), Presented::Unknown);
        // Arrived in time, looked up late.
        assert_eq!(meta.presented(&hash(1), at(100_059), at(100_090)), Presented::Previous);
    }

    #[test]
    fn a_second_rotation_does_not_replace_a_pending_one() {
        let mut meta = meta();
        meta.begin(&rotate(1, 2));
        meta.begin(&rotate(1, 3));
        assert_eq!(meta.renewal.pending(), Some(&rotate(1, 2).rotation));
        assert_eq!(meta.rotation_for(&rotate(1, 3)), Some(RotationNonce([2; 16])));
    }

    #[test]
    fn who_presented_a_secret_that_was_replaced_begins_and_learns_nothing() {
        let mut meta = meta();
        meta.begin(&rotate(1, 2));
        meta.confirm(at(10));
        meta.begin(&rotate(1, 3));
        assert_eq!(meta.renewal.pending(), None);
        meta.begin(&rotate(2, 4));
        assert_eq!(meta.rotation_for(&rotate(1, 3)), None);
    }

    #[test]
    fn a_change_of_privilege_retires_all_that_opened_the_record() {
        let mut meta = meta();
        meta.begin(&rotate(1, 2));
        meta.confirm(at(10));
        meta.begin(&rotate(2, 3));
        meta.retire_secrets(at(20));
        meta.secret = hash(4);
        for byte in [1, 2, 3] {
            assert_eq!(meta.presented(&hash(byte), at(21), at(21)), Presented::Retired, "{byte}");
        }
        assert_eq!(meta.presented(&hash(2), at(81), at(81)), Presented::Unknown);
        let left: Vec<_> = meta.secrets(at(21)).collect();
        assert_eq!(left, [hash(4), hash(1), hash(3), hash(2)]);
        assert_eq!(meta.secrets(at(20).after(Duration::from_secs(60))).count(), 1);
    }
}

//! Renewal by age: the next secret is pending until it has been used.
//!
//! The response with the new cookie may be lost, so the old secret remains valid until the new one
//! is presented, and for [`ROTATION_GRACE`] after that, for requests that were already on their
//! way. The next secret is derived from the presented one and a nonce stored here, so that all
//! requests that renew at the same time agree on it.

use std::sync::Arc;

use super::{Meta, ROTATION_GRACE, RetiredSecret, TOMBSTONE};
use crate::clock::Timestamp;
use crate::token::{RotationNonce, SecretHash};

/// A next secret that has not been presented yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The nonce that it is derived with.
    pub nonce: RotationNonce,
    /// Its hash.
    pub next: SecretHash,
}

/// A request to begin a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotate {
    /// The secret that the request presented, from which the next one is derived. If it is no
    /// longer the current one, no rotation begins, and the nonce of a pending rotation is not
    /// returned: this request must not learn it.
    pub from: SecretHash,
    /// The rotation to begin, unless one is pending.
    pub rotation: Rotation,
}

/// The secrets before and after the current one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renewal(Option<Arc<Neighbours>>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Neighbours {
    pending: Option<Rotation>,
    converging: Vec<SecretHash>,
    /// The one before the current secret comes first.
    previous: Vec<RetiredSecret>,
}

impl Renewal {
    /// How many requests may join a session at once: a form that is sent twice, or a page that
    /// loads several resources.
    const JOINS: usize = 3;

    /// Creates it from what a store reads back.
    #[must_use]
    pub fn new(pending: Option<Rotation>, previous: Option<RetiredSecret>) -> Self {
        let previous = previous.into_iter().collect();
        Self::of(Neighbours { pending, converging: Vec::new(), previous })
    }

    fn of(neighbours: Neighbours) -> Self {
        Self((neighbours != Neighbours::default()).then(|| Arc::new(neighbours)))
    }

    fn neighbours(&self) -> Neighbours {
        self.0.as_deref().cloned().unwrap_or_default()
    }

    /// Returns the next secret, if it has been sent and not been presented yet.
    #[must_use]
    pub fn pending(&self) -> Option<&Rotation> {
        self.0.as_ref()?.pending.as_ref()
    }

    /// Returns the secrets sent to requests that [joined](crate::record::patch::MetaPatch::join)
    /// the session, as long as none of them has been presented; oldest first, at most three. They
    /// are random, not derived.
    pub fn converging(&self) -> impl Iterator<Item = &SecretHash> {
        self.0.iter().flat_map(|it| &it.converging)
    }

    fn pending_secrets(&self) -> impl Iterator<Item = SecretHash> {
        let pending = self.pending().map(|rotation| rotation.next);
        pending.into_iter().chain(self.converging().copied())
    }

    /// Returns a copy with this secret added to the converging ones.
    #[must_use]
    pub fn with_converging(&self, secret: SecretHash) -> Self {
        let mut neighbours = self.neighbours();
        if neighbours.converging.len() == Self::JOINS {
            neighbours.converging.remove(0);
        }
        neighbours.converging.push(secret);
        Self::of(neighbours)
    }

    /// Returns the secret before the current one, and when it was replaced.
    #[must_use]
    pub fn previous(&self) -> Option<&RetiredSecret> {
        self.replaced().next()
    }

    /// Returns that secret, followed by the other [converging](Self::converging) ones at the time
    /// when the current one was presented: they were sent to the same browser.
    pub fn replaced(&self) -> impl Iterator<Item = &RetiredSecret> {
        self.0.iter().flat_map(|it| &it.previous)
    }

    /// Returns a copy with this secret appended to the replaced ones, for a store that reads them
    /// back.
    #[must_use]
    pub fn with_replaced(&self, old: RetiredSecret) -> Self {
        let mut neighbours = self.neighbours();
        neighbours.previous.push(old);
        Self::of(neighbours)
    }
}

/// The relation of a secret to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The current secret.
    Current,
    /// A pending secret, which becomes the current one: the load [confirms](Meta::confirm) it.
    Next,
    /// The previous secret, within [`ROTATION_GRACE`] after it was replaced.
    Previous,
    /// The previous secret, after that: it may be stolen.
    Replayed,
    /// A secret that a change of privilege replaced at this time, within the last [`TOMBSTONE`].
    Retired(Timestamp),
    /// Not a secret of this record.
    Unknown,
}

impl Meta {
    /// Returns the relation of `secret` to this record, for a request that arrived at `arrived`.
    #[must_use]
    #[doc(hidden)]
    pub fn standing(&self, secret: &SecretHash, arrived: Timestamp, now: Timestamp) -> Standing {
        if self.secret == *secret {
            return Standing::Current;
        }
        if self.renewal.pending_secrets().any(|next| next == *secret) {
            return Standing::Next;
        }
        if let Some(previous) = self.renewal.replaced().find(|old| old.secret == *secret) {
            return match arrived.since(previous.at) < ROTATION_GRACE {
                true => Standing::Previous,
                false => Standing::Replayed,
            };
        }
        match self.retired.replaced_at(secret, now) {
            Some(at) => Standing::Retired(at),
            None => Standing::Unknown,
        }
    }

    /// Begins a rotation, unless one is pending or the secret that it is derived from was replaced.
    pub(super) fn begin(&mut self, rotate: &Rotate, now: Timestamp) {
        if self.renewal.pending().is_none() && self.secret == rotate.from {
            if self.is_overdue() {
                self.secret_since = now;
            }
            let pending = Some(rotate.rotation);
            self.renewal = Renewal::of(Neighbours { pending, ..self.renewal.neighbours() });
        }
    }

    /// Returns the nonce for the caller of a patch that asked to rotate.
    pub(super) fn rotation_for(&self, rotate: &Rotate) -> Option<RotationNonce> {
        let pending = self.renewal.pending().filter(|_| self.secret == rotate.from)?;
        Some(pending.nonce)
    }

    /// Makes a pending secret that was presented the current one. Changes neither epoch nor
    /// revision.
    #[doc(hidden)]
    pub fn confirm(&mut self, presented: &SecretHash, now: Timestamp) {
        if self.renewal.pending_secrets().any(|next| next == *presented) {
            let others = self.renewal.converging().filter(|other| *other != presented);
            let replaced = std::iter::once(&self.secret).chain(others);
            let previous = replaced.map(|secret| RetiredSecret { secret: *secret, at: now });
            let previous = previous.collect();
            let neighbours = Neighbours { previous, ..Neighbours::default() };
            self.renewal = Renewal::of(neighbours);
            self.secret = *presented;
            // Privileges have changed after it was handed out: it is due as well.
            if !self.is_overdue() {
                self.secret_since = now;
            }
        }
    }

    /// Retires all secrets: none that was presented before opens the record any more.
    pub(super) fn retire_secrets(&mut self, now: Timestamp) {
        let renewal = std::mem::take(&mut self.renewal);
        let recent = renewal.replaced().filter(|old| now.since(old.at) < TOMBSTONE);
        recent.for_each(|old| self.retired.push(old.secret, now));
        renewal.pending_secrets().for_each(|next| self.retired.push(next, now));
        self.retired.push(self.secret, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::patch::Lifetime;

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
        meta.begin(&rotate(1, 2), Timestamp::default());
        let presented = |meta: &Meta, byte, now| meta.standing(&hash(byte), at(now), at(now));
        assert_eq!(presented(&meta, 1, 100_000), Standing::Current);
        assert_eq!(presented(&meta, 2, 100_000), Standing::Next);
        meta.confirm(&hash(2), at(100_000));
        assert_eq!(presented(&meta, 2, 100_000), Standing::Current);
        assert_eq!(presented(&meta, 1, 100_059), Standing::Previous);
        assert_eq!(presented(&meta, 1, 100_060), Standing::Replayed);
        assert_eq!(presented(&meta, 3, 100_000), Standing::Unknown);
        // Arrived in time, but looked up late.
        assert_eq!(meta.standing(&hash(1), at(100_059), at(100_090)), Standing::Previous);
    }

    #[test]
    fn a_second_rotation_does_not_replace_a_pending_one() {
        let mut meta = meta();
        meta.begin(&rotate(1, 2), Timestamp::default());
        meta.begin(&rotate(1, 3), Timestamp::default());
        assert_eq!(meta.renewal.pending(), Some(&rotate(1, 2).rotation));
        assert_eq!(meta.rotation_for(&rotate(1, 3)), Some(RotationNonce([2; 16])));
    }

    #[test]
    fn who_presented_a_secret_that_was_replaced_begins_and_learns_nothing() {
        let mut meta = meta();
        meta.begin(&rotate(1, 2), Timestamp::default());
        meta.confirm(&hash(2), at(10));
        meta.begin(&rotate(1, 3), Timestamp::default());
        assert_eq!(meta.renewal.pending(), None);
        meta.begin(&rotate(2, 4), Timestamp::default());
        assert_eq!(meta.rotation_for(&rotate(1, 3)), None);
    }

    #[test]
    fn a_change_of_privilege_retires_all_that_opened_the_record() {
        let mut meta = meta();
        meta.begin(&rotate(1, 2), Timestamp::default());
        meta.confirm(&hash(2), at(10));
        meta.begin(&rotate(2, 3), Timestamp::default());
        meta.retire_secrets(at(20));
        meta.secret = hash(4);
        for byte in [1, 2, 3] {
            let standing = meta.standing(&hash(byte), at(21), at(21));
            assert_eq!(standing, Standing::Retired(at(20)), "{byte}");
        }
        assert_eq!(meta.standing(&hash(2), at(81), at(81)), Standing::Unknown);
    }

    #[test]
    fn a_converging_secret_leaves_the_current_one_good_until_it_is_presented() {
        let mut meta = meta();
        meta.renewal = meta.renewal.with_converging(hash(9));
        let standing = |meta: &Meta, byte, now| meta.standing(&hash(byte), at(now), at(now));
        assert_eq!(standing(&meta, 1, 5), Standing::Current);
        assert_eq!(standing(&meta, 9, 5), Standing::Next);
        meta.begin(&rotate(1, 2), Timestamp::default());
        assert_eq!(standing(&meta, 9, 5), Standing::Next, "beside a rotation");
        meta.confirm(&hash(9), at(10));
        assert_eq!(standing(&meta, 9, 10), Standing::Current);
        assert_eq!(standing(&meta, 1, 11), Standing::Previous);
        assert_eq!(standing(&meta, 2, 11), Standing::Unknown, "derived from what was replaced");
        meta.renewal = meta.renewal.with_converging(hash(8));
        meta.retire_secrets(at(20));
        assert_eq!(standing(&meta, 8, 21), Standing::Retired(at(20)));
    }

    #[test]
    fn of_several_converging_secrets_the_others_have_the_grace_once_one_is_presented() {
        let mut meta = meta();
        for byte in 5..9 {
            meta.renewal = meta.renewal.with_converging(hash(byte));
        }
        let standing = |meta: &Meta, byte, now| meta.standing(&hash(byte), at(now), at(now));
        assert_eq!(standing(&meta, 5, 5), Standing::Unknown, "three at most, the oldest goes");
        meta.confirm(&hash(7), at(10));
        for byte in [1, 6, 8] {
            assert_eq!(standing(&meta, byte, 69), Standing::Previous, "{byte}");
            assert_eq!(standing(&meta, byte, 70), Standing::Replayed, "{byte}");
        }
        assert_eq!(meta.renewal.previous().unwrap().secret, hash(1));
        meta.retire_secrets(at(20));
        for byte in [1, 6, 8] {
            assert_eq!(standing(&meta, byte, 21), Standing::Retired(at(20)), "{byte}");
        }
    }
}

//! A record's memory of its recent past.

use std::sync::Arc;

use super::TOMBSTONE;
use crate::clock::Timestamp;
use crate::token::{PatchId, SecretHash};

/// The last few patch ids of a record, oldest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PatchLog([[u8; PatchId::BYTES]; PatchLog::LEN]);

/// Means "no patch".
const NONE: [u8; PatchId::BYTES] = [0; PatchId::BYTES];

impl PatchLog {
    /// How many patches are remembered.
    pub const LEN: usize = 4;

    /// Whether `id` is remembered.
    #[must_use]
    pub fn contains(&self, id: PatchId) -> bool {
        self.iter().any(|known| known == id)
    }

    /// Remembers `id` and forgets the oldest.
    pub fn push(&mut self, id: PatchId) {
        self.0.rotate_left(1);
        self.0[Self::LEN - 1] = id.to_bytes();
    }

    /// Returns the remembered ids, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = PatchId> {
        self.0.iter().filter(|id| **id != NONE).map(|id| PatchId::from_bytes(*id))
    }
}

impl FromIterator<PatchId> for PatchLog {
    fn from_iter<I: IntoIterator<Item = PatchId>>(ids: I) -> Self {
        let mut log = Self::default();
        ids.into_iter().for_each(|id| log.push(id));
        log
    }
}

/// Recently replaced secrets, oldest first.
// A thin pointer: every record has one, and few have such secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetiredSecrets(Option<Arc<Retired>>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Retired {
    secrets: Vec<RetiredSecret>,
    /// Whether a sign-in replaced the last of them.
    by_sign_in: bool,
}

/// A secret that was replaced by a change of privilege.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetiredSecret {
    /// The hash of the replaced secret.
    pub secret: SecretHash,
    /// When it was replaced.
    pub at: Timestamp,
}

impl RetiredSecrets {
    /// How many are remembered at most.
    pub const LEN: usize = 6;

    /// Returns when `secret` was replaced, if that was within the last [`TOMBSTONE`].
    #[must_use]
    pub fn replaced_at(&self, secret: &SecretHash, now: Timestamp) -> Option<Timestamp> {
        let fresh = self.iter().filter(|old| now.since(old.at) < TOMBSTONE);
        fresh.filter(|old| old.secret == *secret).map(|old| old.at).last()
    }

    /// Remembers `secret`, and forgets those that are too old or too many.
    pub fn push(&mut self, secret: SecretHash, now: Timestamp) {
        let fresh = || self.iter().filter(|old| now.since(old.at) < TOMBSTONE);
        let count = fresh().count();
        let surplus = (count + 1).saturating_sub(Self::LEN);
        // Exact capacity, because the record keeps the vector.
        let mut secrets = Vec::with_capacity(count + 1 - surplus);
        secrets.extend(fresh().skip(surplus));
        secrets.push(RetiredSecret { secret, at: now });
        self.0 = Some(Arc::new(Retired { secrets, by_sign_in: false }));
    }

    /// Records that a sign-in replaced the last of them, for a store that reads them back.
    pub fn by_sign_in(&mut self) {
        if let Some(retired) = &mut self.0 {
            Arc::make_mut(retired).by_sign_in = true;
        }
    }

    /// Forgets that a sign-in replaced the last of them: privileges have changed since.
    pub(super) fn forget_sign_in(&mut self) {
        if let Some(retired) = self.0.as_mut().filter(|retired| retired.by_sign_in) {
            Arc::make_mut(retired).by_sign_in = false;
        }
    }

    /// Returns the last replaced secret, if a sign-in replaced it.
    #[must_use]
    pub fn last_by_sign_in(&self) -> Option<&RetiredSecret> {
        self.0.as_deref().filter(|it| it.by_sign_in)?.secrets.last()
    }

    /// Returns the remembered secrets, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &RetiredSecret> {
        self.0.iter().flat_map(|all| &all.secrets)
    }
}

impl FromIterator<RetiredSecret> for RetiredSecrets {
    fn from_iter<I: IntoIterator<Item = RetiredSecret>>(secrets: I) -> Self {
        let secrets: Vec<_> = secrets.into_iter().collect();
        let some = !secrets.is_empty();
        Self(some.then(|| Arc::new(Retired { secrets, by_sign_in: false })))
    }
}

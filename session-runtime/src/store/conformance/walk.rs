//! A random sequence of operations, compared with the sequential reference.

use std::time::Duration;

use super::fixture::{Fixture, new_secret};
use super::model::{Dice, Model, same};
use super::needs::Need;
use super::running::rounds;
use crate::id::SessionId;
use crate::record::patch::{Expect, Outcome, Patch};
use crate::record::{Rotate, Rotation};
use crate::store::{EndReason, Revoke, SessionStore, Touch};
use crate::token::{RotationNonce, SecretHash};

/// The store answers thousands of random operations on a few sessions and principals, one after the
/// other and with a moving clock, like the reference.
///
/// Rules that hold individually may fail in combination: a renewal within the leeway, of a session
/// whose principal changed, which is then revoked.
pub async fn a_long_random_history_equals_the_reference<S: SessionStore>(fixture: Fixture<S>) {
    let mut walk = Walk::new(fixture);
    rounds(6_000, async |step| walk.step(step).await).await;
}

struct Walk<S> {
    fixture: Fixture<S>,
    /// Whether listings, counts and revocations are supported.
    indexed: bool,
    model: Model,
    dice: Dice,
    ids: Vec<SessionId>,
    secrets: Vec<(SessionId, SecretHash)>,
    patches: Vec<(SessionId, u64, Patch)>,
}

impl<S: SessionStore> Walk<S> {
    fn new(fixture: Fixture<S>) -> Self {
        let (ids, secrets, patches) = Default::default();
        let indexed = fixture.promises(Need::principal_index);
        Self { fixture, indexed, model: Model::default(), dice: Dice(42), ids, secrets, patches }
    }

    async fn step(&mut self, step: usize) {
        match self.dice.roll(20) {
            0 => {
                let millis = [1, 999, 20_000, 59_999, 61_000, 240_000][self.dice.roll(6)];
                self.fixture.clock.advance(Duration::from_millis(millis));
            }
            1 => self.create().await,
            2..=6 => self.load(step).await,
            7..=13 => self.patch(step).await,
            14 => self.repeat(step).await,
            15 => self.reload(step).await,
            16 if self.indexed => self.list(step).await,
            17 => self.end(step).await,
            18 if self.fixture.promises(Need::scan) => {
                let (count, expected) =
                    (self.fixture.count().await, self.model.count(self.fixture.now()));
                assert_eq!(count, expected, "step {step}: the count");
            }
            _ => {
                self.fixture.sweep(self.dice.roll(4) + 1).await;
            }
        }
    }

    fn id(&mut self) -> SessionId {
        // Usually one of the last: older ones have long ended.
        let from = self.ids.len().saturating_sub(if self.dice.chance(10) { 50 } else { 6 });
        let among = &self.ids[from..];
        match among.len() {
            0 => self.fixture.record().id,
            len => among[self.dice.roll(len)],
        }
    }

    fn epoch(&mut self, id: SessionId) -> u64 {
        let epoch = self.model.entries.get(&id).map_or(1, |entry| entry.record.meta.epoch);
        if self.dice.chance(8) { epoch.saturating_sub(1) } else { epoch }
    }

    async fn create(&mut self) {
        let mut patch = Patch::new();
        self.dice.meta(&mut patch);
        let lifetime = patch.meta.lifetime.unwrap_or(super::fixture::LIFETIME);
        let mut record = self.fixture.lasting(lifetime);
        record.meta.principal = patch.meta.principal.flatten();
        let record = self.fixture.insert(record).await;
        self.ids.push(record.id);
        self.secrets.push((record.id, record.meta.secret));
        self.model.create(record);
    }

    async fn load(&mut self, step: usize) {
        let id = self.id();
        let known: Vec<_> = self.secrets.iter().filter(|(of, _)| *of == id).collect();
        let newest = known.len().saturating_sub(1 + self.dice.roll(3));
        let secret = match known.get(newest) {
            Some((_, secret)) if !self.dice.chance(10) => *secret,
            _ => new_secret(id),
        };
        let touch = if self.dice.chance(2) { Touch::IfDue } else { Touch::Never };
        let seen = self.fixture.load(id, &secret, touch).await;
        let expected = self.model.load(id, &secret, touch, self.fixture.now());
        assert!(expected.matches(&seen), "step {step}: a load: {seen:?}, expected {expected:?}");
    }

    async fn patch(&mut self, step: usize) {
        let id = self.id();
        let epoch = self.epoch(id);
        let mut patch = self.dice.patch();
        if self.dice.chance(4) {
            self.dice.meta(&mut patch);
        }
        if self.dice.chance(6) {
            let secret = new_secret(id);
            patch.meta.renew = Some(secret);
            self.secrets.push((id, secret));
        }
        if self.dice.chance(5) {
            let (nonce, next) = ([self.dice.roll(256) as u8; 16], new_secret(id));
            let mut known = self.secrets.iter().rev().filter(|(of, _)| *of == id);
            let from = known.nth(self.dice.roll(2)).map_or(next, |(_, secret)| *secret);
            let rotation = Rotation { nonce: RotationNonce(nonce), next };
            patch.meta.rotate = Some(Box::new(Rotate { from, rotation }));
            self.secrets.push((id, next));
        }
        if self.dice.chance(8) {
            patch.meta.versions = vec![("".into(), self.dice.roll(3) as u32 + 1)];
            let version = self.dice.roll(2) as u32 + 1;
            patch.expect.push(Expect::Version { namespace: "".into(), version });
        }
        self.check(step, id, epoch, &patch).await;
        self.patches.push((id, epoch, patch));
    }

    async fn repeat(&mut self, step: usize) {
        let back = self.dice.roll(8);
        let Some((id, epoch, patch)) = self.patches.iter().rev().nth(back).cloned() else { return };
        self.check(step, id, epoch, &patch).await;
    }

    async fn check(&mut self, step: usize, id: SessionId, epoch: u64, patch: &Patch) {
        let outcome = self.fixture.apply(id, epoch, patch).await;
        let expected = self.model.apply(id, epoch, patch, self.fixture.now());
        let equal = same(&outcome, &expected)
            || (self.model.may_be_forgotten(id, patch, self.fixture.now())
                && matches!(&outcome, Outcome::Applied(applied) if applied.repeated));
        assert!(equal, "step {step}: {patch:?} under {epoch}: {outcome:?}, expected {expected:?}");
    }

    async fn reload(&mut self, step: usize) {
        let id = self.id();
        let epoch = self.epoch(id);
        let expected = self.model.reload(id, epoch, self.fixture.now());
        assert_eq!(self.fixture.reload(id, epoch).await, expected, "step {step}: a reload");
    }

    async fn list(&mut self, step: usize) {
        let principal = self.dice.principal();
        let mut listed = self.fixture.list(&principal).await;
        listed.sort_by_key(|record| record.id);
        let expected = self.model.list(&principal, self.fixture.now());
        assert_eq!(listed, expected, "step {step}: the listing of {principal:?}");
    }

    async fn end(&mut self, step: usize) {
        let (id, now, principal) = (self.id(), self.fixture.now(), self.dice.principal());
        let which = match self.dice.roll(5) + if self.indexed { 0 } else { 3 } {
            0 => Revoke::Others(id),
            1 => Revoke::All,
            2 => Revoke::One(id),
            _ => {
                let by =
                    if self.dice.chance(2) { EndReason::SignedOut } else { EndReason::OtherDevice };
                let ended = self.fixture.end(id, by).await;
                assert_eq!(ended, self.model.delete(id, by, now), "step {step}: a delete");
                return;
            }
        };
        let revoked = self.fixture.revoke(&principal, which).await;
        let expected = self.model.revoke(&principal, which, now);
        assert_eq!(revoked, expected, "step {step}: {which:?} of {principal:?}");
    }
}

//! The rules of a record: what a presented secret opens, and how a patch changes the record. Pure
//! functions, implemented only here: every store calls them.

use std::sync::Arc;
use std::time::Duration;

use super::{EndReason, Ended, Meta, PatchLog, Record, Standing};
use crate::clock::Timestamp;
use crate::record::patch::{Applied, Conflict, Expect, Gone, Outcome, Patch};
use crate::token::SecretHash;

/// What a load needs to know about the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Whether it counts as activity.
    pub touch: Touch,
    /// How long before this load the request arrived: both grace periods, that of a renewal by age
    /// and that of a late request, are compared with its arrival. A duration rather than a time of
    /// day, because the store may use another clock.
    pub waited: Duration,
    /// How long after its own browser ended a session a request with the session's token still
    /// counts as [late](Ended::late).
    pub grace: Duration,
    /// Whether a recent answer is acceptable: a cache may then answer
    /// [`Lookup::Cached`](crate::store::contract::Lookup::Cached). The layer sets this if a request
    /// with a safe method (RFC 9110 §9.2.1) extracts a session without requiring a signed-in user.
    /// Stores other than caches ignore it.
    pub stale_ok: bool,
}

impl From<Touch> for Visit {
    fn from(touch: Touch) -> Self {
        Self { touch, waited: Duration::ZERO, grace: Duration::ZERO, stale_ok: false }
    }
}

/// Whether a load counts as activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// Writes `last_seen` if that is due.
    IfDue,
    /// Writes nothing.
    Never,
}

/// The result of judging the secrets of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// One of the secrets opens the record, once this has been written.
    Opens(Due),
    /// The secret was replaced by a change of privilege.
    Ended(Ended),
    /// The previous secret was presented after its grace period.
    Replayed,
    /// The record has expired by this reason, not more than a minute ago.
    Expired(EndReason),
    /// The record expired long ago, or none of the secrets belongs to it.
    Absent,
}

/// What a load has to write, with [`Meta::settle`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// The time of the last activity.
    Touch,
    /// The confirmation that this secret is the current one, and possibly activity.
    Confirmation {
        /// The pending secret that was presented.
        secret: SecretHash,
        /// Whether a touch is due as well.
        touch: bool,
    },
}

impl Meta {
    /// Judges the hashes of one token, one per realm that the layer accepts. If the record knows
    /// several of them, the newest counts.
    #[must_use]
    #[doc(hidden)]
    pub fn judge(&self, secrets: &[SecretHash], visit: Visit, now: Timestamp) -> Judgement {
        if self.is_removable(now) {
            return Judgement::Absent;
        }
        let arrived = now.before(visit.waited);
        let standings = secrets.iter().map(|it| (self.standing(it, arrived, now), it));
        let newest = standings.min_by_key(|(standing, _)| match standing {
            Standing::Next => 0,
            Standing::Current => 1,
            Standing::Previous => 2,
            Standing::Replayed => 3,
            Standing::Retired(_) => 4,
            Standing::Unknown => 5,
        });
        let Some((standing, secret)) = newest else { return Judgement::Absent };
        if self.is_expired(now) {
            return match standing {
                Standing::Next | Standing::Current | Standing::Previous => {
                    Judgement::Expired(self.expired_because())
                }
                Standing::Replayed | Standing::Retired(_) | Standing::Unknown => Judgement::Absent,
            };
        }
        let touch = visit.touch == Touch::IfDue && self.touch_is_due(now);
        match standing {
            Standing::Next => Judgement::Opens(Due::Confirmation { secret: *secret, touch }),
            Standing::Current | Standing::Previous if touch => Judgement::Opens(Due::Touch),
            Standing::Current | Standing::Previous => Judgement::Opens(Due::Nothing),
            Standing::Replayed => Judgement::Replayed,
            Standing::Retired(at) => {
                let sign_in = self.epoch_of_sign_in(secret);
                let ended = Ended { sign_in, ..Ended::new(EndReason::Replaced, at) };
                Judgement::Ended(ended.told(visit, now))
            }
            Standing::Unknown => Judgement::Absent,
        }
    }

    /// Returns which limit an expired record has reached first.
    fn expired_because(&self) -> EndReason {
        match self.absolute {
            Some(absolute) if absolute <= self.expires_at() => EndReason::Expired,
            _ => EndReason::Idle,
        }
    }

    /// Returns the current epoch if the sign-in that replaced `secret` was the last change of
    /// privilege.
    fn epoch_of_sign_in(&self, secret: &SecretHash) -> Option<u64> {
        let last = self.retired.last_by_sign_in().filter(|_| self.principal.is_some())?;
        (last.secret == *secret).then_some(self.epoch)
    }

    /// Writes what a load has to write. Changes neither epoch nor revision.
    #[doc(hidden)]
    pub fn settle(&mut self, due: Due, now: Timestamp) {
        let touch = match due {
            Due::Nothing => false,
            Due::Touch => true,
            Due::Confirmation { secret, touch } => {
                self.confirm(&secret, now);
                touch
            }
        };
        if touch {
            self.last_seen = self.last_seen.max(now);
        }
    }
}

/// The result of [`Record::apply`].
#[derive(Clone, Debug)]
pub enum Applying {
    /// The record after the patch, and the answer for the caller.
    Stored(Arc<Record>, Applied),
    /// Nothing is to be written.
    Answer(Outcome),
}

impl Record {
    /// Applies `patch` at `now`; the reference for every store. Does not check
    /// [`MetaPatch::sign_in`](crate::record::patch::MetaPatch::sign_in), which depends on other
    /// records.
    ///
    /// The checks are made in the order of the contract: a repeated patch id; the guard (not
    /// expired, same epoch); the expectations; every operation. Nothing changes before all of them
    /// have passed.
    #[must_use]
    #[doc(hidden)]
    pub fn apply(self: &Arc<Self>, epoch: u64, patch: &Patch, now: Timestamp) -> Applying {
        let meta = &self.meta;
        if meta.patches.contains(patch.id) {
            // The epoch that this patch set, not the current one: a repeat must not gain the
            // authority of a later sign-in.
            let epoch = epoch.saturating_add(u64::from(patch.meta.raises()));
            let applied = Applied {
                rev: meta.rev,
                epoch,
                taken: Vec::new(),
                repeated: true,
                rotation: patch.meta.rotate.as_ref().and_then(|it| meta.rotation_for(it)),
                evicted: Vec::new(),
            };
            return Applying::Answer(Outcome::Applied(applied));
        }
        if patch.again.is_some_and(|rev| meta.rev >= rev.saturating_add(PatchLog::LEN as u64)) {
            // It may have been applied, and its id forgotten.
            return Applying::Answer(Outcome::Uncertain);
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
                let mut record = Self::new(self.id, meta.clone(), fields);
                record.meta.apply(&patch.meta, now);
                record.meta.rev = meta.rev.saturating_add(1);
                record.meta.patches.push(patch.id);
                let (rev, epoch) = (record.meta.rev, record.meta.epoch);
                let rotate = patch.meta.rotate.as_ref();
                let rotation = rotate.and_then(|rotate| record.meta.rotation_for(rotate));
                let applied =
                    Applied { rev, epoch, taken, repeated: false, rotation, evicted: Vec::new() };
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
    use crate::id::SessionId;
    use crate::record::patch::{Lifetime, MetaPatch};
    use crate::record::{
        COMMIT_LEEWAY, Fields, Principal, Renewal, RetiredSecret, Rotation, Tombstone,
    };
    use crate::token::RotationNonce;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn meta(idle: Option<Duration>, absolute: Option<Duration>) -> Meta {
        let lifetime = Lifetime { idle, absolute, remember: false };
        Meta::new(SecretHash::from_bytes([1; 32]), at(1_000), lifetime)
    }

    fn record(meta: Meta) -> Arc<Record> {
        Arc::new(Record::new(SessionId::from_bytes([0; 16]), meta, Fields::new()))
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
    fn numbers_that_cannot_grow_stay_where_they_are() {
        let mut largest = meta(None, None);
        (largest.rev, largest.epoch) = (u64::MAX, u64::MAX);
        let mut patch = Patch::new();
        patch.meta.renew = Some(SecretHash::from_bytes([2; 32]));
        let Applying::Stored(after, applied) = record(largest).apply(u64::MAX, &patch, at(1_000))
        else {
            panic!("stored")
        };
        assert_eq!((applied.rev, applied.epoch), (u64::MAX, u64::MAX));
        let again = after.apply(u64::MAX, &patch, at(1_000));
        let Applying::Answer(Outcome::Applied(repeated)) = again else { panic!("{again:?}") };
        assert_eq!((repeated.rev, repeated.epoch), (u64::MAX, u64::MAX));
    }

    #[test]
    fn a_repetition_that_the_log_may_have_forgotten_is_uncertain() {
        let lost = Patch::new();
        let mut current = record(meta(None, None));
        let made_for = current.meta.rev;
        for others in 0..5 {
            let again = Patch { again: Some(made_for), ..lost.clone() };
            let answer = current.apply(1, &again, at(1_000));
            let uncertain = matches!(answer, Applying::Answer(Outcome::Uncertain));
            assert_eq!(uncertain, others >= PatchLog::LEN, "after {others} others");
            let Applying::Stored(next, _) = current.apply(1, &Patch::new(), at(1_000)) else {
                panic!()
            };
            current = next;
        }
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
        assert_eq!(new.meta.retired.replaced_at(&old.secret, at(64_999)), Some(at(5_000)));
        assert_eq!(new.meta.retired.replaced_at(&old.secret, at(65_000)), None);
    }

    #[test]
    fn of_the_secrets_that_were_replaced_the_last_few_are_remembered() {
        let mut current = record(meta(None, None));
        for byte in 2..12 {
            let mut patch = Patch::new();
            patch.meta.renew = Some(hash(byte));
            let applied = current.apply(current.meta.epoch, &patch, at(1_000));
            let Applying::Stored(next, _) = applied else { panic!("{applied:?}") };
            current = next;
        }
        let remembered: Vec<_> = current.meta.retired.iter().map(|old| old.secret).collect();
        assert_eq!(remembered, (5..11).map(hash).collect::<Vec<_>>());
    }

    fn hash(byte: u8) -> SecretHash {
        SecretHash::from_bytes([byte; 32])
    }

    const LOOK: Visit = Visit {
        touch: Touch::Never,
        waited: Duration::ZERO,
        grace: Duration::ZERO,
        stale_ok: false,
    };
    const VISIT: Visit = Visit { touch: Touch::IfDue, ..LOOK };

    /// Current secret 1, pending 2, previous 3 (since 1,000), retired 4 (at 1,000).
    fn crowded() -> Meta {
        let mut meta = meta(Some(HOUR), None);
        let rotation = Rotation { nonce: RotationNonce([2; 16]), next: hash(2) };
        let old = |byte| RetiredSecret { secret: hash(byte), at: at(1_000) };
        meta.renewal = Renewal::new(Some(rotation), Some(old(3)));
        meta.retired = [old(4)].into_iter().collect();
        meta
    }

    #[test]
    fn every_secret_of_a_record_is_worth_what_it_stands_for() {
        let meta = crowded();
        let judge = |byte, now| meta.judge(&[hash(byte)], LOOK, at(now));
        let confirmation = Due::Confirmation { secret: hash(2), touch: false };
        for (byte, now, expected) in [
            (1, 1_000, Judgement::Opens(Due::Nothing)),
            (2, 1_000, Judgement::Opens(confirmation)),
            (3, 60_999, Judgement::Opens(Due::Nothing)),
            (3, 61_000, Judgement::Replayed),
            (4, 60_999, Judgement::Ended(Ended::new(EndReason::Replaced, at(1_000)))),
            (4, 61_000, Judgement::Absent),
            (5, 1_000, Judgement::Absent),
            (1, 3_600_999, Judgement::Opens(Due::Nothing)),
            (1, 3_601_000, Judgement::Expired(EndReason::Idle)),
            (2, 3_660_999, Judgement::Expired(EndReason::Idle)),
            (1, 3_661_000, Judgement::Absent),
            (3, 3_601_000, Judgement::Absent),
            (5, 3_601_000, Judgement::Absent),
        ] {
            assert_eq!(judge(byte, now), expected, "secret {byte} at {now}");
        }
        assert_eq!(meta.judge(&[], VISIT, at(1_000)), Judgement::Absent);
        let early = Visit { waited: Duration::from_millis(9_001), ..LOOK };
        assert_eq!(meta.judge(&[hash(3)], early, at(70_000)), Judgement::Opens(Due::Nothing));
    }

    #[test]
    fn what_its_own_browser_ended_is_late_for_the_grace_and_by_arrival() {
        let meta = crowded();
        let visit = |waited: u64| Visit {
            waited: Duration::from_millis(waited),
            grace: Duration::from_millis(500),
            ..LOOK
        };
        for (now, waited, late) in
            [(1_000, 0, true), (1_499, 0, true), (1_500, 0, false), (9_000, 7_501, true)]
        {
            let Judgement::Ended(ended) = meta.judge(&[hash(4)], visit(waited), at(now)) else {
                panic!()
            };
            assert_eq!(ended.late, late, "{now} {waited}");
            for (by, is_of_browser) in [
                (EndReason::SignedOut, true),
                (EndReason::AnotherUser, true),
                (EndReason::OtherDevice, false),
                (EndReason::Limit, false),
            ] {
                let ended = Ended::new(by, at(1_000));
                let told = Tombstone { meta: crowded(), ended };
                let told = told.judge(&[hash(1)], visit(waited), at(now)).unwrap();
                assert_eq!(told.late, late && is_of_browser, "{now} {waited} {by:?}");
            }
        }
    }

    #[test]
    fn of_several_secrets_the_newest_counts() {
        let meta = crowded();
        let all = [hash(5), hash(4), hash(3), hash(1), hash(2)];
        let judge = |some: &[SecretHash]| meta.judge(some, LOOK, at(70_000));
        assert_eq!(
            judge(&all),
            Judgement::Opens(Due::Confirmation { secret: hash(2), touch: false })
        );
        assert_eq!(judge(&all[..4]), Judgement::Opens(Due::Nothing));
        assert_eq!(judge(&all[..3]), Judgement::Replayed);
        assert_eq!(judge(&all[..2]), Judgement::Absent);
    }

    #[test]
    fn a_visit_touches_when_that_is_due_and_a_look_never_does() {
        let (meta, due) = (crowded(), 361_000);
        let judge = |byte, visit, now| meta.judge(&[hash(byte)], visit, at(now));
        assert_eq!(judge(1, VISIT, due - 1), Judgement::Opens(Due::Nothing));
        assert_eq!(judge(1, VISIT, due), Judgement::Opens(Due::Touch));
        assert_eq!(judge(1, LOOK, due), Judgement::Opens(Due::Nothing));
        let Judgement::Opens(confirmation) = judge(2, VISIT, due) else { panic!() };
        assert_eq!(confirmation, Due::Confirmation { secret: hash(2), touch: true });
        let mut settled = meta.clone();
        settled.settle(confirmation, at(due));
        assert_eq!((settled.secret, settled.last_seen), (hash(2), at(due)));
        assert_eq!((settled.rev, settled.epoch), (meta.rev, meta.epoch));
        settled.settle(Due::Touch, at(5));
        assert_eq!(settled.last_seen, at(due), "a touch shortens nothing");
    }

    #[test]
    fn a_tombstone_knows_every_secret_that_opened_its_record() {
        let ended = Ended::new(EndReason::OtherDevice, at(30_000));
        let tombstone = Tombstone { meta: crowded(), ended };
        // The holder of a secret that was replaced before is told only that.
        let replaced = Ended { because: EndReason::Replaced, ..ended };
        for (byte, expected) in [(1, ended), (2, ended), (3, ended), (4, replaced)] {
            assert_eq!(tombstone.judge(&[hash(byte)], LOOK, at(89_999)), Some(expected), "{byte}");
            assert_eq!(tombstone.judge(&[hash(byte)], LOOK, at(90_000)), None, "{byte}");
        }
        assert_eq!(tombstone.judge(&[hash(4), hash(1)], LOOK, at(30_000)), Some(ended));
        assert_eq!(tombstone.judge(&[hash(5)], LOOK, at(30_000)), None);
        assert_eq!(tombstone.judge(&[hash(5), hash(2)], LOOK, at(30_000)), Some(ended));
        let late = Tombstone { ended: Ended { at: at(61_000), ..ended }, ..tombstone };
        assert_eq!(late.judge(&[hash(3)], LOOK, at(61_000)), None, "replayed before the end");
        assert_eq!(late.judge(&[hash(4)], LOOK, at(61_000)), None, "forgotten before the end");
    }

    #[test]
    fn signing_out_remembers_whose_session_it_was() {
        let (a, b) = (Principal::new("", "1"), Principal::new("", "2"));
        let mut meta = meta(None, None);
        assert!(!meta.is_of_another(&a), "nobody's");
        let mut set = |principal: Option<&Principal>| {
            let principal = Some(principal.cloned());
            meta.apply(&MetaPatch { principal, ..MetaPatch::default() }, at(1));
            meta.clone()
        };
        assert!(set(Some(&a)).is_of_another(&b));
        let out = set(None);
        assert_eq!(out.principal_or_last(), Some(a.hash()));
        assert!(out.is_of_another(&b) && !out.is_of_another(&a));
        let again = set(None);
        assert_eq!(again.principal_or_last(), Some(a.hash()), "also if it is said again");
        assert_eq!(set(Some(&b)).last_principal, None);
    }
}

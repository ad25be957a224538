//! Caps on the live sessions of a principal.

use std::num::NonZeroU32;

use super::fixture::{Fixture, IDLE, LIFETIME, MS, renewal, set, text};
use super::running::{rounds, together};
use crate::id::SessionId;
use crate::record::patch::{AtLimit, Cap, Denied, Gone, Lifetime, Outcome, Patch, SignIn};
use crate::record::{Principal, Record};
use crate::store::{Created, Lookup, SessionStore};

fn customer() -> Principal {
    Principal::new("customer", "42")
}

fn at_most(max: u32, at_limit: AtLimit) -> SignIn {
    let max = NonZeroU32::new(max).unwrap_or(NonZeroU32::MIN);
    SignIn { cap: Some(Cap { max, at_limit }), not_revoked_since: None }
}

/// Returns a patch that signs the customer in with a condition.
fn signing_in(id: SessionId, sign_in: SignIn) -> Patch {
    let (mut patch, _) = renewal(id);
    patch.meta.principal = Some(Some(customer()));
    patch.meta.authenticated = true;
    patch.meta.sign_in = sign_in;
    patch
}

/// Stores `count` sessions of the customer, each a millisecond younger.
async fn several<S: SessionStore>(fixture: &Fixture<S>, count: usize) -> Vec<Record> {
    let mut records = Vec::new();
    for _ in 0..count {
        records.push(fixture.insert(fixture.of(&customer())).await);
        fixture.clock.advance(MS);
    }
    records
}

async fn lives<S: SessionStore>(fixture: &Fixture<S>, records: &[Record]) -> String {
    let mut seen = String::new();
    for record in records {
        seen.push(match fixture.look(record).await {
            Lookup::Found(_) | Lookup::Cached(_) => 'F',
            Lookup::Ended(_) => 'R',
            Lookup::Absent | Lookup::Expired(_) | Lookup::Replayed(_) => 'A',
        });
    }
    seen
}

/// A sign-in that would exceed the cap is `Denied::AtLimit` and leaves no trace, as a new record
/// and as a patch: no record, no field, no listing, and its patch id is not remembered. Below the
/// cap it succeeds.
pub async fn a_sign_in_beyond_the_cap_is_refused<S: SessionStore>(fixture: Fixture<S>) {
    let theirs = several(&fixture, 1).await;
    let visitor = fixture.insert(fixture.with(&[("n", "1")])).await;
    let cap = at_most(2, AtLimit::Reject);
    let second = fixture.of(&customer());
    assert_eq!(fixture.sign_in(second.clone(), cap).await, Created::ALONE, "the second of two");
    let third = fixture.of(&customer());
    let created = fixture.sign_in(third.clone(), cap).await;
    assert_eq!(created, Created::Denied(Denied::AtLimit), "the third of two");
    let seen = fixture.look(&third).await;
    assert!(matches!(seen, Lookup::Absent), "a denied record was stored: {seen:?}");
    let mut patch = signing_in(visitor.id, cap);
    patch.ops.push(set("n", "2"));
    let outcome = fixture.apply(visitor.id, 1, &patch).await;
    assert!(matches!(outcome, Outcome::Denied(Denied::AtLimit)), "a patch: {outcome:?}");
    assert_eq!(*fixture.found(&visitor).await, visitor, "a denied patch left a trace");
    let listed = [theirs[0].id, second.id];
    fixture.assert_listed(&customer(), &listed, "the listing after two denials").await;
    fixture.delete(second.id).await;
    let applied = fixture.applied(visitor.id, &patch).await;
    assert!(!applied.repeated, "a denied patch was remembered as if it had been applied");
    let listed = [theirs[0].id, visitor.id];
    fixture.assert_listed(&customer(), &listed, "the listing after the sign-in").await;
    let third = fixture.create(third).await;
    assert_eq!(third, Created::ALONE, "a sign-in without a cap, and the id of a denied record");
}

/// A sign-in that makes room ends the oldest other session, and returns which: the one that was
/// authenticated the longest ago (never comes first); then the one created first; then by id.
pub async fn a_sign_in_beyond_the_cap_ends_the_oldest<S: SessionStore>(fixture: Fixture<S>) {
    let start = fixture.now();
    fixture.clock.advance(MS * 10);
    let mut order = Vec::new();
    // In the order in which they must end, but created in another order.
    let ages = [(None, 5), (None, 6), (Some(1), 9), (Some(2), 3), (Some(2), 4)];
    for (authenticated, created) in ages {
        let mut record = fixture.of(&customer());
        record.meta.authenticated = authenticated.map(|ms| start.after(MS * ms));
        record.meta.created = start.after(MS * created);
        order.push(record);
    }
    let mut twins = [fixture.of(&customer()), fixture.of(&customer())];
    twins.sort_by_key(|record| record.id);
    for mut twin in twins {
        twin.meta.authenticated = Some(start.after(MS * 7));
        order.push(twin);
    }
    for index in [3, 0, 6, 2, 5, 1, 4] {
        fixture.insert(order[index].clone()).await;
    }
    let cap = at_most(order.len() as u32, AtLimit::EvictOldest);
    for turn in 0..order.len() {
        let mut record = fixture.of(&customer());
        record.meta.authenticated = Some(fixture.now());
        let evicted = vec![order[turn].id];
        if turn % 2 == 0 {
            let created = fixture.sign_in(record, cap).await;
            assert_eq!(created, Created::Created { evicted }, "a sign-in that makes room");
        } else {
            let visitor = fixture.insert(fixture.record()).await;
            let applied = fixture.applied(visitor.id, &signing_in(visitor.id, cap)).await;
            assert_eq!(applied.evicted, evicted, "a patch that makes room");
        }
        let expected = "R".repeat(turn + 1) + &"F".repeat(order.len() - turn - 1);
        assert_eq!(lives(&fixture, &order).await, expected, "retired, found: the oldest first");
        assert_eq!(fixture.listed(&customer()).await.len(), order.len(), "listed at the cap");
        fixture.clock.advance(MS);
    }
}

/// If the cap was lowered, as many sessions end as necessary, in one step.
pub async fn as_many_sessions_end_as_make_room<S: SessionStore>(fixture: Fixture<S>) {
    let theirs = several(&fixture, 5).await;
    let visitor = fixture.insert(fixture.record()).await;
    let cap = at_most(3, AtLimit::EvictOldest);
    let mut applied = fixture.applied(visitor.id, &signing_in(visitor.id, cap)).await;
    assert_eq!(lives(&fixture, &theirs).await, "RRRFF", "five, and a sign-in with a cap of three");
    let mut evicted = [theirs[0].id, theirs[1].id, theirs[2].id];
    applied.evicted.sort_unstable();
    evicted.sort_unstable();
    assert_eq!(applied.evicted, evicted, "the store tells which three");
    let last = fixture.of(&customer());
    let one = at_most(1, AtLimit::EvictOldest);
    let Created::Created { evicted } = fixture.sign_in(last.clone(), one).await else {
        panic!("a cap of one that evicts refuses a sign-in");
    };
    assert_eq!(evicted.len(), 3, "the store tells of those that a cap of one leaves no room");
    fixture.assert_listed(&customer(), &[last.id], "the listing at a cap of one").await;
    fixture.assert_count(1, "the count at a cap of one").await;
}

/// Expired, destroyed and anonymous sessions, and those of other principals, do not count and are
/// not ended; nor do those that used to belong to the principal.
pub async fn only_live_sessions_of_that_principal_count<S: SessionStore>(fixture: Fixture<S>) {
    let short = Lifetime { idle: Some(MS), ..LIFETIME };
    let mut expired = fixture.lasting(short);
    expired.meta.principal = Some(customer());
    fixture.insert(expired.clone()).await;
    let destroyed = fixture.insert(fixture.of(&customer())).await;
    fixture.delete(destroyed.id).await;
    let admin = fixture.insert(fixture.of(&Principal::new("admin", "42"))).await;
    let nobody = fixture.insert(fixture.record()).await;
    let former = fixture.insert(fixture.of(&customer())).await;
    let mut sign_out = Patch::new();
    sign_out.meta.principal = Some(None);
    fixture.applied(former.id, &sign_out).await;
    fixture.clock.advance(MS);
    let first = fixture.of(&customer());
    let created = fixture.sign_in(first.clone(), at_most(1, AtLimit::Reject)).await;
    assert_eq!(created, Created::ALONE, "the first live session of a cap of one");
    let second = fixture.insert(fixture.record()).await;
    let evicting = at_most(1, AtLimit::EvictOldest);
    fixture.applied(second.id, &signing_in(second.id, evicting)).await;
    assert_eq!(lives(&fixture, &[first, admin, nobody, former]).await, "RFFF", "theirs, others'");
    let mut late = Patch::of(vec![set("n", "1")]);
    late.meta.lifetime = Some(LIFETIME);
    fixture.applied(expired.id, &late).await;
}

/// Signing in again in a session of the same principal needs no second place, and never evicts that
/// session.
pub async fn a_session_does_not_count_itself<S: SessionStore>(fixture: Fixture<S>) {
    let theirs = several(&fixture, 2).await;
    fixture.applied(theirs[0].id, &signing_in(theirs[0].id, at_most(2, AtLimit::Reject))).await;
    let evicting = signing_in(theirs[0].id, at_most(2, AtLimit::EvictOldest));
    fixture.applied_under(theirs[0].id, 2, &evicting).await;
    let both = [theirs[0].id, theirs[1].id];
    fixture.assert_listed(&customer(), &both, "two sessions at a cap of two").await;
    // Within its leeway it is not live; after the sign-in it counts again, as one of two.
    fixture.clock.advance(IDLE);
    let mut again = signing_in(theirs[1].id, at_most(1, AtLimit::Reject));
    again.meta.lifetime = Some(LIFETIME);
    fixture.applied(theirs[1].id, &again).await;
    fixture.assert_listed(&customer(), &[theirs[1].id], "the one that is live again").await;
}

/// The cap applies to the principal after the patch: to the new one, to one that stays, and to none
/// at a sign-out.
pub async fn the_cap_concerns_who_is_signed_in_afterwards<S: SessionStore>(fixture: Fixture<S>) {
    let cap = at_most(1, AtLimit::Reject);
    several(&fixture, 2).await;
    let admin = fixture.insert(fixture.of(&Principal::new("admin", "1"))).await;
    let outcome = fixture.apply(admin.id, 1, &signing_in(admin.id, cap)).await;
    assert!(matches!(outcome, Outcome::Denied(Denied::AtLimit)), "to the customer: {outcome:?}");
    let mut same = Patch::of(vec![set("n", "1")]);
    same.meta.sign_in = cap;
    fixture.applied(admin.id, &same).await;
    let other = several(&fixture, 1).await.remove(0);
    let mut same = Patch::of(vec![set("n", "1")]);
    same.meta.sign_in = cap;
    let outcome = fixture.apply(other.id, 1, &same).await;
    assert!(
        matches!(outcome, Outcome::Denied(Denied::AtLimit)),
        "who stays signed in: {outcome:?}"
    );
    let mut sign_out = Patch::new();
    sign_out.meta.principal = Some(None);
    sign_out.meta.sign_in = cap;
    fixture.applied(other.id, &sign_out).await;
    let nobody = fixture.sign_in(fixture.record(), cap).await;
    assert_eq!(nobody, Created::ALONE, "a record of nobody, under a cap");
}

/// A sign-in whose answer was lost and that is sent again succeeds although the cap has been
/// reached since; and it ends no more sessions.
pub async fn a_repeated_sign_in_is_known_before_its_cap<S: SessionStore>(fixture: Fixture<S>) {
    for at_limit in [AtLimit::Reject, AtLimit::EvictOldest] {
        let visitor = fixture.insert(fixture.record()).await;
        let patch = signing_in(visitor.id, at_most(1, at_limit));
        fixture.applied(visitor.id, &patch).await;
        let later = several(&fixture, 2).await;
        let again = fixture.applied(visitor.id, &patch).await;
        assert!(again.repeated, "a sign-in that is sent again");
        assert!(again.evicted.is_empty(), "a repeated sign-in evicts nobody");
        assert_eq!(lives(&fixture, &later).await, "FF", "sessions after a repeated sign-in");
        fixture.assert_revokes(&customer(), 3, "their sessions").await;
    }
}

/// A session that was ended to make room is destroyed like any other: its secret is `Ended`,
/// patches are `Gone`, and no listing shows it.
pub async fn an_evicted_session_is_retired<S: SessionStore>(fixture: Fixture<S>) {
    for by_patch in [false, true] {
        let old = fixture.insert(fixture.of(&customer())).await;
        let cap = at_most(1, AtLimit::EvictOldest);
        let mut new = fixture.of(&customer());
        if by_patch {
            new = fixture.insert(fixture.record()).await;
            fixture.applied(new.id, &signing_in(new.id, cap)).await;
        } else {
            let created = fixture.sign_in(new.clone(), cap).await;
            assert_eq!(created, Created::Created { evicted: vec![old.id] }, "a sign-in");
        }
        let seen = fixture.look(&old).await;
        assert!(matches!(seen, Lookup::Ended(_)), "an evicted session: {seen:?}");
        let outcome = fixture.apply(old.id, 1, &Patch::new()).await;
        let gone = matches!(outcome, Outcome::Gone(Gone::Absent));
        assert!(gone, "a patch to an evicted session: {outcome:?}");
        assert_eq!(fixture.reload(old.id, 1).await, None, "a reload of an evicted session");
        let created = fixture.create(fixture.with_id(old.id)).await;
        assert_eq!(created, Created::Exists, "the id of an evicted session");
        fixture.assert_listed(&customer(), &[new.id], "the listing after an eviction").await;
        fixture.assert_count(1, "the count after an eviction").await;
        fixture.delete(new.id).await;
    }
}

/// Of 16 concurrent sign-ins, exactly as many succeed as the cap leaves room for, both as new
/// records and as patches.
///
/// Counting first and writing afterwards lets all of them through.
pub async fn a_cap_is_exact_under_concurrent_sign_ins<S: SessionStore>(fixture: Fixture<S>) {
    rounds(100, async |round| {
        let theirs = several(&fixture, 2).await;
        let admitted = sign_in_16(&fixture, round, at_most(5, AtLimit::Reject)).await;
        assert_eq!(
            admitted.len(),
            3,
            "round {round}: of 16 sign-ins into a cap of 5, with 2 before"
        );
        assert_eq!(fixture.listed(&customer()).await.len(), 5, "round {round}: live at the cap");
        assert_eq!(lives(&fixture, &theirs).await, "FF", "round {round}: who was there before");
        fixture.revoke(&customer(), crate::store::Revoke::All).await;
    })
    .await;
}

/// 16 concurrent sign-ins that each make room all succeed, and exactly as many sessions remain as
/// the cap allows: the newest. Each of the others is named by exactly one sign-in.
pub async fn of_many_evicting_sign_ins_as_many_are_left_as_the_cap_says<S: SessionStore>(
    fixture: Fixture<S>,
) {
    rounds(100, async |round| {
        let theirs = several(&fixture, 2).await;
        let admitted = sign_in_16(&fixture, round, at_most(4, AtLimit::EvictOldest)).await;
        assert_eq!(admitted.len(), 16, "round {round}: of 16 sign-ins that make room");
        let mut evicted: Vec<_> = admitted.into_iter().flatten().collect();
        evicted.sort_unstable();
        let told = evicted.len();
        evicted.dedup();
        assert_eq!((told, evicted.len()), (14, 14), "round {round}: told of, each once");
        assert_eq!(fixture.listed(&customer()).await.len(), 4, "round {round}: live at the cap");
        assert_eq!(lives(&fixture, &theirs).await, "RR", "round {round}: who was there before");
        fixture.revoke(&customer(), crate::store::Revoke::All).await;
    })
    .await;
}

/// Makes 16 concurrent sign-ins; returns the sessions that each admitted one evicted. Checks that
/// refused ones left no trace.
async fn sign_in_16<S: SessionStore>(
    fixture: &Fixture<S>,
    round: usize,
    cap: SignIn,
) -> Vec<Vec<SessionId>> {
    let admitted = together(16, |task| {
        let fixture = fixture.clone();
        async move {
            if task % 2 == 0 {
                let mut record = fixture.of(&customer());
                record.meta.authenticated = Some(fixture.now());
                return match fixture.sign_in(record, cap).await {
                    Created::Created { evicted } => Some(evicted),
                    Created::Denied(Denied::AtLimit) => None,
                    other => panic!("round {round}: a new record under a cap: {other:?}"),
                };
            }
            let visitor = fixture.insert(fixture.record()).await;
            let mut patch = signing_in(visitor.id, cap);
            patch.ops.push(set("n", "1"));
            match fixture.apply(visitor.id, 1, &patch).await {
                Outcome::Applied(applied) => Some(applied.evicted),
                Outcome::Denied(Denied::AtLimit) => {
                    let found = fixture.found(&visitor).await;
                    assert_eq!(text(&found, "n"), None, "round {round}: a denied patch wrote");
                    fixture.delete(visitor.id).await;
                    None
                }
                other => panic!("round {round}: a patch under a cap: {other:?}"),
            }
        }
    })
    .await;
    admitted.into_iter().flatten().collect()
}

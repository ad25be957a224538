//! Expiry: the exact moment, the leeway after it, the clock.

use std::time::Duration;

use super::fixture::{ABSOLUTE, Fixture, IDLE, LIFETIME, MS, new_secret, renewal, set, text};
use crate::clock::Timestamp;
use crate::record::patch::{Gone, Lifetime, Outcome, Patch};
use crate::record::{COMMIT_LEEWAY, Principal, TOMBSTONE};
use crate::store::{EndReason, Lookup, SessionStore, Touch};

/// A session is found one millisecond before its expiry time and absent at it, for the idle and for
/// the absolute timeout.
///
/// A store that uses its server's expiry in seconds serves sessions that have ended, and fails in
/// odd ways at the moment of expiry.
pub async fn a_session_ends_at_the_exact_millisecond<S: SessionStore>(fixture: Fixture<S>) {
    let odd = Duration::from_millis(90_017);
    for (idle, absolute) in [(Some(odd), None), (None, Some(odd)), (Some(odd), Some(2 * odd))] {
        let lifetime = Lifetime { idle, absolute, remember: false };
        let record = fixture.insert(fixture.lasting(lifetime)).await;
        fixture.clock.advance(odd - MS);
        fixture.found(&record).await;
        fixture.clock.advance(MS);
        let seen = fixture.look(&record).await;
        assert!(matches!(seen, Lookup::Expired(_)), "at the end of {lifetime:?}: {seen:?}");
    }
}

/// From the millisecond of its expiry on, swept or not, no operation sees a session: load, reload,
/// list, count, delete and revoke.
pub async fn an_expired_session_counts_as_absent_everywhere<S: SessionStore>(fixture: Fixture<S>) {
    let customer = Principal::new("customer", "42");
    let records =
        [fixture.insert(fixture.of(&customer)).await, fixture.insert(fixture.of(&customer)).await];
    fixture.clock.advance(IDLE);
    for touch in [Touch::Never, Touch::IfDue] {
        let seen = fixture.load(records[0].id, &records[0].meta.secret, touch).await;
        assert!(matches!(seen, Lookup::Expired(_)), "a load of an expired session: {seen:?}");
    }
    assert_eq!(fixture.reload(records[0].id, 1).await, None, "a reload of an expired session");
    fixture.assert_listed(&customer, &[], "a listing with expired sessions").await;
    fixture.assert_count(0, "a count with expired sessions").await;
    assert!(!fixture.delete(records[0].id).await, "deleting an expired session ended a live one");
    fixture.assert_revokes(&customer, 0, "revoking an expired session ended a live one").await;
}

/// A patch that arrives within the leeway after the expiry time is stored.
///
/// The session was live when the request loaded it; a user who saves in the last second gets what
/// they saved, or an honest answer.
pub async fn a_patch_just_after_expiry_is_still_stored<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.record()).await;
    fixture.clock.advance(IDLE);
    let applied = fixture.applied(record.id, &Patch::of(vec![set("n", "1")])).await;
    assert_eq!(applied.rev, 2, "a patch at the moment of expiry");
    fixture.clock.advance(COMMIT_LEEWAY - MS);
    let applied = fixture.applied(record.id, &Patch::of(vec![set("n", "2")])).await;
    assert_eq!(applied.rev, 3, "a patch one millisecond before the leeway ends");
}

/// For the leeway, an expired session tells the holder of its secret which limit it has reached: the
/// absolute one, or that of being idle. Then it is absent, swept or not. Any other secret is told
/// nothing.
///
/// A user who comes back wants to know why a password is asked for again.
pub async fn an_expired_session_says_why_for_as_long_as_patches_have<S: SessionStore>(
    fixture: Fixture<S>,
) {
    let minutes = |minutes: u64| Some(Duration::from_secs(60 * minutes));
    for (idle, absolute, expected) in [
        (minutes(2), None, EndReason::Idle),
        (minutes(2), minutes(3), EndReason::Idle),
        (None, minutes(2), EndReason::Expired),
        (minutes(2), minutes(2), EndReason::Expired),
    ] {
        let lifetime = Lifetime { idle, absolute, remember: false };
        let record = fixture.insert(fixture.lasting(lifetime)).await;
        fixture.clock.advance(Duration::from_secs(120));
        for wait in [Duration::ZERO, COMMIT_LEEWAY / 2] {
            fixture.clock.advance(wait);
            let seen = fixture.look(&record).await;
            let Lookup::Expired(because) = seen else { panic!("{lifetime:?}: {seen:?}") };
            assert_eq!(because, expected, "{lifetime:?}");
            let other = fixture.load_by(record.id, &[new_secret(record.id)]).await;
            assert!(matches!(other, Lookup::Absent), "a wrong secret is told: {other:?}");
        }
        fixture.clock.advance(COMMIT_LEEWAY / 2);
        let seen = fixture.look(&record).await;
        assert!(matches!(seen, Lookup::Absent), "after the leeway: {seen:?}");
    }
}

/// At the end of the leeway a patch is `Gone::Absent`, swept or not.
///
/// A check against the start time of a statement applies patches seconds late.
pub async fn a_patch_after_the_leeway_is_refused<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.record()).await;
    fixture.clock.advance(IDLE + COMMIT_LEEWAY);
    let outcome = fixture.apply(record.id, 1, &Patch::of(vec![set("n", "1")])).await;
    let gone = matches!(outcome, Outcome::Gone(Gone::Absent));
    assert!(gone, "a patch at the end of the leeway: {outcome:?}");
}

/// A patch of fields within the leeway does not revive the session, and does not extend the leeway.
pub async fn a_patch_in_the_leeway_does_not_make_the_session_live<S: SessionStore>(
    fixture: Fixture<S>,
) {
    let customer = Principal::new("customer", "42");
    let record = fixture.insert(fixture.of(&customer)).await;
    fixture.clock.advance(IDLE + COMMIT_LEEWAY - MS);
    fixture.applied(record.id, &Patch::of(vec![set("n", "1")])).await;
    let seen = fixture.load(record.id, &record.meta.secret, Touch::IfDue).await;
    let is_over = matches!(seen, Lookup::Absent | Lookup::Expired(_));
    assert!(is_over, "a load after a patch in the leeway: {seen:?}");
    assert_eq!(fixture.reload(record.id, 1).await, None, "a reload after a patch in the leeway");
    fixture.assert_listed(&customer, &[], "a listing after a patch in the leeway").await;
    fixture.assert_count(0, "a count after a patch in the leeway").await;
    fixture.clock.advance(MS);
    let outcome = fixture.apply(record.id, 1, &Patch::new()).await;
    let gone = matches!(outcome, Outcome::Gone(Gone::Absent));
    assert!(gone, "a patch in the leeway prolonged it: {outcome:?}");
}

/// A sign-in within the leeway restarts the timeouts: the session is live again, for its new
/// principal, for every operation.
///
/// An index that is pruned at the moment of expiry loses exactly this session, and "sign out
/// everywhere" misses it.
pub async fn a_sign_in_in_the_leeway_makes_the_session_live_again<S: SessionStore>(
    fixture: Fixture<S>,
) {
    let customer = Principal::new("customer", "42");
    let mut record = fixture.insert(fixture.of(&customer)).await;
    fixture.clock.advance(IDLE);
    fixture.assert_listed(&customer, &[], "a listing with an expired session").await;
    fixture.sweep_all(100).await;
    let (mut sign_in, secret) = renewal(record.id);
    sign_in.meta.lifetime = Some(LIFETIME);
    fixture.applied(record.id, &sign_in).await;
    record.meta.secret = secret;
    fixture.clock.advance(COMMIT_LEEWAY * 2);
    fixture.sweep_all(100).await;
    fixture.found(&record).await;
    fixture.assert_listed(&customer, &[record.id], "the listing after the sign-in").await;
    fixture.assert_count(1, "the count after the sign-in").await;
    let what = "a session that signed in within its leeway cannot be revoked";
    fixture.assert_revokes(&customer, 1, what).await;
}

/// When the clock jumps back (NTP, a resumed virtual machine), live sessions remain live and
/// writable, `last_seen` does not go backwards, destroyed sessions remain destroyed, and a sweep
/// removes no live session.
pub async fn a_clock_that_jumps_backwards_does_no_harm<S: SessionStore>(fixture: Fixture<S>) {
    let live = fixture.insert(fixture.record()).await;
    let destroyed = fixture.insert(fixture.record()).await;
    fixture.delete(destroyed.id).await;
    let now = fixture.now();
    fixture.clock.set(Timestamp::from_millis(now.as_millis() - 2 * 60 * 60 * 1000));
    let seen = fixture.load(live.id, &live.meta.secret, Touch::IfDue).await;
    let Lookup::Found(found) = seen else { panic!("a live session, two hours earlier: {seen:?}") };
    assert_eq!(found.meta.last_seen, live.meta.last_seen, "`last_seen` went backwards");
    fixture.applied(live.id, &Patch::of(vec![set("n", "1")])).await;
    fixture.sweep_all(100).await;
    assert_eq!(text(&*fixture.found(&live).await, "n"), Some("1"), "a patch, two hours earlier");
    let seen = fixture.look(&destroyed).await;
    assert!(!matches!(seen, Lookup::Found(_)), "a destroyed session is back: {seen:?}");
    let outcome = fixture.apply(destroyed.id, 1, &Patch::new()).await;
    assert!(matches!(outcome, Outcome::Gone(Gone::Absent)), "a destroyed session: {outcome:?}");
    let early = fixture.insert(fixture.record()).await;

    fixture.clock.set(now);
    fixture.found(&live).await;
    let seen = fixture.look(&early).await;
    assert!(matches!(seen, Lookup::Absent), "a session created two hours ago: {seen:?}");
    fixture.clock.advance(ABSOLUTE.max(TOMBSTONE));
    fixture.sweep_all(100).await;
    let seen = fixture.look(&live).await;
    assert!(matches!(seen, Lookup::Absent), "after its absolute limit: {seen:?}");
}

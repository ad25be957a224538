//! Sessions by principal.

use super::fixture::{Fixture, IDLE, LIFETIME, MS, renewal, set};
use crate::record::patch::Patch;
use crate::record::{COMMIT_LEEWAY, Principal};
use crate::store::{Lookup, SessionStore, Touch};

fn customer() -> Principal {
    Principal::new("customer", "42")
}

/// A listing shows every live session of exactly that principal: customer 42 and administrator 42
/// are two principals, and sessions without a principal are listed nowhere.
pub async fn a_listing_shows_exactly_the_sessions_of_a_principal<S: SessionStore>(
    fixture: Fixture<S>,
) {
    let one = fixture.insert(fixture.of(&customer())).await;
    let two = fixture.insert(fixture.of(&customer())).await;
    let admin = Principal::new("admin", "42");
    let boss = fixture.insert(fixture.of(&admin)).await;
    fixture.insert(fixture.record()).await;
    let mut both = [one.id, two.id];
    both.sort_unstable();
    assert_eq!(fixture.listed(&customer()).await, both, "the sessions of customer 42");
    assert_eq!(fixture.listed(&admin).await, [boss.id], "the sessions of administrator 42");
    let nobody = Principal::new("customer", "null");
    assert_eq!(fixture.listed(&nobody).await, [], "the sessions of nobody");
    let listed = fixture.list(&admin).await;
    assert_eq!(*listed[0], boss, "a listed record is the stored one");
}

/// Principals are compared byte for byte: not by prefix or pattern, not ignoring case, accents or
/// trailing spaces, not as numbers.
///
/// The default collation of MySQL lists "Bob" among the sessions of "bob".
pub async fn principals_are_compared_byte_for_byte<S: SessionStore>(fixture: Fixture<S>) {
    let json = [
        "4",
        "42",
        "42.0",
        "4.2e1",
        "\"42\"",
        "\"bob\"",
        "\"Bob\"",
        "\"bob \"",
        "\"b_b\"",
        "\"b%\"",
        "\"b*\"",
        "\"böb\"",
        "\"bo\u{308}b\"",
        "\"\"",
        "[1]",
        "{\"a\":1}",
        "\"a:b\"",
        "\"it's\"",
        "\"a\\u0000\"",
        "9007199254740993",
        "9007199254740992",
    ];
    let mut principals: Vec<_> = json.iter().map(|json| Principal::new("customer", json)).collect();
    principals.push(Principal::new("customer2", "42"));
    principals.push(Principal::new("Customer", "42"));
    principals.push(Principal::new("", "42"));
    principals.push(Principal::new("customer", &format!("\"{}\"", "long".repeat(200))));
    let mut ids = Vec::new();
    for principal in &principals {
        ids.push(fixture.insert(fixture.of(principal)).await.id);
    }
    for (principal, id) in principals.iter().zip(ids) {
        assert_eq!(fixture.listed(principal).await, [id], "the sessions of {principal:?}");
    }
}

/// A listing shows records as they are stored now: after patches, renewals and touches.
pub async fn a_listing_shows_the_newest_data<S: SessionStore>(fixture: Fixture<S>) {
    let mut record = fixture.insert(fixture.of(&customer())).await;
    let (renew, secret) = renewal(record.id);
    fixture.applied(record.id, &renew).await;
    fixture.applied_under(record.id, 2, &Patch::of(vec![set("device", "\"phone\"")])).await;
    record.meta.secret = secret;
    fixture.clock.advance(IDLE / 2);
    let seen = fixture.load(record.id, &secret, Touch::IfDue).await;
    assert!(matches!(seen, Lookup::Found(_)), "a live session: {seen:?}");
    let found = fixture.found(&record).await;
    assert_eq!(fixture.list(&customer()).await, [found], "a listing after a patch and a touch");
}

/// Signing in adds the session to its principal's listing, signing in as another principal moves
/// it, and signing out removes it, in the same step.
pub async fn a_changed_principal_moves_the_session<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.record()).await;
    let other = Principal::new("customer", "43");
    let steps = [Some(customer()), Some(customer()), Some(other.clone()), None, Some(customer())];
    for now in steps {
        let mut patch = Patch::new();
        patch.meta.principal = Some(now.clone());
        fixture.applied(record.id, &patch).await;
        fixture.applied(record.id, &Patch::of(vec![set("n", "1")])).await;
        for principal in [customer(), other.clone()] {
            let listed = fixture.listed(&principal).await.contains(&record.id);
            let theirs = now.as_ref() == Some(&principal);
            assert_eq!(listed, theirs, "listed for {principal:?} while it belongs to {now:?}");
        }
        assert_eq!(fixture.found(&record).await.meta.principal, now, "the stored principal");
    }
}

/// A listing shows neither destroyed sessions nor expired ones, from the exact millisecond on; the
/// others remain.
pub async fn an_ended_session_leaves_the_listing<S: SessionStore>(fixture: Fixture<S>) {
    let early = fixture.insert(fixture.of(&customer())).await;
    fixture.clock.advance(MS);
    let late = fixture.insert(fixture.of(&customer())).await;
    let destroyed = fixture.insert(fixture.of(&customer())).await;
    fixture.delete(destroyed.id).await;
    fixture.clock.advance(IDLE - 2 * MS);
    let mut both = [early.id, late.id];
    both.sort_unstable();
    assert_eq!(fixture.listed(&customer()).await, both, "a millisecond before the first ends");
    fixture.clock.advance(MS);
    assert_eq!(fixture.listed(&customer()).await, [late.id], "at the end of the first");
    fixture.clock.advance(MS);
    assert_eq!(fixture.listed(&customer()).await, [], "at the end of the second");
}

/// A session that outlives its first expiry time by touches or a new lifetime remains in its
/// principal's listing, through sweeps.
///
/// An index that is ordered by the first idle expiry prunes live sessions, and "sign out
/// everywhere" misses them.
pub async fn a_listing_keeps_a_session_that_was_extended<S: SessionStore>(fixture: Fixture<S>) {
    let touched = fixture.insert(fixture.of(&customer())).await;
    let restarted = fixture.insert(fixture.of(&customer())).await;
    let mut both = [touched.id, restarted.id];
    both.sort_unstable();
    for step in 0..4 {
        fixture.clock.advance(IDLE - COMMIT_LEEWAY - MS);
        let seen = fixture.load(touched.id, &touched.meta.secret, Touch::IfDue).await;
        assert!(matches!(seen, Lookup::Found(_)), "an active session in step {step}: {seen:?}");
        let mut patch = Patch::new();
        patch.meta.lifetime = Some(LIFETIME);
        fixture.applied(restarted.id, &patch).await;
        // Another sign-in, because stores tend to prune then.
        let brief = fixture.insert(fixture.of(&customer())).await;
        fixture.delete(brief.id).await;
        fixture.clock.advance(COMMIT_LEEWAY);
        fixture.sweep_all(100).await;
        assert_eq!(fixture.listed(&customer()).await, both, "extended sessions, in step {step}");
    }
}

/// A principal with 150 sessions is listed in full.
pub async fn a_long_listing_is_complete<S: SessionStore>(fixture: Fixture<S>) {
    let mut ids = Vec::new();
    for _ in 0..150 {
        ids.push(fixture.insert(fixture.of(&customer())).await.id);
        fixture.insert(fixture.record()).await;
    }
    ids.sort_unstable();
    assert_eq!(fixture.listed(&customer()).await, ids, "150 sessions of one principal");
    fixture.assert_count(300, "all sessions").await;
}

/// The count is the number of live sessions, whatever was created, renewed, destroyed or has
/// expired.
pub async fn the_count_is_that_of_live_sessions<S: SessionStore>(fixture: Fixture<S>) {
    let first = fixture.insert(fixture.record()).await;
    fixture.clock.advance(IDLE / 2);
    let second = fixture.insert(fixture.record()).await;
    let third = fixture.insert(fixture.of(&customer())).await;
    assert_eq!(fixture.count().await, 3, "after three creates");
    fixture.create(first.clone()).await;
    fixture.applied(second.id, &renewal(second.id).0).await;
    fixture.applied(third.id, &Patch::of(vec![set("n", "1")])).await;
    assert_eq!(fixture.count().await, 3, "after a refused create, a renewal and a patch");
    fixture.delete(third.id).await;
    assert_eq!(fixture.count().await, 2, "after a delete");
    fixture.clock.advance(IDLE / 2 - MS);
    assert_eq!(fixture.count().await, 2, "a millisecond before the first ends");
    fixture.clock.advance(MS);
    assert_eq!(fixture.count().await, 1, "at the end of the first");
}

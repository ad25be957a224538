//! What extends a session, and what does not.

use std::time::Duration;

use super::fixture::{ABSOLUTE, Fixture, IDLE, LIFETIME, MS, renewal, set};
use super::needs::Need;
use crate::record::patch::{Lifetime, Patch};
use crate::record::{COMMIT_LEEWAY, MAX_LIFETIME, Principal};
use crate::store::{EndReason, Lookup, SessionStore, Touch};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A load that asks for it writes `last_seen` once a tenth of the idle timeout has passed, and not
/// one millisecond earlier.
///
/// Touching at every request turns every page view into a write.
pub async fn a_touch_is_written_only_when_due<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.record()).await;
    let load = async || match fixture.load(record.id, &record.meta.secret, Touch::IfDue).await {
        Lookup::Found(found) => found.meta.last_seen,
        other => panic!("a live session with the right secret must be found, but: {other:?}"),
    };
    fixture.clock.advance(IDLE / 10 - MS);
    assert_eq!(load().await, record.meta.last_seen, "touched one millisecond too early");
    fixture.clock.advance(MS);
    let due = fixture.now();
    assert_eq!(load().await, due, "a load that touches returns the new `last_seen`");
    fixture.clock.advance(MS);
    assert_eq!(load().await, due, "touched again right after a touch");
    assert_eq!(fixture.found(&record).await.meta.last_seen, due, "the touch was not stored");
}

/// A touch changes the expiry time of the session and nothing else: no field, no revision, no
/// epoch, no remembered patch.
///
/// A touch that writes the whole record undoes another request's edit.
pub async fn a_touch_extends_the_session_and_changes_no_data<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.with(&[("n", "1e3")])).await;
    let patch = Patch::of(vec![set("m", "2")]);
    fixture.applied(record.id, &patch).await;
    let before = fixture.found(&record).await;
    fixture.clock.advance(IDLE - MS);
    let seen = fixture.load(record.id, &record.meta.secret, Touch::IfDue).await;
    let mut expected = (*before).clone();
    expected.meta.last_seen = fixture.now();
    let Lookup::Found(touched) = seen else { panic!("a load in the last moment: {seen:?}") };
    assert_eq!(*touched, expected, "what the touching load returned");
    assert_eq!(*fixture.found(&record).await, expected, "what the touch stored");
    assert!(fixture.applied(record.id, &patch).await.repeated, "a touch forgot the last patches");
    fixture.clock.advance(IDLE - MS);
    fixture.found(&record).await;
    fixture.clock.advance(MS);
    let seen = fixture.look(&record).await;
    assert!(
        matches!(seen, Lookup::Expired(EndReason::Idle)),
        "an idle timeout after the last touch: {seen:?}"
    );
}

/// `last_seen` changes only by a load with [`Touch::IfDue`] or a new lifetime: not by a load that
/// only looks, a reload, a listing or a patch of fields.
///
/// The polling of an open tab must not keep a session alive forever.
pub async fn only_a_load_that_asks_for_it_touches<S: SessionStore>(fixture: Fixture<S>) {
    let customer = Principal::new("customer", "42");
    let record = fixture.insert(fixture.of(&customer)).await;
    fixture.clock.advance(IDLE / 2);
    fixture.found(&record).await;
    fixture.reload(record.id, 1).await;
    if fixture.promises(Need::principal_index) {
        fixture.list(&customer).await;
    }
    fixture.assert_count(1, "all sessions").await;
    fixture.applied(record.id, &Patch::of(vec![set("n", "1")])).await;
    let (renew, secret) = renewal(record.id);
    fixture.applied(record.id, &renew).await;
    let old = fixture.load(record.id, &record.meta.secret, Touch::IfDue).await;
    assert!(matches!(old, Lookup::Ended(_)), "a replaced secret: {old:?}");
    let seen = fixture.load(record.id, &secret, Touch::Never).await;
    let Lookup::Found(found) = seen else { panic!("the new secret of a renewal: {seen:?}") };
    assert_eq!(found.meta.last_seen, record.meta.last_seen, "activity without a touch");
}

/// A load that would touch an expired session finds nothing and writes nothing, within the leeway
/// and after it.
pub async fn a_touch_never_revives<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.record()).await;
    for late in [IDLE, COMMIT_LEEWAY - MS, COMMIT_LEEWAY] {
        fixture.clock.advance(late);
        for touch in [Touch::IfDue, Touch::Never] {
            let seen = fixture.load(record.id, &record.meta.secret, touch).await;
            let is_over = matches!(seen, Lookup::Absent | Lookup::Expired(EndReason::Idle));
            assert!(is_over, "a load of an expired session: {seen:?}");
        }
    }
    fixture.assert_count(0, "a touch made a session").await;
    let destroyed = fixture.insert(fixture.record()).await;
    fixture.clock.advance(IDLE / 2);
    fixture.delete(destroyed.id).await;
    let seen = fixture.load(destroyed.id, &destroyed.meta.secret, Touch::IfDue).await;
    assert!(matches!(seen, Lookup::Ended(_)), "a touching load of a destroyed session: {seen:?}");
    fixture.assert_count(0, "a touch revived a destroyed session").await;
}

/// Activity extends the idle timeout only; the absolute timeout ends a session even if it is used
/// every few minutes.
pub async fn the_absolute_limit_holds_however_active_a_session_is<S: SessionStore>(
    fixture: Fixture<S>,
) {
    let record = fixture.insert(fixture.record()).await;
    let end = record.meta.created.after(ABSOLUTE);
    while fixture.now().after(IDLE / 2) < end {
        fixture.clock.advance(IDLE / 2);
        let seen = fixture.load(record.id, &record.meta.secret, Touch::IfDue).await;
        assert!(matches!(seen, Lookup::Found(_)), "an active session: {seen:?}");
    }
    fixture.clock.advance(end.since(fixture.now()) - MS);
    fixture.found(&record).await;
    fixture.clock.advance(MS);
    let seen = fixture.load(record.id, &record.meta.secret, Touch::IfDue).await;
    assert!(matches!(seen, Lookup::Expired(EndReason::Expired)), "at the absolute limit: {seen:?}");
}

/// A patch with a lifetime counts both timeouts from the store's time, even if the new ones are
/// shorter, and stores whether to remember.
pub async fn a_new_lifetime_restarts_both_limits<S: SessionStore>(fixture: Fixture<S>) {
    let longer = Lifetime { idle: Some(3 * DAY), absolute: Some(4 * DAY), remember: true };
    let shorter = Lifetime { idle: Some(20 * MS), absolute: Some(DAY), remember: false };
    for lifetime in [LIFETIME, longer, shorter] {
        let record = fixture.insert(fixture.record()).await;
        fixture.clock.advance(IDLE / 2);
        let now = fixture.now();
        let mut patch = Patch::new();
        patch.meta.lifetime = Some(lifetime);
        patch.meta.authenticated = true;
        fixture.applied(record.id, &patch).await;
        let meta = fixture.found(&record).await.meta.clone();
        assert_eq!(meta.created, record.meta.created, "when it was created, after {lifetime:?}");
        assert_eq!(meta.last_seen, now, "when it was last seen, after {lifetime:?}");
        assert_eq!(meta.authenticated, Some(now), "when somebody signed in");
        assert_eq!(meta.absolute, lifetime.absolute.map(|limit| now.after(limit)), "absolute");
        assert_eq!(meta.remember.is_some(), lifetime.remember, "whether to remember");
        let idle = lifetime.idle.unwrap_or_default();
        fixture.clock.advance(idle - MS);
        fixture.found(&record).await;
        fixture.clock.advance(MS);
        let seen = fixture.look(&record).await;
        assert!(matches!(seen, Lookup::Expired(_)), "at the idle limit of {lifetime:?}: {seen:?}");
    }
}

/// A session without timeouts lives for [`MAX_LIFETIME`] after its last activity, through sweeps.
///
/// "Never" as zero or a negative number is a session that has always expired.
pub async fn no_limit_means_none_up_to_the_cap<S: SessionStore>(fixture: Fixture<S>) {
    let never = Lifetime { idle: None, absolute: None, remember: true };
    let record = fixture.insert(fixture.lasting(never)).await;
    fixture.clock.advance(MAX_LIFETIME - MS);
    fixture.sweep_all(100).await;
    let seen = fixture.load(record.id, &record.meta.secret, Touch::IfDue).await;
    assert!(matches!(seen, Lookup::Found(_)), "without limits, before the cap: {seen:?}");
    fixture.clock.advance(MAX_LIFETIME - MS);
    fixture.found(&record).await;
    fixture.clock.advance(MS);
    let seen = fixture.look(&record).await;
    assert!(
        matches!(seen, Lookup::Expired(EndReason::Idle)),
        "without limits, at the cap: {seen:?}"
    );
}

/// Timeouts of any size, set at creation or by a patch, are cut off at the cap.
///
/// Seconds times a thousand plus now overflows 64 bits, to a time in the past.
pub async fn huge_limits_do_not_overflow<S: SessionStore>(fixture: Fixture<S>) {
    let (huge, limit) = (Some(Duration::MAX), Duration::from_millis(u64::MAX));
    let lifetime = Lifetime { idle: huge, absolute: huge, remember: true };
    let created = fixture.insert(fixture.lasting(lifetime)).await;
    let patched = fixture.insert(fixture.record()).await;
    let mut patch = Patch::new();
    patch.meta.lifetime = Some(Lifetime { idle: Some(limit), absolute: Some(limit), ..lifetime });
    fixture.applied(patched.id, &patch).await;
    for advance in [Duration::ZERO, MAX_LIFETIME - MS] {
        fixture.clock.advance(advance);
        fixture.sweep_all(100).await;
        fixture.found(&created).await;
        fixture.found(&patched).await;
        fixture.assert_count(2, "sessions with huge limits").await;
    }
    fixture.clock.advance(MS);
    fixture.assert_count(0, "sessions with huge limits, at the cap").await;
}

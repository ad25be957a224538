//! Ending sessions by principal: one, all others, or all.

use super::fixture::{Fixture, IDLE, LIFETIME, MS, renewal};
use super::running::{both, rounds};
use crate::record::patch::{Gone, Outcome, Patch};
use crate::record::{Principal, Record, TOMBSTONE};
use crate::store::{Lookup, Revoke, SessionStore, Touch};

fn customer() -> Principal {
    Principal::new("customer", "42")
}

fn admin() -> Principal {
    Principal::new("admin", "42")
}

async fn retired<S: SessionStore>(fixture: &Fixture<S>, record: &Record) -> bool {
    matches!(fixture.look(record).await, Lookup::Ended(_))
}

/// Revoking one session ends it only if it belongs to that principal: not one of another principal
/// or of none, whatever id is passed.
///
/// The id comes from a form; without the check it could end any user's session.
pub async fn revoke_one_ends_only_a_session_of_that_principal<S: SessionStore>(
    fixture: Fixture<S>,
) {
    let mine = fixture.insert(fixture.of(&customer())).await;
    let other = fixture.insert(fixture.of(&customer())).await;
    let theirs = fixture.insert(fixture.of(&admin())).await;
    let nobodys = fixture.insert(fixture.record()).await;
    let unknown = fixture.record();
    for foreign in [&theirs, &nobodys, &unknown] {
        let revoked = fixture.revoke(&customer(), Revoke::One(foreign.id)).await;
        assert_eq!(revoked, 0, "revoking a session that is not theirs");
    }
    assert_eq!(fixture.revoke(&customer(), Revoke::One(mine.id)).await, 1, "revoking theirs");
    assert_eq!(fixture.revoke(&customer(), Revoke::One(mine.id)).await, 0, "revoking it again");
    assert!(retired(&fixture, &mine).await, "a revoked session is retired");
    for alive in [&other, &theirs, &nobodys] {
        assert_eq!(*fixture.found(alive).await, *alive, "a session that was not revoked");
    }
    let mut moved = Patch::new();
    moved.meta.principal = Some(Some(admin()));
    fixture.applied(other.id, &moved).await;
    let revoked = fixture.revoke(&customer(), Revoke::One(other.id)).await;
    assert_eq!(revoked, 0, "revoking a session that was theirs");
}

/// Revoking all others spares exactly the current session; if that one does not belong to the
/// principal, all of the principal's sessions end.
pub async fn revoke_others_spares_only_the_kept_session<S: SessionStore>(fixture: Fixture<S>) {
    let mut mine = Vec::new();
    for _ in 0..4 {
        mine.push(fixture.insert(fixture.of(&customer())).await);
    }
    let theirs = fixture.insert(fixture.of(&admin())).await;
    let revoked = fixture.revoke(&customer(), Revoke::Others(mine[2].id)).await;
    assert_eq!(revoked, 3, "revoking all but one of four");
    for (index, record) in mine.iter().enumerate() {
        assert_eq!(retired(&fixture, record).await, index != 2, "session {index}, 2 was kept");
    }
    assert_eq!(fixture.listed(&customer()).await, [mine[2].id], "what is left of four");
    fixture.found(&theirs).await;
    let revoked = fixture.revoke(&customer(), Revoke::Others(theirs.id)).await;
    assert_eq!(revoked, 1, "keeping a session that is not theirs spares none of theirs");
    fixture.found(&theirs).await;
}

/// Revoking all ends every session of the principal, in whatever state of renewal, and no others.
pub async fn revoke_all_ends_every_session_of_the_principal<S: SessionStore>(fixture: Fixture<S>) {
    let mut mine = Vec::new();
    for _ in 0..40 {
        mine.push(fixture.insert(fixture.of(&customer())).await);
    }
    let (renew, secret) = renewal(mine[0].id);
    fixture.applied(mine[0].id, &renew).await;
    mine[0].meta.secret = secret;
    let theirs = fixture.insert(fixture.of(&admin())).await;
    let nobodys = fixture.insert(fixture.record()).await;
    assert_eq!(fixture.revoke(&customer(), Revoke::All).await, 40, "revoking all of 40");
    for record in &mine {
        assert!(retired(&fixture, record).await, "a session survived `Revoke::All`");
    }
    assert_eq!(fixture.listed(&customer()).await, [], "the listing after `Revoke::All`");
    assert_eq!(fixture.revoke(&customer(), Revoke::All).await, 0, "revoking all of none");
    fixture.found(&theirs).await;
    fixture.found(&nobodys).await;
    fixture.assert_count(2, "the sessions of others").await;
}

/// Revoking also destroys sessions that have just expired, though it does not count them.
///
/// Within their leeway, a sign-in in flight could revive one of them after "sign out everywhere"
/// was acknowledged.
pub async fn revoking_ends_sessions_within_the_leeway<S: SessionStore>(fixture: Fixture<S>) {
    for which in [Revoke::All, Revoke::Others(fixture.record().id)] {
        let record = fixture.insert(fixture.of(&customer())).await;
        fixture.clock.advance(IDLE);
        assert_eq!(fixture.revoke(&customer(), which).await, 0, "revoking an expired session");
        let (mut sign_in, secret) = renewal(record.id);
        sign_in.meta.lifetime = Some(LIFETIME);
        let outcome = fixture.apply(record.id, 1, &sign_in).await;
        let gone = matches!(outcome, Outcome::Gone(Gone::Absent));
        assert!(gone, "a sign-in to a session revoked ({which:?}) after its expiry: {outcome:?}");
        let seen = fixture.load(record.id, &secret, Touch::Never).await;
        assert!(!matches!(seen, Lookup::Found(_)), "a revoked session is back: {seen:?}");
    }
}

/// A revoked session is destroyed like any other: its secret is `Ended` for a minute, patches are
/// `Gone::Absent`, reloads find nothing.
pub async fn a_revoked_session_is_remembered_for_a_minute<S: SessionStore>(fixture: Fixture<S>) {
    for which in [Revoke::One, Revoke::Others, |_| Revoke::All] {
        let record = fixture.insert(fixture.of(&customer())).await;
        let kept = fixture.record().id;
        let which = match which(record.id) {
            Revoke::Others(_) => Revoke::Others(kept),
            which => which,
        };
        assert_eq!(fixture.revoke(&customer(), which).await, 1, "{which:?}");
        let outcome = fixture.apply(record.id, 1, &Patch::new()).await;
        let gone = matches!(outcome, Outcome::Gone(Gone::Absent));
        assert!(gone, "a patch after {which:?}: {outcome:?}");
        assert_eq!(fixture.reload(record.id, 1).await, None, "a reload after {which:?}");
        assert!(!fixture.delete(record.id).await, "a delete after {which:?} ended a session");
        fixture.clock.advance(TOMBSTONE - MS);
        assert!(retired(&fixture, &record).await, "within a minute of {which:?}");
        fixture.clock.advance(MS);
        let seen = fixture.look(&record).await;
        assert!(matches!(seen, Lookup::Absent), "a minute after {which:?}: {seen:?}");
    }
}

/// A session that signs in while its principal's sessions are revoked is either destroyed, or live
/// and listed, so that the next revocation ends it.
///
/// If it were live but in no index, it could never be signed out.
pub async fn a_session_that_signs_in_during_a_revocation_is_ended_or_listed<S: SessionStore>(
    fixture: Fixture<S>,
) {
    rounds(1_000, async |_| {
        let mut record = fixture.insert(fixture.record()).await;
        let (mut sign_in, secret) = renewal(record.id);
        sign_in.meta.principal = Some(Some(customer()));
        let (writer, revoker, id) = (fixture.clone(), fixture.clone(), record.id);
        let (outcome, revoked) =
            both(async move { writer.apply(id, 1, &sign_in).await }, async move {
                revoker.revoke(&customer(), Revoke::All).await
            })
            .await;
        let applied = matches!(outcome, Outcome::Applied(_));
        assert!(applied, "nobody ended the session before it signed in: {outcome:?}");
        record.meta.secret = secret;
        let live = matches!(fixture.look(&record).await, Lookup::Found(_));
        let listed = fixture.listed(&customer()).await == [record.id];
        let seen = (live, listed, revoked);
        let consistent = [(false, false, 1), (true, true, 0)].contains(&seen);
        assert!(consistent, "(live, listed, number revoked) is {seen:?}");
        fixture.revoke(&customer(), Revoke::All).await;
        let live = matches!(fixture.look(&record).await, Lookup::Found(_));
        assert!(!live, "a session survived the revocation after its sign-in");
    })
    .await;
}

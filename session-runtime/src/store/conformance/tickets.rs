//! Logins that began before all sessions of their principal were revoked.

use super::fixture::{Fixture, MS, SLACK, renewal, set};
use super::running::{both, rounds};
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::patch::{Denied, Outcome, Patch, SignIn};
use crate::record::{Principal, TICKET_LIFETIME};
use crate::store::{Created, Lookup, Revoke, SessionStore};

fn customer() -> Principal {
    Principal::new("customer", "42")
}

/// Returns the condition of a login that began at `at`.
fn begun(at: Timestamp) -> SignIn {
    SignIn { cap: None, not_revoked_since: Some(at) }
}

fn signing_in(id: SessionId, sign_in: SignIn) -> Patch {
    let (mut patch, _) = renewal(id);
    patch.meta.principal = Some(Some(customer()));
    patch.meta.sign_in = sign_in;
    patch.ops.push(set("n", "1"));
    patch
}

/// Whether a login that began at `at` succeeds, as a new record and as a patch, which must agree.
/// Checks that a refused one leaves no trace.
async fn admits<S: SessionStore>(fixture: &Fixture<S>, at: Timestamp) -> bool {
    let record = fixture.of(&customer());
    let visitor = fixture.insert(fixture.record()).await;
    let created = fixture.sign_in(record.clone(), begun(at)).await;
    let outcome = fixture.apply(visitor.id, 1, &signing_in(visitor.id, begun(at))).await;
    match (&created, &outcome) {
        (Created::Created { .. }, Outcome::Applied(_)) => {
            fixture.delete(record.id).await;
            fixture.delete(visitor.id).await;
            true
        }
        (Created::Denied(Denied::Revoked), Outcome::Denied(Denied::Revoked)) => {
            let seen = fixture.look(&record).await;
            assert!(matches!(seen, Lookup::Absent), "a denied record was stored: {seen:?}");
            assert_eq!(*fixture.found(&visitor).await, visitor, "a denied patch left a trace");
            fixture.delete(visitor.id).await;
            false
        }
        other => panic!("a new record and a patch of one login: {other:?}"),
    }
}

/// After all sessions of a principal were revoked, a login of that principal that began before is
/// `Denied::Revoked` and leaves no trace, even if there was no session to end. A login that began
/// later succeeds, and so do those of other principals.
///
/// Users press "sign out everywhere" because an attacker is signing in.
pub async fn revoking_all_stops_a_login_that_began_before<S: SessionStore>(fixture: Fixture<S>) {
    let before = fixture.now();
    assert!(admits(&fixture, before).await, "a login before any revocation");
    fixture.clock.advance(MS);
    assert_eq!(fixture.revoke(&customer(), Revoke::All).await, 0, "revoking all of none");
    fixture.clock.advance(MS);
    assert!(!admits(&fixture, before).await, "a login that began before the revocation");
    assert!(admits(&fixture, fixture.now()).await, "a login that began after the revocation");
    let admin = fixture.of(&Principal::new("admin", "42"));
    let created = fixture.sign_in(admin, begun(before)).await;
    assert_eq!(created, Created::ALONE, "a login of somebody else");
    let nobody = fixture.sign_in(fixture.record(), begun(before)).await;
    assert_eq!(nobody, Created::ALONE, "a record of nobody");
    let plain = fixture.insert(fixture.of(&customer())).await;
    let mut stays = Patch::new();
    stays.meta.sign_in = begun(before);
    let outcome = fixture.apply(plain.id, 1, &stays).await;
    let denied = matches!(outcome, Outcome::Denied(Denied::Revoked));
    assert!(denied, "a patch that leaves the principal as it is: {outcome:?}");
}

/// A login that began in the same millisecond as the revocation counts as earlier: the order is
/// unknown, and signing in again is cheap.
pub async fn a_login_of_the_same_millisecond_began_before<S: SessionStore>(fixture: Fixture<S>) {
    fixture.insert(fixture.of(&customer())).await;
    let now = fixture.now();
    assert_eq!(fixture.revoke(&customer(), Revoke::All).await, 1, "revoking all of one");
    assert!(!admits(&fixture, now).await, "a login of the same millisecond");
    assert!(admits(&fixture, now.after(MS)).await, "a login of the next millisecond");
    // A second revocation counts like the first, and for just as long.
    fixture.clock.advance(MS * 2);
    fixture.revoke(&customer(), Revoke::All).await;
    assert!(!admits(&fixture, now.after(MS)).await, "a login before the second revocation");
}

/// Revoking one session, or all others, stops no login in progress: the session owner stays signed
/// in.
pub async fn revoking_one_or_others_stops_no_login<S: SessionStore>(fixture: Fixture<S>) {
    let before = fixture.now();
    let kept = fixture.insert(fixture.of(&customer())).await;
    let one = fixture.insert(fixture.of(&customer())).await;
    fixture.insert(fixture.of(&customer())).await;
    fixture.clock.advance(MS);
    assert_eq!(fixture.revoke(&customer(), Revoke::One(one.id)).await, 1, "revoking one");
    assert_eq!(fixture.revoke(&customer(), Revoke::Others(kept.id)).await, 1, "revoking others");
    assert!(admits(&fixture, before).await, "a login, after one and others were revoked");
}

/// A revocation is remembered for [`TICKET_LIFETIME`], through sweeps, and swept afterwards: by
/// then no login that began before it is valid any more.
pub async fn a_revocation_is_forgotten_when_every_ticket_has_ended<S: SessionStore>(
    fixture: Fixture<S>,
) {
    let before = fixture.now();
    fixture.revoke(&customer(), Revoke::All).await;
    fixture.clock.advance(TICKET_LIFETIME - MS);
    fixture.sweep_all(10).await;
    assert!(!admits(&fixture, before).await, "within the life of a ticket");
    fixture.clock.advance(SLACK);
    fixture.sweep_all(10).await;
    assert!(admits(&fixture, before).await, "after the end of every ticket");
}

/// A login that races with revoking all either comes before it, and is ended by it, or is denied:
/// afterwards no session is signed in.
pub async fn no_login_survives_a_revocation_that_it_races_with<S: SessionStore>(
    fixture: Fixture<S>,
) {
    rounds(1_000, async |round| {
        let (began, visitor) = (fixture.now(), fixture.insert(fixture.record()).await);
        let record = fixture.of(&customer());
        let (writer, revoker, new) = (fixture.clone(), fixture.clone(), record.clone());
        let patch = signing_in(visitor.id, begun(began));
        let (admitted, revoked) = both(
            async move {
                let outcome = writer.apply(visitor.id, 1, &patch).await;
                let created = writer.sign_in(new, begun(began)).await;
                let applied = u64::from(matches!(outcome, Outcome::Applied(_)));
                applied + u64::from(created == Created::ALONE)
            },
            async move {
                for _ in 0..round % 4 {
                    tokio::task::yield_now().await;
                }
                revoker.revoke(&customer(), Revoke::All).await
            },
        )
        .await;
        let left = fixture.listed(&customer()).await;
        assert_eq!(left, [], "round {round}: a login survived the revocation it raced with");
        assert_eq!(revoked, admitted, "round {round}: those that came before were ended");
        fixture.delete(visitor.id).await;
        fixture.clock.advance(MS);
    })
    .await;
}

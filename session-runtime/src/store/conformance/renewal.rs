//! Renewal: a new secret for the same record, and the epoch that guards later writes.

use super::fixture::{Fixture, MS, new_secret, renewal, set, text};
use super::running::{rounds, together};
use crate::record::patch::{Gone, Outcome, Patch};
use crate::record::{Principal, RetiredSecrets, TOMBSTONE};
use crate::store::{Lookup, SessionStore, Touch};

/// After a renewal the new secret finds the same record, with its data and the next epoch, and the
/// old secret no longer does.
///
/// With delete and create instead, an error between the two destroys the session; a rename is
/// refused by a cluster.
pub async fn a_renewal_replaces_the_secret_and_raises_the_epoch<S: SessionStore>(
    fixture: Fixture<S>,
) {
    let mut record = fixture.insert(fixture.with(&[("cart", "[1]")])).await;
    let (patch, secret) = renewal(record.id);
    let seen = fixture.load(record.id, &secret, Touch::Never).await;
    assert!(matches!(seen, Lookup::Absent), "a secret before its renewal: {seen:?}");
    let applied = fixture.applied(record.id, &patch).await;
    assert_eq!((applied.rev, applied.epoch), (2, 2), "revision and epoch of a renewal");
    let old = fixture.look(&record).await;
    assert!(!matches!(old, Lookup::Found(_)), "the old secret still opens the record");
    record.meta.secret = secret;
    let found = fixture.found(&record).await;
    assert_eq!((found.meta.rev, found.meta.epoch), (2, 2), "stored revision and epoch");
    assert_eq!(found.fields, record.fields, "fields after a renewal");
    fixture.assert_count(1, "a renewal made another session").await;
    assert_eq!(fixture.reload(record.id, 1).await, None, "a reload under the old epoch");
    assert!(fixture.reload(record.id, 2).await.is_some(), "a reload under the new epoch");
}

/// A patch that raises the epoch and nothing else of the kind: the secret still opens the record,
/// whose next load renews it, and writes of the earlier epoch are refused. A repetition of the patch
/// gets the same epoch.
///
/// A job that changes privileges has no client to send a new secret to.
pub async fn an_epoch_is_raised_without_a_new_secret<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.with(&[("role", "1")])).await;
    fixture.clock.advance(MS);
    let mut patch = Patch::of(vec![set("role", "2")]);
    patch.meta.raise = true;
    let applied = fixture.applied(record.id, &patch).await;
    assert_eq!((applied.rev, applied.epoch), (2, 2), "revision and epoch");
    let again = fixture.applied(record.id, &patch).await;
    assert_eq!((again.repeated, again.epoch), (true, 2), "a repetition");
    let found = fixture.look(&record).await;
    let Lookup::Found(found) = found else { panic!("by the same secret: {found:?}") };
    assert_eq!((found.meta.epoch, text(&found, "role")), (2, Some("2")), "what is stored");
    assert!(found.meta.is_overdue(), "the secret is due: since {:?}", found.meta.secret_since);
    let outcome = fixture.apply(record.id, 1, &Patch::of(vec![set("role", "3")])).await;
    let superseded = matches!(outcome, Outcome::Gone(Gone::Superseded));
    assert!(superseded, "a write of the earlier epoch: {outcome:?}");
    let (patch, secret) = renewal(record.id);
    fixture.applied_under(record.id, 2, &patch).await;
    let renewed = fixture.load(record.id, &secret, Touch::Never).await;
    let Lookup::Found(renewed) = renewed else { panic!("by the next secret: {renewed:?}") };
    assert!(!renewed.meta.is_overdue(), "a renewal settles it");
}

/// Secret, epoch, fields, principal and time of a sign-in change in one step, by the store's clock.
pub async fn a_renewal_is_one_step_with_its_data<S: SessionStore>(fixture: Fixture<S>) {
    let mut record = fixture.insert(fixture.with(&[("planted", "1"), ("cart", "[1]")])).await;
    fixture.clock.advance(MS);
    let (mut patch, secret) = renewal(record.id);
    let customer = Principal::new("customer", "42");
    patch.ops = vec![
        crate::record::patch::FieldOp::new("planted", crate::record::patch::Op::Remove),
        set("u", "42"),
    ];
    patch.meta.authenticated = true;
    patch.meta.principal = Some(Some(customer.clone()));
    fixture.applied(record.id, &patch).await;
    record.meta.secret = secret;
    let found = fixture.found(&record).await;
    assert_eq!(text(&found, "planted"), None, "a field that the sign-in cleared");
    assert_eq!(text(&found, "u"), Some("42"), "a field that the sign-in set");
    assert_eq!(text(&found, "cart"), Some("[1]"), "a field that the sign-in does not name");
    assert_eq!(found.meta.authenticated, Some(fixture.now()), "when somebody signed in");
    assert_eq!(found.meta.principal, Some(customer.clone()), "who signed in");
    fixture.assert_listed(&customer, &[record.id], "the sessions of who signed in").await;
}

/// The replaced secret is `Ended` for a minute, to the millisecond, and `Absent` afterwards.
///
/// Otherwise the late response to a request with the old cookie would start a new anonymous session
/// in the browser, and log the user out again.
pub async fn the_old_secret_is_retired_for_a_minute<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.record()).await;
    fixture.clock.advance(MS);
    let (patch, secret) = renewal(record.id);
    fixture.applied(record.id, &patch).await;
    fixture.clock.advance(TOMBSTONE - MS);
    let seen = fixture.load(record.id, &record.meta.secret, Touch::IfDue).await;
    assert!(matches!(seen, Lookup::Ended(_)), "within a minute of the renewal: {seen:?}");
    let other = fixture.load(record.id, &new_secret(record.id), Touch::Never).await;
    assert!(matches!(other, Lookup::Absent), "a secret that never was any: {other:?}");
    fixture.clock.advance(MS);
    let seen = fixture.look(&record).await;
    assert!(matches!(seen, Lookup::Absent), "a minute after the renewal: {seen:?}");
    let new = fixture.load(record.id, &secret, Touch::Never).await;
    assert!(matches!(new, Lookup::Found(_)), "the new secret: {new:?}");
}

/// Each of the last [`RetiredSecrets::LEN`] replaced secrets is retired, for its own minute,
/// through patches and touches.
///
/// Signing in, confirming by a second factor and gaining a role are three renewals in one minute,
/// while the first page's images are still loading.
pub async fn several_old_secrets_are_retired<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.record()).await;
    let mut secrets = vec![record.meta.secret];
    for epoch in 1..=RetiredSecrets::LEN as u64 {
        let (patch, secret) = renewal(record.id);
        fixture.applied_under(record.id, epoch, &patch).await;
        fixture.applied_under(record.id, epoch + 1, &Patch::of(vec![set("n", "1")])).await;
        secrets.push(secret);
        fixture.clock.advance(MS);
    }
    let check = async |expected: &str| {
        let mut seen = String::new();
        for secret in &secrets {
            seen.push(match fixture.load(record.id, secret, Touch::IfDue).await {
                Lookup::Found(_) | Lookup::Cached(_) => 'F',
                Lookup::Ended(_) => 'R',
                Lookup::Absent | Lookup::Expired(_) | Lookup::Replayed(_) => 'A',
            });
        }
        assert_eq!(seen, expected, "found, retired, absent: the secrets from the oldest on");
    };
    check("RRRRRRF").await;
    fixture.clock.advance(TOMBSTONE - MS * RetiredSecrets::LEN as u32);
    check("ARRRRRF").await;
    fixture.clock.advance(MS);
    check("AARRRRF").await;
}

/// A patch under an older epoch, or one that never existed, is `Superseded` and leaves no trace,
/// whatever it contains.
///
/// A socket that was opened before a sign-in must not write into the session afterwards, let alone
/// sign in another principal.
pub async fn writes_of_an_older_epoch_are_superseded<S: SessionStore>(fixture: Fixture<S>) {
    let mut record = fixture.insert(fixture.with(&[("n", "1")])).await;
    let (renew, secret) = renewal(record.id);
    fixture.applied(record.id, &renew).await;
    record.meta.secret = secret;
    let before = fixture.found(&record).await;
    let mut sign_in = renewal(record.id).0;
    let attacker = Principal::new("customer", "666");
    sign_in.meta.principal = Some(Some(attacker.clone()));
    let mut longer = Patch::new();
    longer.meta.lifetime =
        Some(crate::record::patch::Lifetime { remember: true, ..super::fixture::LIFETIME });
    fixture.clock.advance(MS);
    for epoch in [0, 1, 3, u64::MAX] {
        for patch in [&Patch::of(vec![set("n", "2")]), &sign_in, &longer, &Patch::new()] {
            let outcome = fixture.apply(record.id, epoch, patch).await;
            let superseded = matches!(outcome, Outcome::Gone(Gone::Superseded));
            assert!(superseded, "{patch:?} under epoch {epoch} where 2 is current: {outcome:?}");
        }
    }
    assert_eq!(fixture.found(&record).await, before, "a superseded patch left a trace");
    fixture.assert_listed(&attacker, &[], "a superseded patch left a listing").await;
}

/// Of many renewals that race under one epoch, exactly one is applied, and only its secret opens
/// the record; the others are `Superseded`.
///
/// If two succeed, two browsers get a cookie, and only one of them works.
pub async fn of_many_renewals_of_one_epoch_one_succeeds<S: SessionStore>(fixture: Fixture<S>) {
    rounds(200, async |_| {
        let record = fixture.insert(fixture.record()).await;
        let answers = together(8, |task| {
            let (fixture, id) = (fixture.clone(), record.id);
            async move {
                let (mut patch, secret) = renewal(id);
                patch.ops.push(set("winner", &task.to_string()));
                (fixture.apply(id, 1, &patch).await, secret)
            }
        })
        .await;
        let mut winners = 0;
        for (task, (outcome, secret)) in answers.iter().enumerate() {
            let seen = fixture.load(record.id, secret, Touch::Never).await;
            match (outcome, &seen) {
                (Outcome::Applied(applied), Lookup::Found(found)) => {
                    winners += 1;
                    assert_eq!((applied.epoch, found.meta.epoch), (2, 2), "the winner's epoch");
                    let winner = text(found, "winner").map(str::to_owned);
                    assert_eq!(winner, Some(task.to_string()), "the fields of another renewal");
                }
                (Outcome::Gone(Gone::Superseded), Lookup::Absent) => {}
                other => panic!("a renewal's answer and what its secret then sees: {other:?}"),
            }
        }
        assert_eq!(winners, 1, "this many of 8 renewals of one epoch succeeded");
        let old = fixture.look(&record).await;
        assert!(matches!(old, Lookup::Ended(_)), "the secret that all of them replaced: {old:?}");
    })
    .await;
}

//! The schema version under which the fields of each namespace were written.

use super::fixture::{Fixture, MS, renewal, set};
use super::needs::Need;
use crate::record::patch::{Expect, Outcome, Patch};
use crate::record::{Principal, Versions};
use crate::store::SessionStore;

fn versions(all: &[(&str, u32)]) -> Versions {
    all.iter().copied().collect()
}

/// The versions of a record are stored with it and changed by patches only, each namespace
/// separately, whether or not a patch writes fields.
///
/// A store that forgets them migrates a session twice.
pub async fn the_versions_of_a_record_are_kept<S: SessionStore>(fixture: Fixture<S>) {
    let customer = Principal::new("customer", "42");
    let mut record = fixture.of(&customer);
    record.meta.versions = versions(&[("", 3), ("admin", 2), ("it's \"ü\"", u32::MAX)]);
    let mut record = fixture.insert(record).await;
    assert_eq!(fixture.found(&record).await.meta.versions, record.meta.versions, "as created");
    fixture.applied(record.id, &Patch::of(vec![set("n", "1")])).await;
    let (mut patch, secret) = renewal(record.id);
    patch.meta.versions = vec![("".into(), 4), ("shop".into(), 7)];
    fixture.applied(record.id, &patch).await;
    record.meta.secret = secret;
    fixture.clock.advance(MS);
    let mut touch = Patch::of(vec![set("n", "2")]);
    touch.meta.authenticated = true;
    fixture.applied_under(record.id, 2, &touch).await;
    let expected = versions(&[("", 4), ("admin", 2), ("it's \"ü\"", u32::MAX), ("shop", 7)]);
    assert_eq!(fixture.found(&record).await.meta.versions, expected, "as loaded");
    let reloaded = fixture.reload(record.id, 2).await.map(|record| record.meta.versions.clone());
    assert_eq!(reloaded, Some(expected.clone()), "as reloaded");
    if fixture.promises(Need::principal_index) {
        let listed = fixture.list(&customer).await;
        let listed: Vec<_> = listed.iter().map(|record| &record.meta.versions).collect();
        assert_eq!(listed, [&expected], "as listed");
    }
}

/// A patch that expects a version is applied only if the namespace has it (1 if none was ever
/// written); otherwise the answer is a conflict without a field, with the stored record.
///
/// Two nodes that migrate one session at the same time must not do it twice.
pub async fn an_expected_version_must_hold<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.with(&[("n", "1")])).await;
    let migrating = |namespace: &'static str, from| {
        let mut patch = Patch::of(vec![set("n", "2")]);
        patch.expect.push(Expect::Version { namespace: namespace.into(), version: from });
        patch.meta.versions = vec![(namespace.into(), 2)];
        patch
    };
    for wrong in [migrating("", 2), migrating("admin", 0), migrating("", u32::MAX)] {
        let outcome = fixture.apply(record.id, 1, &wrong).await;
        let Outcome::Conflict(conflict) = outcome else {
            panic!("{:?} where 1 is stored: {outcome:?}", wrong.expect)
        };
        assert_eq!(conflict.field, None, "the field of a conflict of versions");
        assert_eq!(*conflict.current, record, "the record in a conflict of versions");
    }
    assert_eq!(*fixture.found(&record).await, record, "a conflict of versions left a trace");
    fixture.applied(record.id, &migrating("", 1)).await;
    let outcome = fixture.apply(record.id, 1, &migrating("", 1)).await;
    assert!(matches!(outcome, Outcome::Conflict(_)), "migrating a second time: {outcome:?}");
    fixture.applied(record.id, &migrating("admin", 1)).await;
    let found = fixture.found(&record).await;
    assert_eq!(found.meta.versions, versions(&[("", 2), ("admin", 2)]), "both namespaces");
}

//! What a session belongs to: its realm, and its last principal.

use super::fixture::{Fixture, LIFETIME, renewal, set};
use super::needs::Need;
use crate::realm::Realm;
use crate::record::patch::Patch;
use crate::record::{Principal, PrincipalHash, Record};
use crate::store::SessionStore;

/// Returns all records with this id that a walk finds.
async fn walked<S: SessionStore>(fixture: &Fixture<S>, record: &Record) -> Vec<Record> {
    let (mut found, mut from) = (Vec::new(), None);
    loop {
        let (page, next) = fixture.scan(from.as_ref(), 100).await;
        found.extend(page.into_iter().filter(|it| it.id == record.id));
        match next {
            None => return found,
            next => from = next,
        }
    }
}

/// Every operation returns the realm of a record, and no patch changes it.
///
/// A session whose realm is lost belongs to another layer: to customers instead of administrators,
/// for example.
pub async fn the_realm_of_a_session_is_kept<S: SessionStore>(fixture: Fixture<S>) {
    let customer = Principal::new("customer", "42");
    let longest = "x".repeat(Realm::LONGEST);
    for name in ["session", "admin", "~!\"'\\{}", &longest] {
        let Ok(realm) = Realm::new(name) else { panic!("{name} is a realm") };
        let mut record = fixture.of(&customer);
        record.meta.realm = realm.clone();
        let mut record = fixture.insert(record).await;
        assert_eq!(fixture.found(&record).await.meta.realm, realm, "as it was created");
        fixture.applied(record.id, &Patch::of(vec![set("n", "1")])).await;
        let (mut patch, secret) = renewal(record.id);
        patch.meta.authenticated = true;
        patch.meta.lifetime = Some(LIFETIME);
        fixture.applied(record.id, &patch).await;
        record.meta.secret = secret;
        assert_eq!(fixture.found(&record).await.meta.realm, realm, "after patches");
        let reloaded = fixture.reload(record.id, 2).await;
        assert_eq!(reloaded.map(|it| it.meta.realm.clone()), Some(realm.clone()), "reloaded");
        if fixture.promises(Need::principal_index) {
            let listed = fixture.list(&customer).await;
            let listed = listed.iter().find(|it| it.id == record.id);
            assert_eq!(listed.map(|it| it.meta.realm.clone()), Some(realm.clone()), "listed");
        }
        if fixture.promises(Need::scan) {
            let walked = walked(&fixture, &record).await;
            assert!(walked.iter().all(|it| it.meta.realm == realm), "{walked:?}");
        }
    }
}

/// The last principal is remembered, by a hash, from the sign-out until the next sign-in: by every
/// operation, whatever else is written, and even if the sign-out is repeated. A record that is
/// created with such a hash keeps it.
///
/// The layer can then tell whether the next user of a browser is the same, or another one, who must
/// not see the data of the first.
pub async fn the_last_principal_is_remembered<S: SessionStore>(fixture: Fixture<S>) {
    let (customer, other) = (Principal::new("customer", "\"Zoë\""), Principal::new("", "7"));
    let record = fixture.insert(fixture.of(&customer)).await;
    assert_eq!(fixture.found(&record).await.meta.last_principal, None, "of one who is signed in");
    let sets = |principal: Option<&Principal>| {
        let mut patch = Patch::new();
        patch.meta.principal = Some(principal.cloned());
        patch
    };
    let is = async |record: &Record, expected: Option<PrincipalHash>, what: &str| {
        let last = |record: &Record| record.meta.last_principal.as_deref().copied();
        assert_eq!(last(&*fixture.found(record).await), expected, "{what}: loaded");
        let reloaded = fixture.reload(record.id, 1).await;
        assert_eq!(reloaded.and_then(|it| last(&it)), expected, "{what}: reloaded");
        if fixture.promises(Need::scan) {
            let walked = walked(&fixture, record).await;
            assert!(!walked.is_empty() && walked.iter().all(|it| last(it) == expected), "{what}");
        }
    };
    fixture.applied(record.id, &sets(None)).await;
    is(&record, Some(customer.hash()), "signed out").await;
    fixture.applied(record.id, &Patch::of(vec![set("n", "1")])).await;
    let mut restart = Patch::new();
    restart.meta.lifetime = Some(LIFETIME);
    fixture.applied(record.id, &restart).await;
    is(&record, Some(customer.hash()), "signed out, and used").await;
    fixture.applied(record.id, &sets(None)).await;
    is(&record, Some(customer.hash()), "signed out again").await;
    fixture.applied(record.id, &sets(Some(&other))).await;
    is(&record, None, "signed in").await;
    if fixture.promises(Need::principal_index) {
        for listed in fixture.list(&other).await {
            assert_eq!(listed.meta.last_principal, None, "a listing shows {listed:?}");
        }
    }
    fixture.applied(record.id, &sets(Some(&customer))).await;
    fixture.applied(record.id, &sets(None)).await;
    is(&record, Some(customer.hash()), "another user, and signed out").await;

    let mut record = fixture.record();
    record.meta.last_principal = Some(std::sync::Arc::new(other.hash()));
    let record = fixture.insert(record).await;
    is(&record, Some(other.hash()), "created so").await;
}

//! Several hashes of one secret: a layer may accept tokens of several realms.

use super::fixture::{Fixture, MS, new_secret, renewal};
use super::needs::Need;
use crate::id::SessionId;
use crate::record::patch::Patch;
use crate::record::{ROTATION_GRACE, Rotate, Rotation};
use crate::store::{Lookup, SessionStore};
use crate::token::{RotationNonce, SecretHash};

/// A load with several hashes finds the record if any one of them is its own; with none, or only
/// wrong ones, it finds nothing. The same holds for the tombstone of a destroyed record.
pub async fn any_of_several_secrets_opens_a_session<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.record()).await;
    let id = record.id;
    let among = |place: usize| {
        let mut several: Vec<_> = (0..4).map(|_| new_secret(id)).collect();
        several[place] = record.meta.secret;
        several
    };
    for place in 0..4 {
        let seen = fixture.load_by(id, &among(place)).await;
        let Lookup::Found(found) = seen else { panic!("the right secret at {place}: {seen:?}") };
        assert_eq!(*found, record, "what one of several secrets opens");
    }
    for wrong in [Vec::new(), vec![new_secret(id)], vec![new_secret(id), new_secret(id)]] {
        let seen = fixture.load_by(id, &wrong).await;
        assert!(matches!(seen, Lookup::Absent), "{} wrong secrets: {seen:?}", wrong.len());
    }
    if fixture.promises(Need::revocation) {
        fixture.delete(id).await;
        for place in 0..4 {
            let seen = fixture.load_by(id, &among(place)).await;
            assert!(matches!(seen, Lookup::Ended(_)), "destroyed, secret at {place}: {seen:?}");
        }
        let seen = fixture.load_by(id, &[new_secret(id), new_secret(id)]).await;
        assert!(matches!(seen, Lookup::Absent), "destroyed, wrong secrets: {seen:?}");
        let seen = fixture.load_by(id, &[]).await;
        assert!(matches!(seen, Lookup::Absent), "destroyed, no secret: {seen:?}");
    }
}

fn rotating(id: SessionId, from: SecretHash) -> (Patch, SecretHash) {
    let next = new_secret(id);
    let rotation = Rotation { nonce: RotationNonce([7; 16]), next };
    let mut patch = Patch::new();
    patch.meta.rotate = Some(Box::new(Rotate { from, rotation }));
    (patch, next)
}

/// If the record knows several of the secrets, the newest counts, in whatever order they are
/// passed: the pending one before the current one, that before the previous one, and all of these
/// before one that a change of privilege replaced.
///
/// Otherwise a session that opens is reported as stolen, or as ended.
pub async fn of_several_secrets_the_newest_counts<S: SessionStore>(fixture: Fixture<S>) {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let record = fixture.insert(fixture.record()).await;
        let (id, first) = (record.id, record.meta.secret);
        let (patch, second) = rotating(id, first);
        fixture.applied(id, &patch).await;
        let seen = fixture.load_by(id, &[first, second]).await;
        let Lookup::Found(found) = seen else { panic!("present and pending: {seen:?}") };
        assert_eq!(found.meta.secret, second, "the pending secret, beside the present one");
        fixture.clock.advance(MS);
        let (patch, third) = rotating(id, second);
        fixture.applied(id, &patch).await;
        let all = [first, second, third];
        let seen = fixture.load_by(id, &order.map(|place| all[place])).await;
        let Lookup::Found(found) = seen else { panic!("{order:?}: {seen:?}") };
        assert_eq!(found.meta.secret, third, "{order:?}: the present secret");
        let previous = found.meta.renewal.previous().map(|old| old.secret);
        assert_eq!(previous, Some(second), "{order:?}: the secret before");
        fixture.clock.advance(ROTATION_GRACE);
        for several in [[second, third], [third, second]] {
            let seen = fixture.load_by(id, &several).await;
            assert!(matches!(seen, Lookup::Found(_)), "present, and replayed: {seen:?}");
        }
        let seen = fixture.load_by(id, &[first, second]).await;
        assert!(matches!(seen, Lookup::Replayed(_)), "replayed, and unknown: {seen:?}");
        let (patch, fourth) = renewal(id);
        fixture.applied(id, &patch).await;
        for several in [[third, fourth], [fourth, third]] {
            let seen = fixture.load_by(id, &several).await;
            assert!(matches!(seen, Lookup::Found(_)), "present, and replaced: {seen:?}");
        }
    }
}

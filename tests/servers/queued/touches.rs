//! Loads that write: activity, and the secret that becomes the present one.

use session_runtime::Realm;
use std::time::Duration;

use session_runtime::__private::patch::Patch;
use session_runtime::__private::record::{Rotate, Rotation};
use session_runtime::__private::token::{RotationNonce, SecretHash, SessionToken};
use session_runtime::clock::Clock;
use session_runtime::store::{
    SessionStore,
    contract::{EndReason, Lookup},
};

use super::{IDLE, Rows, apply, idle, in_turn, load, look, renewal, visited};

fn frozen() -> Clock {
    Clock::frozen(Clock::system().now())
}

/// Two clocks that say the same, and go on apart.
fn two() -> [Clock; 2] {
    let now = Clock::system().now();
    [Clock::frozen(now), Clock::frozen(now)]
}

pub(crate) async fn a_touch_after_a_later_one_takes_nothing_back(rows: &impl Rows) {
    let [clock, ahead] = two();
    let (behind, ahead) = (rows.open(clock).await, rows.open(ahead).await);
    let (id, secret) = visited(&behind).await;
    ahead.clock().advance(IDLE / 2 + Duration::from_secs(60));
    let later = ahead.clock().now();
    let (first, second) =
        in_turn(rows, load(ahead.clone(), id, secret), load(behind.clone(), id, secret)).await;
    assert!(matches!((&first, &second), (Lookup::Found(_), Lookup::Found(_))));
    let Lookup::Found(stored) = look(&behind, id, &secret).await else { panic!("live") };
    assert_eq!(stored.meta.last_seen, later, "the activity that is stored");
    // To the millisecond, whatever the other one wrote.
    ahead.clock().advance(IDLE - Duration::from_millis(1));
    assert!(matches!(look(&ahead, id, &secret).await, Lookup::Found(_)));
}

pub(crate) async fn a_touch_after_a_destroy_revives_nothing(rows: &impl Rows) {
    let store = rows.open(frozen()).await;
    let (id, secret) = visited(&store).await;
    let destroyer = store.clone();
    let destroy = async move { destroyer.delete(id, EndReason::SignedOut).await.unwrap() };
    let (live, seen) = in_turn(rows, destroy, load(store.clone(), id, secret)).await;
    assert!(live);
    // As it was when it looked, or as it is.
    assert!(matches!(seen, Lookup::Found(_) | Lookup::Ended(_)), "{seen:?}");
    let after = look(&store, id, &secret).await;
    assert!(matches!(after, Lookup::Ended(_)), "{after:?}");
    assert_eq!(store.count().await.unwrap(), 0);
    assert!(store.reload(id, 1).await.unwrap().is_none());
}

pub(crate) async fn a_touch_after_a_renewal_brings_no_old_secret_back(rows: &impl Rows) {
    let store = rows.open(frozen()).await;
    let (id, old) = visited(&store).await;
    let (patch, new) = renewal(id);
    in_turn(rows, apply(store.clone(), id, patch), load(store.clone(), id, old)).await;
    let seen = look(&store, id, &old).await;
    assert!(matches!(seen, Lookup::Ended(_)), "the old secret: {seen:?}");
    let Lookup::Found(stored) = look(&store, id, &new).await else { panic!("the new secret") };
    assert_eq!((stored.meta.epoch, stored.meta.rev), (2, 2));
}

pub(crate) async fn a_touch_after_a_shorter_life_does_not_extend_it(rows: &impl Rows) {
    for absolute in [None, Some(IDLE / 10)] {
        let store = rows.open(frozen()).await;
        let (id, secret) = visited(&store).await;
        let mut patch = Patch::new();
        let mut lifetime = idle(if absolute.is_none() { IDLE / 10 } else { IDLE });
        lifetime.absolute = absolute;
        patch.meta.lifetime = Some(lifetime);
        in_turn(rows, apply(store.clone(), id, patch), load(store.clone(), id, secret)).await;
        store.clock().advance(IDLE / 10 - Duration::from_millis(1));
        assert!(matches!(look(&store, id, &secret).await, Lookup::Found(_)), "{absolute:?}");
        store.clock().advance(Duration::from_millis(1));
        let after = look(&store, id, &secret).await;
        assert!(matches!(after, Lookup::Expired(_)), "{absolute:?}: {after:?}");
        assert_eq!(store.count().await.unwrap(), 0);
    }
}

/// A session with a secret that is to follow its present one.
async fn pending(
    store: &(impl SessionStore + Clone),
) -> (session_runtime::SessionId, [SecretHash; 2]) {
    let (id, from) = visited(store).await;
    let next = SessionToken::renew(id).unwrap().secret_hash(&Realm::default());
    let mut patch = Patch::new();
    let rotation = Rotation { nonce: RotationNonce([7; 16]), next };
    patch.meta.rotate = Some(Box::new(Rotate { from, rotation }));
    apply(store.clone(), id, patch).await;
    (id, [from, next])
}

pub(crate) async fn a_secret_that_follows_after_a_destroy_opens_nothing(rows: &impl Rows) {
    let store = rows.open(frozen()).await;
    let (id, secrets) = pending(&store).await;
    let destroyer = store.clone();
    let destroy = async move { destroyer.delete(id, EndReason::SignedOut).await.unwrap() };
    let (_, seen) = in_turn(rows, destroy, load(store.clone(), id, secrets[1])).await;
    assert!(matches!(seen, Lookup::Ended(_)), "{seen:?}");
    for secret in secrets {
        let after = look(&store, id, &secret).await;
        assert!(matches!(after, Lookup::Ended(_)), "{after:?}");
    }
}

pub(crate) async fn a_secret_that_follows_after_a_renewal_replaces_nothing(rows: &impl Rows) {
    let store = rows.open(frozen()).await;
    let (id, secrets) = pending(&store).await;
    let (patch, new) = renewal(id);
    let first = apply(store.clone(), id, patch);
    let (_, seen) = in_turn(rows, first, load(store.clone(), id, secrets[1])).await;
    assert!(matches!(seen, Lookup::Ended(_)), "{seen:?}");
    assert!(matches!(look(&store, id, &new).await, Lookup::Found(_)));
    for secret in secrets {
        let after = look(&store, id, &secret).await;
        assert!(matches!(after, Lookup::Ended(_)), "{after:?}");
    }
}

pub(crate) async fn a_secret_that_follows_is_confirmed_once(rows: &impl Rows) {
    let [clock, ahead] = two();
    let (store, ahead) = (rows.open(clock).await, rows.open(ahead).await);
    let (id, secrets) = pending(&store).await;
    ahead.clock().advance(IDLE / 2 + Duration::from_secs(1));
    let (first, second) =
        in_turn(rows, load(store.clone(), id, secrets[1]), load(ahead.clone(), id, secrets[1]))
            .await;
    assert!(matches!((&first, &second), (Lookup::Found(_), Lookup::Found(_))));
    let Lookup::Found(stored) = look(&store, id, &secrets[1]).await else { panic!("live") };
    assert_eq!(stored.meta.secret_since, store.clock().now(), "when the first one presented it");
    assert_eq!(stored.meta.renewal.previous().unwrap().secret, secrets[0]);
    // The one before is good for its grace: answers on their way have that cookie.
    assert!(matches!(look(&store, id, &secrets[0]).await, Lookup::Found(_)));
}

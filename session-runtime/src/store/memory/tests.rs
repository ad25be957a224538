//! What is particular to memory. The contract is tested by the conformance
//! suite.

use std::time::Duration;

use super::*;
use crate::clock::Timestamp;
use crate::patch::{FieldOp, Lifetime, Op, SignIn};
use crate::record::{Meta, TICKET_LIFETIME};

fn store() -> MemoryStore {
    MemoryStore::with_clock(Clock::frozen(Timestamp::from_millis(1_700_000_000_000)))
}

#[tokio::test]
async fn limits_hold_for_all_clones_and_what_is_larger_already_may_shrink() {
    let store = store();
    let id = SessionId::from_bytes([1; 16]);
    let lifetime = Lifetime { idle: None, absolute: None, remember: false };
    let meta = Meta::new(SecretHash::from_bytes([7; 32]), store.clock().now(), lifetime);
    let fields = [("a", "1".repeat(100))].into_iter().collect();
    store.create(Record::new(id, meta, fields), SignIn::default()).await.unwrap();
    let limits = Limits { field: 20, record: 30 };
    let limited = store.clone().limits(limits);
    assert_eq!((store.capabilities(), limited.0.limits()), (limited.capabilities(), limits));
    let fits = async |bytes| {
        let patch = Patch::of(vec![FieldOp::new("a", Op::Set(vec![b'2'; bytes]))]);
        matches!(store.apply(id, 1, &patch, None).await.unwrap(), Outcome::Applied(_))
    };
    assert!(!fits(101).await);
    assert!(fits(100).await && fits(50).await);
    assert!(!fits(51).await, "smaller than it was, and larger than it is");
}

#[tokio::test]
async fn revocations_do_not_pile_up() {
    let store = store();
    for number in 0..100 {
        let principal = Principal::new("shop", &number.to_string());
        store.revoke(&principal, Revoke::All, None).await.unwrap();
        store.revoke(&principal, Revoke::All, None).await.unwrap();
    }
    store.clock().advance(TICKET_LIFETIME);
    assert!(!store.sweep(1_000).await.unwrap().more);
    assert_eq!(store.0.index.revocations(), (100, 200), "remembered to the end of the last ticket");
    store.clock().advance(Duration::from_millis(1));
    let mut sweeps = 0;
    while store.sweep(1).await.unwrap().more {
        sweeps += 1;
    }
    assert!(sweeps > 5, "a few at a time");
    assert_eq!(store.0.index.revocations(), (0, 0));
}

/// The goal is 400 bytes a session; this is the part of it that grows unseen.
#[test]
fn the_data_of_a_record_stays_small() {
    assert!(size_of::<Meta>() <= 216, "{}", size_of::<Meta>());
    assert!(size_of::<Record>() <= 264, "{}", size_of::<Record>());
}

//! Limits that were lowered between two runs.

use super::*;
use crate::store::limits::Limits;

#[tokio::test]
async fn what_is_larger_than_lowered_limits_may_shrink_or_stay() {
    let directory = Directory::new();
    let (store, clock) = open(&directory).await;
    let large = "1".repeat(100);
    create(&store, record(1, &[("a", &large), ("b", &large)])).await;
    store.close().await.unwrap();
    let limits = Limits { field: 50, record: 120 };
    let store = options(&clock).limits(limits).open(directory.file()).await.unwrap();
    assert_eq!(store.capabilities().limits, Some(limits));
    let fits = async |name, bytes| {
        let patch = Patch::of(vec![set(name, &vec![b'2'; bytes])]);
        match store.apply(id(1), 1, &patch, None).await.unwrap() {
            Outcome::Applied(_) => true,
            Outcome::Refused(_) => false,
            other => panic!("{other:?}"),
        }
    };
    assert!(fits("a", 100).await, "as large as before");
    assert!(!fits("a", 101).await, "a field grows beyond its limit");
    assert!(fits("a", 20).await, "it shrinks, the record is still too large");
    assert!(!fits("a", 21).await, "the record grows beyond its limit");
    assert!(fits("b", 49).await && fits("a", 49).await, "within both");
}

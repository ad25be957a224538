//! Answers that are on their way while something happens.

use session_runtime::testing::{Fault, FaultStore, Gate};

use super::*;

/// A load whose answer is on its way while the session changes.
#[tokio::test]
async fn an_answer_that_was_overtaken_by_a_write_is_not_kept() {
    let faults = FaultStore::default();
    let cache = CachedStore::new(faults.clone());
    let record = stored(&cache, "7").await;
    for write in [false, true] {
        let gate = Gate::new();
        faults.next(Operation::Load, Fault::AnsweredLate(gate.clone()));
        let (late, of) = (cache.clone(), record.clone());
        let loading = tokio::spawn(async move {
            late.load(of.id, &[of.meta.secret], Touch::IfDue.into()).await.map(drop)
        });
        gate.reached().await;
        match write {
            true => change(&cache, &record).await,
            // Read again and found unchanged: that is newer, and kept.
            false => assert!(cache.reload(record.id, 1).await.unwrap().is_some()),
        }
        gate.open();
        loading.await.unwrap().unwrap();
        let kept = (Some(1), true);
        let expected = if write { (Some(2), false) } else { kept };
        assert_eq!(look(&cache, &record).await, expected);
    }
}

/// A write that is under way, or whose caller has given up.
#[tokio::test]
async fn nothing_is_kept_while_a_write_is_under_way() {
    let faults = FaultStore::default();
    let cache = CachedStore::new(faults.clone());
    let record = stored(&cache, "7").await;
    look(&cache, &record).await;
    let gate = Gate::new();
    faults.next(Operation::Apply, Fault::AskedLate(gate.clone()));
    let (writer, of) = (cache.clone(), record.clone());
    let writing = tokio::spawn(async move { change(&writer, &of).await });
    gate.reached().await;
    assert_eq!(look(&cache, &record).await, (Some(1), false));
    assert_eq!(look(&cache, &record).await, (Some(1), false));
    gate.open();
    writing.await.unwrap();
    assert_eq!(look(&cache, &record).await, (Some(2), false));
    assert_eq!(look(&cache, &record).await, (Some(2), true));

    faults.next(Operation::Apply, Fault::NeverAnswers);
    let (writer, of) = (cache.clone(), record.clone());
    let writing = tokio::spawn(async move { change(&writer, &of).await });
    while look(&cache, &record).await.1 {
        tokio::task::yield_now().await;
    }
    writing.abort();
    assert!(writing.await.unwrap_err().is_cancelled());
    assert_eq!(look(&cache, &record).await, (Some(3), false));
    assert_eq!(look(&cache, &record).await, (Some(3), true), "the abandoned one is over");
}

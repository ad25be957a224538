//! Closing the store.

use super::*;
use crate::store::error::StoreErrorKind;

fn files(directory: &Directory) -> Vec<String> {
    let entries = std::fs::read_dir(&directory.0).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn a_closed_store_leaves_one_file_with_all_that_was_begun() {
    let directory = Directory::new();
    let (store, clock) = open(&directory).await;
    create(&store, record(1, &[])).await;
    // Sent before the close, but only awaited after it.
    let patches: Vec<_> = (0..50).map(|_| add()).collect();
    let begun: Vec<_> = patches.iter().map(|patch| store.apply(id(1), 1, patch, None)).collect();
    let mut begun: Vec<_> = begun.into_iter().map(Box::pin).collect();
    for apply in &mut begun {
        let pending = std::future::poll_fn(|context| {
            std::task::Poll::Ready(apply.as_mut().poll(context).is_pending())
        });
        pending.await;
    }
    store.clone().close().await.unwrap();
    assert_eq!(files(&directory), ["sessions.db"]);
    drop(begun);
    let again = options(&clock).open(directory.file()).await.unwrap();
    let found = found(&again, 1, Touch::Never).await.unwrap();
    assert_eq!(found.fields.get("n"), Some(&b"50"[..]));
}

#[tokio::test]
async fn every_call_after_the_close_says_that_the_store_was_closed() {
    let directory = Directory::new();
    let (store, _) = open(&directory).await;
    create(&store, record(1, &[])).await;
    let (one, other) = (store.clone(), store.clone());
    let (one, other) = tokio::join!(one.close(), other.close());
    one.unwrap();
    other.unwrap();
    store.close().await.unwrap();
    let customer = Principal::new("shop", "42");
    let errors = [
        store.load(id(1), &[SECRET], Touch::IfDue.into()).await.unwrap_err(),
        store.reload(id(1), 1).await.unwrap_err(),
        store.create(record(2, &[]).into(), SignIn::default()).await.unwrap_err(),
        store.apply(id(1), 1, &add(), None).await.unwrap_err(),
        store.delete(id(1), EndReason::SignedOut).await.unwrap_err(),
        store.list(&customer, None, 9).await.unwrap_err(),
        store.count().await.unwrap_err(),
        store.sweep(1).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        let source = error.source().unwrap().to_string();
        assert!(source.contains("was closed"), "{source}");
    }
}

#[tokio::test]
async fn closing_one_of_two_stores_on_a_file_leaves_the_other_alone() {
    let directory = Directory::new();
    let (store, clock) = open(&directory).await;
    let other = options(&clock).open(directory.file()).await.unwrap();
    create(&store, record(1, &[])).await;
    store.close().await.unwrap();
    assert_eq!(applied(&other, 1, &add()).await.rev, 2);
    other.close().await.unwrap();
    assert_eq!(files(&directory), ["sessions.db"]);
}

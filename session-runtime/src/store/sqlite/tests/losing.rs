//! The file is deleted or replaced while it is open.

use super::*;
use crate::store::error::StoreErrorKind;

async fn all_calls(store: &SqliteStore) -> Vec<Result<(), StoreError>> {
    vec![
        store.load(id(1), &[SECRET], Touch::Never.into()).await.map(drop),
        store.reload(id(1), 1).await.map(drop),
        store.create(record(2, &[]).into(), SignIn::default()).await.map(drop),
        store.apply(id(1), 1, &add(), None).await.map(drop),
        store.count().await.map(drop),
    ]
}

async fn opened(directory: &Directory) -> SqliteStore {
    let clock = Clock::frozen(START);
    let options = options(&clock).sweep_interval(Duration::from_millis(10));
    let store = options.open(directory.file()).await.unwrap();
    create(&store, record(1, &[])).await;
    store
}

/// Without any write, and for reads too.
async fn lost(store: &SqliteStore, file: &str) {
    eventually(|| store.0.threads.readers.lost().check().is_err()).await;
    for call in all_calls(store).await {
        let error = call.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        let source = error.source().unwrap().to_string();
        assert!(source.contains(file) && source.contains("deleted or replaced"), "{source}");
    }
    let error = store.close().await.unwrap_err();
    let source = error.source().unwrap().to_string();
    assert!(source.contains("closing") && source.contains("deleted or replaced"), "{source}");
}

#[tokio::test]
async fn a_deleted_file_is_an_error_from_every_call_and_from_the_close() {
    let directory = Directory::new();
    let store = opened(&directory).await;
    std::fs::remove_file(directory.file()).unwrap();
    lost(&store, "sessions.db:").await;
}

#[tokio::test]
async fn a_deleted_log_is_the_same() {
    let directory = Directory::new();
    let store = opened(&directory).await;
    std::fs::remove_file(directory.wal()).unwrap();
    lost(&store, "sessions.db-wal:").await;
}

#[tokio::test]
async fn a_moved_directory_is_the_same() {
    let (directory, other) = (Directory::new(), Directory::new());
    let store = opened(&directory).await;
    std::fs::rename(&directory.0, other.0.join("moved")).unwrap();
    lost(&store, "sessions.db:").await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_replaced_file_is_the_same() {
    let (directory, other) = (Directory::new(), Directory::new());
    let store = opened(&directory).await;
    opened(&other).await.close().await.unwrap();
    std::fs::rename(other.file(), directory.file()).unwrap();
    lost(&store, "sessions.db:").await;
}

#[tokio::test]
async fn the_first_write_after_it_is_refused_whatever_the_interval() {
    let directory = Directory::new();
    let (store, _) = open(&directory).await;
    create(&store, record(1, &[])).await;
    std::fs::remove_file(directory.file()).unwrap();
    let error = store.apply(id(1), 1, &add(), None).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
}

#[tokio::test]
async fn a_file_that_is_put_back_serves_again() {
    let directory = Directory::new();
    let store = opened(&directory).await;
    let away = directory.0.join("away");
    std::fs::rename(directory.file(), &away).unwrap();
    store.apply(id(1), 1, &add(), None).await.unwrap_err();
    std::fs::rename(&away, directory.file()).unwrap();
    eventually(|| store.0.threads.readers.lost().check().is_ok()).await;
    assert_eq!(applied(&store, 1, &add()).await.rev, 2);
    store.close().await.unwrap();
}

//! A file that a URL names.

use super::*;
use crate::store::{AnyStore, ConnectError, ConnectOptions};

async fn problem(url: &str) -> String {
    match AnyStore::connect(url).await {
        Err(error @ ConnectError::Malformed(_)) => error.to_string(),
        Err(ConnectError::Store(error)) => error.source().unwrap().to_string(),
        other => panic!("{url}: {other:?}"),
    }
}

#[tokio::test]
async fn what_is_no_path_is_refused_with_its_cure() {
    for (rest, cure) in [
        ("", "write the file's path"),
        ("//", "write the file's path"),
        ("file:f.db", "without `file:`"),
        ("//file:f.db", "without `file:`"),
        ("f.db?mode=rwc", "behind a `?`"),
        ("//f.db?mode=ro&cache=shared", "behind a `?`"),
        ("my%20sessions.db", "without `%20`"),
        (":memory:", "MemoryStore"),
        ("sqlite:f.db", "alone: `f.db`"),
    ] {
        let problem = problem(&format!("sqlite:{rest}")).await;
        assert!(problem.contains(cure), "{rest}: {problem}");
    }
}

#[tokio::test]
async fn a_store_behind_a_url_can_be_closed() {
    let directory = Directory::new();
    let store = AnyStore::connect(&format!("sqlite:{}", directory.file().display())).await.unwrap();
    assert!(directory.wal().exists());
    store.clone().close().await.unwrap();
    assert!(!directory.wal().exists());
    assert!(store.count().await.is_err());
    AnyStore::connect("memory:").await.unwrap().close().await.unwrap();
}

#[tokio::test]
async fn a_prefix_shares_the_file() {
    let directory = Directory::new();
    directory.sql().execute_batch("CREATE TABLE invoice (sum)").unwrap();
    let url = format!("sqlite:{}", directory.file().display());
    assert!(AnyStore::connect(&url).await.is_err());
    let options = ConnectOptions { prefix: Some("web_".into()), limits: None };
    let store = AnyStore::connect_with(&url, &options).await.unwrap();
    let sql = "SELECT count(*) FROM web_session";
    let count: i64 = directory.sql().query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(count, 0);
    store.close().await.unwrap();
}

//! How long calls take where one principal has a hundred thousand sessions.

use std::time::Duration;

use session_runtime::clock::Clock;
use session_runtime::store::cas::CasStore;
use session_runtime::store::{MemoryStore, SqliteStore};
use session_tests::cas::CasMap;
use session_tests::crowd::times;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn in_memory() {
    times(&MemoryStore::new(), String::new).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement of a minute"]
async fn in_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path().join("sessions.db")).await.unwrap();
    times(&store, String::new).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement of a minute"]
async fn in_a_map_that_compares_and_swaps() {
    let store = CasStore::listing(CasMap::new(Clock::system()));
    times(&store.deadline(Duration::from_secs(10)), String::new).await;
}

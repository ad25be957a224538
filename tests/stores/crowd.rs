//! How long calls take where one principal has a hundred thousand sessions.

use session_runtime::store::{MemoryStore, SqliteStore};
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

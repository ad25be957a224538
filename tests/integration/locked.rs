//! A file that somebody else is writing to.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use session_runtime::store::SqliteStore;
use session_runtime::{Session, SessionLayer};
use session_tests::Client;
use session_tests::stores::clock;

use crate::visitor::{Visitor, show};

#[tokio::test]
async fn a_locked_file_fails_no_request_that_only_reads() {
    let (clock, dir) = (clock(), tempfile::tempdir().unwrap());
    let path = dir.path().join("sessions.db");
    let options = SqliteStore::options().clock(clock.clone());
    let store = options.busy_timeout(Duration::from_millis(50)).open(&path).await.unwrap();
    let app = Router::new()
        .route("/start", get(|mut s: Session<Visitor>| async move { s.set_locale("de") }))
        .route("/read", get(|s: Session<Visitor>| async move { show(&s) }))
        .layer(SessionLayer::new(store));
    let mut client = Client::new(&app);
    client.get("/start").await;
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(client.get("/read").await.body, "nobody de 0 []");
    // Activity is to be written from here on, and cannot be.
    clock.advance(Duration::from_secs(5 * 60));
    for _ in 0..3 {
        assert_eq!(client.get("/read").await.body, "nobody de 0 []");
    }
    assert_eq!(client.get("/start").await.status, 200, "nothing to write");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(client.get("/read").await.body, "nobody de 0 []");
}

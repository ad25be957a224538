//! Settings that cannot work are refused where they are made, by name.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use session_runtime::store::{SqliteOptions, SqliteStore, StoreErrorKind};
use session_runtime::{Authenticated, SessionLayer};
use session_tests::Client;
use session_tests::stores::memory;

use crate::visitor::Visitor;

async fn refused_redirect(location: &'static str) {
    let layer = SessionLayer::new(memory().store).login_redirect(location);
    let error = layer.check().unwrap_err().to_string();
    assert!(error.contains("login_redirect"), "{error}");
    let app = Router::new().route("/", get(|_: Authenticated<Visitor>| async {})).layer(layer);
    let reply = Client::new(&app).get("/").await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (500, "session error"));
}

#[tokio::test]
async fn a_login_redirect_that_is_no_header_is_refused_and_panics_in_no_request() {
    refused_redirect("/two\nlines").await;
}

#[tokio::test]
async fn a_login_redirect_that_is_no_ascii_is_refused_and_panics_in_no_request() {
    refused_redirect("/anmelden?für=x").await;
}

async fn refused(options: SqliteOptions) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sessions.db");
    let error = options.open(&path).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Config);
    assert!(!path.exists(), "nothing was created");
    std::error::Error::source(&error).map_or(error.to_string(), ToString::to_string)
}

#[tokio::test]
async fn a_busy_timeout_that_sqlite_cannot_count_is_refused() {
    let options = SqliteStore::options().busy_timeout(Duration::MAX);
    let error = refused(options).await;
    assert!(error.contains("busy_timeout"), "{error}");
}

#[tokio::test]
async fn a_sweep_without_pause_is_refused() {
    let options = SqliteStore::options().sweep_interval(Duration::ZERO);
    let error = refused(options).await;
    assert!(error.contains("sweep_interval"), "{error}");
}
